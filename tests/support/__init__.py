"""Real servers, clients and data that tests and benchmarks use."""
