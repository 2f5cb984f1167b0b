"""``python -m gateway``: serve with the settings that are given, or run the demo when none are."""

import os
import sys

from gateway.demo.run import run_demo
from gateway.errors import ConfigError
from gateway.server.launcher import Service, run_until_stopped
from gateway.settings.loader import load_settings, read_dotenv

SECRETS, PROVIDER_KEY = "GATEWAY_SECRET_KEYS", "GATEWAY_UPSTREAM_API_KEY"


def main() -> int:
    """Decide by whether one of the two settings is there, in the environment or in ``.env``."""
    try:
        raw = {name for name, value in (*read_dotenv().items(), *os.environ.items()) if value}
        return _serve() if raw & {SECRETS, PROVIDER_KEY} else run_demo()
    except ConfigError as faults:
        print(faults, file=sys.stderr)
        return 1


def _serve() -> int:
    settings = load_settings()  # names the one that is missing, and every other fault
    address = f"127.0.0.1:{settings.port}"
    greeting = f"The gateway is serving. Ctrl-C stops it.\n\nOpen {settings.public_url or f'http://{address}'}/"
    return run_until_stopped([Service("gateway", "wsgi:app", address)], greeting)


if __name__ == "__main__":
    sys.exit(main())
