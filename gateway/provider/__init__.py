"""The provider's API: client, transport, circuit breaker."""
