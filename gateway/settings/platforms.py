"""Detection of hosting platforms by their environment variables."""

import json
from collections.abc import Mapping
from typing import Any

# Each of these platforms has exactly one proxy in front of the process.
MARKS = (
    "DYNO",
    "RENDER",
    "FLY_APP_NAME",
    "RAILWAY_ENVIRONMENT_NAME",
    "KOYEB_SERVICE_NAME",
    "K_SERVICE",
    "CF_INSTANCE_GUID",
)
# Variables, and templates that turn their values into a URL.
_URLS = {
    "RENDER_EXTERNAL_URL": "{}",
    "RAILWAY_PUBLIC_DOMAIN": "https://{}",
    "HEROKU_APP_DEFAULT_DOMAIN_NAME": "https://{}",
    "FLY_APP_NAME": "https://{}.fly.dev",
    "KOYEB_PUBLIC_DOMAIN": "https://{}",
}
# Other programs use these names too, so they count only behind a trusted proxy.
_SHARED_URLS = {
    "APP_URL": "{}",  # DigitalOcean App Platform, set by the operator
    "WEBSITE_HOSTNAME": "https://{}",  # Azure App Service
}


def is_platform(environment: Mapping[str, str]) -> bool:
    """Whether the process runs on a known platform."""
    return any(environment.get(mark) for mark in MARKS)


def platform_url(environment: Mapping[str, str], *, behind_proxy: bool) -> str:
    """The public URL that the platform provides; empty if none.

    Args:
        environment: the variables.
        behind_proxy: whether a trusted proxy is in front.
    """
    for name, template in (_URLS | _SHARED_URLS if behind_proxy else _URLS).items():
        if value := environment.get(name):
            return template.format(value)
    return _cloud_foundry_url(environment.get("VCAP_APPLICATION", ""))


def _cloud_foundry_url(application: str) -> str:
    """The first route in ``VCAP_APPLICATION``, the JSON description of a Cloud Foundry application."""
    try:
        described: Any = json.loads(application or "{}")
        return f"https://{described['application_uris'][0]}"
    except (ValueError, LookupError, TypeError):
        return ""
