"""Code samples of the API reference, read from ``docs/api.md``."""

import re
from pathlib import Path

_GUIDE = Path(__file__).parents[3] / "docs" / "api.md"
_BASE_URL = "https://dl.example.com"
_LANGUAGES = {"sh": ("Shell", "curl"), "python": ("Python", "Python"), "js": ("JavaScript", "Node.js")}
_CALL = re.compile(r"^`([A-Z]+ /\S+)`$", re.MULTILINE)
_FENCE = re.compile(r"^```(sh|python|js)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


def code_samples(public_url: str) -> dict[str, list[dict[str, str]]]:
    """The samples of each call, such as ``POST /api/v1/links``, as ``x-codeSamples`` objects.

    Args:
        public_url: replaces the base URL of the guide; empty to keep it.
    """
    guide = _GUIDE.read_text(encoding="utf-8").replace(_BASE_URL, public_url or _BASE_URL)
    samples = {}
    for section in guide.split("\n## "):
        if call := _CALL.search(section):
            samples[call[1]] = [_sample(*fence) for fence in _FENCE.findall(section)]
    return samples


def _sample(language: str, source: str) -> dict[str, str]:
    name, label = _LANGUAGES[language]
    return {"lang": name, "label": label, "source": source}
