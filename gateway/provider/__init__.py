"""The image provider's API: client, transport, circuit breaker."""
