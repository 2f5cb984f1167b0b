"""Persistence: the database, and the object store for image bytes."""
