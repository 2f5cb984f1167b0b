"""Outgoing HTTP: the only package that opens sockets to addresses that others can influence."""
