"""Texts of the HTML pages, translated."""

import tomllib
from pathlib import Path
from typing import Any

from flask import request

LANGUAGES = ("en", "ru", "zh")
_FOLDER = Path(__file__).parents[2] / "templates" / "texts"
_TEXTS: dict[str, dict[str, Any]] = {
    language: tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8")) for language in LANGUAGES
}


def texts() -> dict[str, Any]:
    """The texts in the language that ``Accept-Language`` prefers; in English when none matches."""
    return _TEXTS[request.accept_languages.best_match(LANGUAGES, default="en") or "en"]
