"""The gunicorn worker, its sockets and its processes."""
