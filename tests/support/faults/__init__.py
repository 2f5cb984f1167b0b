"""Whoever misbehaves, by name: origins, a provider, name servers and visitors. For the trials, and for the tests."""
