"""Origins: the allow-list of hosts, and the URLs of uploaded images."""
