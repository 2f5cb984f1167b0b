"""Limits per visitor, API key and worker."""
