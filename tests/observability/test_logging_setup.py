import ast
from collections.abc import Iterator
from pathlib import Path

from gateway.observability.logging_setup import redact_secrets

SECRET = "5ec7e75ec7e7"
TOKEN = "Xk3v9QmT0aZ1-bZ0yq6Yk1x0mE2c4s9vJt7uW8nR5pL"
PACKAGE = Path(__file__).parents[2] / "gateway"
LOGGED_BY = {"debug", "info", "warning", "error", "exception"}


def test_no_text_of_a_log_line_holds_a_signature_or_a_key() -> None:
    for text in (
        f"/download/x?url=a&sig={SECRET}",
        f"/download/x&url=a&sig={SECRET}",
        f"/download/x%3Furl%3Da%26sig%3D{SECRET}",
        f"/download/x%253Furl%253Da%2526sig%253D{SECRET}",
        f"it&#x27;s%26sig%3D{SECRET}",
        f"X-Amz-Signature={SECRET}&X-Amz-Date=1",
        f"api_key={SECRET}",
        f"access_token%3D{SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"{{'sig': '{SECRET}'}}",
        f"a line without\n and one with ?sig={SECRET}",
        f"'Authorization': 'Basic {SECRET}'",
        f"postgres://gateway:{SECRET}@db.example/gateway",
        f"X-Amz-Security-Token%3D{SECRET}",
        f"password={SECRET}",
    ):
        written = redact_secrets(None, "info", {"event": text})
        assert SECRET not in str(written)


def test_a_long_token_is_a_secret_after_a_name_or_a_scheme() -> None:
    for text in (
        f"sig: {TOKEN}",
        f"X-Api-Key: {TOKEN}",
        f"token:{TOKEN.lower()}",
        f"a bearer {TOKEN}",
        f"the key gw_{TOKEN[:43]} is",
    ):
        written = str(redact_secrets(None, "info", {"event": text}))
        assert TOKEN[:43].lower() not in written.lower()


def own_words() -> Iterator[str]:
    """Every literal text that the package raises or logs, with ``x`` for what is filled in."""
    for module in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            call = node.exc if isinstance(node, ast.Raise) else node
            if not isinstance(call, ast.Call):
                continue
            is_logged = isinstance(call.func, ast.Attribute) and call.func.attr in LOGGED_BY
            if is_logged or isinstance(node, ast.Raise):
                yield from map(literal, [*call.args, *(keyword.value for keyword in call.keywords)])


def literal(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_every_text_of_the_gateway_is_logged_unchanged() -> None:
    said = {text for text in own_words() if text}

    assert "sig: does not match" in said
    assert {text: redact_secrets(None, "info", {"event": text})["event"] for text in said} == {t: t for t in said}


def test_harmless_text_is_left_alone() -> None:
    for text in (
        "sig: does not match",
        "the sig: is missing",
        "'sig': 'does not match'",
        "no bearer token",
        "Bearer authentication is required",
        "token: GATEWAY_METRICS_TOKEN is not set",
        "is it whole? nobody knows",
        "without ? and #",
        "Send your API key in the header: Authorization: Bearer <key>.",
        "https://tempfile.example/v/cat.png",
        "/download/task1",
        "monkey business",
        "the key is unknown",
        "design=flat",
    ):
        assert redact_secrets(None, "info", {"event": text}) == {"event": text}
