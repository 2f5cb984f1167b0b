"""The gateway with the demo page in place of the home page."""

import os
import time

from flask import Flask, Response

from gateway.app import create_app
from gateway.demo.catalogue import SAMPLES, Sample
from gateway.demo.roles import ORIGIN_URL
from gateway.links import Link, LinkSigner
from gateway.observability.logging_setup import configure_logging
from gateway.services import build_services
from gateway.settings import Settings
from gateway.settings.loader import load_settings
from gateway.web.pages import PAGE_POLICY, page

DEMO_POLICY = PAGE_POLICY.replace("img-src 'self'", "img-src 'self' {origin}")


def create_demo(settings: Settings, origin_url: str) -> Flask:
    """Compose the gateway, with the demo page at ``/``."""
    services = build_services(settings)
    app = create_app(settings, services)
    signer = services.signer

    def demo() -> Response:
        """Show each sample with a plain link and with the gateway's links."""
        samples = [_sample_links(sample, origin_url, signer) for sample in SAMPLES]
        first = SAMPLES[0]
        expired = Link(first.task_id, f"{origin_url}/v/{first.name}", int(time.time()) - 60)
        return page(
            "demo.html",
            policy=DEMO_POLICY.format(origin=origin_url),
            samples=samples,
            expired=signer.href(expired),
            forged=_forged(samples[0]["auto"]),
        )

    app.view_functions["pages.home"] = demo
    return app


def _sample_links(sample: Sample, origin_url: str, signer: LinkSigner) -> dict[str, str]:
    url = f"{origin_url}/v/{sample.name}"
    return {
        "title": sample.title,
        "alt": sample.alt,
        "name": sample.name,
        "attachment": "yes" if sample.attachment else "",
        "plain": url,
        "auto": signer.mint(sample.task_id, url),
        "stream": signer.mint(sample.task_id, url, mode="stream"),
        "redirect": signer.mint(sample.task_id, url, mode="redirect"),
    }


def _forged(link: str) -> str:
    """The same link for another task, whose signature does not match."""
    return link.replace("/download/", "/download/another-", 1)


def build() -> Flask:
    """Build the demo from the environment that ``gateway.demo.run`` prepares."""
    configure_logging()
    return create_demo(load_settings(), os.environ[ORIGIN_URL])
