"""API credentials: who may call."""
