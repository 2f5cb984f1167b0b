"""The HTTP interface: routes, responses and error pages."""
