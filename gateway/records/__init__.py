"""Records of tasks and their images."""
