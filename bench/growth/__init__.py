"""How cost grows: with the connections, with the streams of slow visitors, and with the URLs that are known."""
