"""The gunicorn worker, client sockets, and processes."""
