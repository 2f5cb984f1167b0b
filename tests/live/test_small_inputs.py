"""What origins and signed urls of the wild hold, against the live server: one case per promise."""

from factories import PNG
from live import LiveGateway
from servers import ScriptedServer, answer


def get(live: LiveGateway, url: str, **headers: str) -> tuple[int, bytes]:
    with live.visit() as visitor:
        visitor.request("GET", live.path(url), headers=headers)
        response = visitor.getresponse()
        return response.status, response.read()


def test_a_url_is_fetched_exactly_as_it_was_signed(live: LiveGateway, files: ScriptedServer) -> None:
    files.serve("/v/%2c[1]|%zz.png", PNG)

    assert get(live, files.url("/v/%2c[1]|%zz.png?sig=a%3d")) == (200, PNG)
    assert files.seen[-1].target == "/v/%2c[1]|%zz.png?sig=a%3d"


def test_a_signed_url_with_a_space_and_other_letters_is_fetched_percent_encoded(
    live: LiveGateway, files: ScriptedServer
) -> None:
    files.serve("/v/%D0%BA%D0%BE%D1%82%201.png", PNG)

    assert get(live, files.url("/v/кот 1.png")) == (200, PNG)


def test_a_redirect_with_a_space_and_other_letters_is_followed(live: LiveGateway, files: ScriptedServer) -> None:
    files.serve("/v/caf%C3%A9%202.png", PNG)
    files.route("/moved.png", answer(302, b"", {"Location": "/v/café 2.png".encode().decode("latin-1")}))

    assert get(live, files.url("/moved.png")) == (200, PNG)


def test_a_redirect_to_a_special_use_name_is_refused(live: LiveGateway, files: ScriptedServer) -> None:
    files.route("/inside.png", answer(302, b"", {"Location": "http://metadata.google.internal/"}))

    status, told = get(live, files.url("/inside.png"))

    assert (status, told.split(b":")[0]) == (502, b"502 origin_unsafe")
