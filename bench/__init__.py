"""What the gateway costs: in time, in memory, and with a million records. On loopback only; nothing is left behind."""
