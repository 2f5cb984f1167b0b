"""What the gateway costs in time and memory, beside others that do the same: in one run, on one machine."""
