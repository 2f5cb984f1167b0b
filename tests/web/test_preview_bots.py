"""Preview bots of chats and social networks get a small page; other clients get the file."""

from pathlib import Path

import pytest

from tests.support.factories import PNG, Gateway, store_gateway
from tests.support.servers import ScriptedServer

PREVIEW_BOTS = {
    "discord": "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "teams": "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "facebook": "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "whatsapp": "WhatsApp/2.23.18.78 i",
    "telegram": "TelegramBot (like TwitterBot)",
    "slack": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "imessage": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
    "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
}
OTHER_CLIENTS = {
    "chrome": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "teams-app": "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Teams/1.5.00.1 Chrome/85.0 Electron/10.4",
    "facebook-app": "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/440.0] MetaIAB Facebook",
    "curl": "curl/8.5.0",
    "none": "",
}


@pytest.mark.parametrize("agent", PREVIEW_BOTS.values(), ids=PREVIEW_BOTS)
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-524287"}], ids=["whole", "part"])
def test_a_preview_bot_gets_a_title_and_no_image_and_the_origin_gets_no_request(
    gateway: Gateway, origin: ScriptedServer, agent: str, headers: dict[str, str]
) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG), filename="Cat & Dog.png", link_id="once")

    response = gateway.client.get(link, headers=headers | {"User-Agent": agent})

    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert '<meta property="og:title" content="Cat &amp; Dog.png">' in response.text
    assert "og:image" not in response.text
    assert "<img" not in response.text
    assert len(response.data) < 2000
    assert response.headers["Cache-Control"] == "no-store"
    assert origin.seen == []


@pytest.mark.parametrize("agent", OTHER_CLIENTS.values(), ids=OTHER_CLIENTS)
def test_other_clients_get_the_file(gateway: Gateway, origin: ScriptedServer, agent: str) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG))

    assert gateway.client.get(link, headers={"User-Agent": agent}).data == PNG


def test_a_navigation_gets_the_file_with_any_user_agent(gateway: Gateway, origin: ScriptedServer) -> None:
    headers = {"User-Agent": PREVIEW_BOTS["whatsapp"], "Sec-Fetch-Mode": "navigate"}

    assert gateway.client.get(gateway.link(origin.serve("/v/cat.png", PNG)), headers=headers).data == PNG


@pytest.mark.parametrize(("spoil", "status"), [(lambda link: link[:-4] + "AAAA", 403), (lambda link: link, 410)])
def test_a_preview_bot_gets_the_error_of_an_invalid_link(gateway: Gateway, spoil: object, status: int) -> None:
    assert callable(spoil)
    link = gateway.link("https://origin.example/v/cat.png", lifetime_s=-10)

    assert gateway.client.get(spoil(link), headers={"User-Agent": PREVIEW_BOTS["slack"]}).status_code == status


def test_a_file_link_is_previewed_too(tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path)
    store = gateway.services.store
    assert store is not None

    response = gateway.client.get(
        store.files.mint("0" * 64, "cat.png"), headers={"User-Agent": PREVIEW_BOTS["discord"]}
    )

    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert 'content="cat.png"' in response.text
