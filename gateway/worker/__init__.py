"""The worker that gunicorn runs: its gevent worker, with bounded connections and an end that breaks little."""
