"""Every error a visitor can meet has its texts, in every language."""

import re
import tomllib
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.web.reference.components import family

TEXTS = Path(__file__).parents[2] / "templates" / "texts"
LANGUAGES = ("en", "ru", "zh")
FRAME = {"page", "help", "link"}
PARTS = {"title", "happened", "remedy"}
ERRORS = {error.code: error for error in family(GatewayError)}

Tables = dict[str, dict[str, str]]


def tables(language: str) -> Tables:
    """The texts of a language, as they are in its file."""
    return tomllib.loads((TEXTS / f"{language}.toml").read_text(encoding="utf-8"))


def keys(language: str) -> set[tuple[str, str]]:
    """Each table and key of a language."""
    return {(table, key) for table, texts in tables(language).items() for key in texts}


def test_there_is_one_file_for_each_language() -> None:
    assert {path.stem for path in TEXTS.glob("*.toml")} == set(LANGUAGES)


def test_no_public_message_contains_an_identifier_of_the_code() -> None:
    assert [error.public for error in ERRORS.values() if re.search(r"[a-z]{2}[A-Z]|_", error.public)] == []


def test_the_error_for_the_unforeseen_has_a_code() -> None:
    assert "internal" in ERRORS


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_says_what_happened_and_what_to_do(code: str, language: str) -> None:
    assert set(tables(language).get(code, {})) == PARTS


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_for_an_error_that_does_not_exist(language: str) -> None:
    assert set(tables(language)) == set(ERRORS) | FRAME


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_languages_have_the_same_keys(language: str) -> None:
    assert keys(language) == keys("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_has_space_around_it(language: str) -> None:
    texts = [text for table in tables(language).values() for text in table.values()]
    assert [text for text in texts if not text or text != text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_time_to_wait_has_its_place_in_the_sentence(language: str) -> None:
    assert tables(language)["page"]["retry_after"].count("{seconds}") == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_an_error_with_the_retry_link_mentions_it(language: str) -> None:
    texts = tables(language)
    link = texts["page"]["retry"].casefold()
    hopeless = [code for code, error in ERRORS.items() if not error.retry]
    assert [code for code in hopeless if link in texts[code]["remedy"].casefold()] == []
