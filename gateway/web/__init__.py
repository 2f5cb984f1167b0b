"""The way in: HTTP routes, and how answers and errors are shown."""
