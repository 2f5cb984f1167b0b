"""``python -m gateway``: run the gateway when it is configured, else the demo."""

import os
import sys

from gateway.demo.run import run_demo
from gateway.errors import ConfigError
from gateway.server.launcher import Service, run_until_stopped
from gateway.settings.loader import load_settings, read_dotenv

REQUIRED_SETTINGS = {"GATEWAY_SECRET_KEYS", "GATEWAY_UPSTREAM_API_KEY"}


def main() -> int:
    """Run the gateway when one of the two settings is in the environment or in ``.env``; returns the exit status."""
    try:
        configured = {name for name, value in (*read_dotenv().items(), *os.environ.items()) if value}
        return _serve() if configured & REQUIRED_SETTINGS else run_demo()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1


def _serve() -> int:
    settings = load_settings()
    address = f"127.0.0.1:{settings.port}"
    greeting = f"The gateway is serving. Ctrl-C stops it.\n\nOpen {settings.public_url or f'http://{address}'}/"
    return run_until_stopped([Service("gateway", "wsgi:app", address)], greeting)


if __name__ == "__main__":
    sys.exit(main())
