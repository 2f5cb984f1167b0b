"""What hosting platforms say of themselves in the environment."""

import json
from collections.abc import Mapping
from typing import Any

# Platforms that set one of these have exactly one proxy of their own before the process.
MARKS = (
    "DYNO",
    "RENDER",
    "FLY_APP_NAME",
    "RAILWAY_ENVIRONMENT_NAME",
    "KOYEB_SERVICE_NAME",
    "K_SERVICE",
    "CF_INSTANCE_GUID",
)
# The variable, and how its value becomes a URL.
_URLS = {
    "RENDER_EXTERNAL_URL": "{}",
    "RAILWAY_PUBLIC_DOMAIN": "https://{}",
    "HEROKU_APP_DEFAULT_DOMAIN_NAME": "https://{}",
    "FLY_APP_NAME": "https://{}.fly.dev",
    "KOYEB_PUBLIC_DOMAIN": "https://{}",
}
# Names that other programs use too: they count only behind a proxy that is trusted.
_SHARED_URLS = {
    "APP_URL": "{}",  # DigitalOcean App Platform, where the operator binds it
    "WEBSITE_HOSTNAME": "https://{}",  # Azure App Service
}


def is_platform(environment: Mapping[str, str]) -> bool:
    """Whether a known platform runs this process."""
    return any(environment.get(mark) for mark in MARKS)


def platform_url(environment: Mapping[str, str], *, behind_proxy: bool) -> str:
    """The public URL that the platform tells; empty where it tells none.

    Args:
        environment: the variables.
        behind_proxy: whether a trusted proxy is in front.
    """
    for name, template in (_URLS | _SHARED_URLS if behind_proxy else _URLS).items():
        if value := environment.get(name):
            return template.format(value)
    return _cloud_foundry_url(environment.get("VCAP_APPLICATION", ""))


def _cloud_foundry_url(application: str) -> str:
    """The first route of the application, as Cloud Foundry describes it in ``VCAP_APPLICATION``."""
    try:
        described: Any = json.loads(application or "{}")
        return f"https://{described['application_uris'][0]}"
    except (ValueError, LookupError, TypeError):
        return ""
