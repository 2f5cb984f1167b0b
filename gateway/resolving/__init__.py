"""Resolvers: turn a task and an image URL into a source of bytes."""
