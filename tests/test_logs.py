import pytest

from gateway.logs import without_queries

SECRET = "5ec7e75ec7e7"


@pytest.mark.parametrize(
    "text",
    [
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
    ],
)
def test_no_text_of_a_log_line_holds_a_signature_or_a_key(text: str) -> None:
    written = without_queries(None, "info", {"event": text})

    assert SECRET not in str(written)


@pytest.mark.parametrize("text", ["/download/task1", "monkey business", "the key is unknown", "design=flat"])
def test_harmless_text_is_left_alone(text: str) -> None:
    assert without_queries(None, "info", {"event": text}) == {"event": text}
