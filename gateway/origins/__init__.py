"""Which hosts and URLs may be origins."""
