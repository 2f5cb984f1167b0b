"""API keys: authentication, storage, quotas."""
