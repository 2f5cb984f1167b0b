"""The demo: a sandbox provider and a sample origin beside the real gateway."""
