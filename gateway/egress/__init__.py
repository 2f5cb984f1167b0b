"""The way out: the only room that opens sockets to an address somebody else can influence."""
