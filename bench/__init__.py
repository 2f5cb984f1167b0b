"""Benchmarks: ratios against a peer, taken in one run."""
