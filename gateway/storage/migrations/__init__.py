"""Alembic migrations: `env.py` runs them, `versions/` has them in order."""
