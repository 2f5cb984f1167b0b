import hashlib
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response

from gateway.demo.catalogue import IMAGES, SAMPLES, Sample
from tests.support.browsers import NARROW, assert_fits, assert_keeps_nobody_out, complaints_of
from tests.support.demo_process import Demo, family, is_alive, running_demo
from tests.support.live_gateway import ROOT, bare_environment, happens

pytestmark = pytest.mark.slow

LOOPBACK = "0100007F"  # 127.0.0.1 as /proc/net/tcp writes it
LISTENING = "0A"
PATIENCE_MS = 10_000

every_sample = pytest.mark.parametrize("sample", [pytest.param(sample, id=sample.name) for sample in SAMPLES])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="module")
def visitor(chromium: Browser) -> Iterator[BrowserContext]:
    """Somebody with a browser as it comes."""
    with chromium.new_context() as context:
        context.set_default_timeout(PATIENCE_MS)
        yield context


@pytest.fixture
def page(visitor: BrowserContext, demo: Demo) -> Iterator[Page]:
    """The demo page in a new tab."""
    with visitor.new_page() as page:
        page.goto(demo.url, wait_until="domcontentloaded")
        yield page


def click(page: Page, case: str) -> None:
    """Click the link of a case."""
    page.click(f'[data-case="{case}"]')


def follow(page: Page, case: str) -> Response:
    """Click the link of a case that leads to another page, and give what came."""
    with page.expect_navigation() as navigation:
        click(page, case)
    return navigation.value


def saved(page: Page, case: str) -> tuple[str, str]:
    """Click the link of a case that downloads; give the name that the browser suggests, and a hash of the bytes."""
    with page.expect_download() as download:
        click(page, case)
    return download.value.suggested_filename, sha256(download.value.path())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def texts(language: str, code: str) -> dict[str, str]:
    """What people read of an error."""
    table = tomllib.loads((ROOT / "templates" / "texts" / f"{language}.toml").read_text(encoding="utf-8"))
    return dict(table[code])


# --- the buttons


@every_sample
@pytest.mark.parametrize("way", ["auto", "stream"])
def test_a_click_downloads_the_image_and_the_page_stays(page: Page, demo: Demo, sample: Sample, way: str) -> None:
    name, digest = saved(page, f"{sample.name} {way}")

    assert name == sample.name
    assert digest == sha256(IMAGES / sample.name)
    assert page.url == demo.url


@every_sample
def test_the_plain_link_opens_the_image_in_the_tab(page: Page, demo: Demo, sample: Sample) -> None:
    follow(page, f"{sample.name} plain")

    assert page.url.endswith(f"/v/{sample.name}")
    assert not page.url.startswith(demo.url)
    assert page.evaluate("document.contentType").startswith("image/")


@pytest.mark.parametrize("sample", [pytest.param(sample, id=sample.name) for sample in SAMPLES if sample.attachment])
def test_a_redirect_to_an_attachment_downloads(page: Page, demo: Demo, sample: Sample) -> None:
    name, digest = saved(page, f"{sample.name} redirect")

    assert (name, digest) == (sample.name, sha256(IMAGES / sample.name))
    assert page.url == demo.url


@pytest.mark.parametrize(
    "sample", [pytest.param(sample, id=sample.name) for sample in SAMPLES if not sample.attachment]
)
def test_a_bare_redirect_opens_the_image_in_the_tab(page: Page, demo: Demo, sample: Sample) -> None:
    follow(page, f"{sample.name} redirect")

    assert not page.url.startswith(demo.url)
    assert page.evaluate("document.contentType").startswith("image/")


# --- links that are no good


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize(
    ("case", "status", "code"), [("expired", 410, "link_expired"), ("forged", 403, "link_invalid")]
)
def test_a_bad_link_shows_what_happened_in_the_visitors_language(
    chromium: Browser, demo: Demo, language: str, case: str, status: int, code: str
) -> None:
    with chromium.new_context(locale=language) as context:
        page = context.new_page()
        page.goto(demo.url, wait_until="domcontentloaded")

        response = follow(page, case)

        assert response.status == status
        assert page.inner_text("h1") == texts(language, code)["title"]
        assert str(page.get_attribute("html", "lang")).startswith(language)


# --- the page itself


def test_the_demo_page_loads_without_a_complaint_of_the_browsers(visitor: BrowserContext, demo: Demo) -> None:
    with visitor.new_page() as page:
        complaints = complaints_of(page)

        page.goto(demo.url, wait_until="networkidle")
        widths = page.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")

    assert complaints == []
    assert len(widths) == len(SAMPLES)
    assert 0 not in widths


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("case", ["the demo page", "expired"])
def test_axe_finds_nothing_that_keeps_people_out(
    chromium: Browser, demo: Demo, case: str, scheme: Literal["light", "dark"]
) -> None:
    with chromium.new_context(color_scheme=scheme) as context:
        assert_keeps_nobody_out(open_case(context.new_page(), demo, case))


@pytest.mark.parametrize("case", ["the demo page", "expired", "forged"])
def test_a_narrow_phone_shows_everything_without_scrolling_sideways(chromium: Browser, demo: Demo, case: str) -> None:
    with chromium.new_context(viewport={"width": NARROW, "height": 640}, is_mobile=True) as context:
        assert_fits(open_case(context.new_page(), demo, case), NARROW)


def open_case(page: Page, demo: Demo, case: str) -> Page:
    """Open the demo page, or go on from it to an error page."""
    page.goto(demo.url)
    if case != "the demo page":
        follow(page, case)
    return page


# --- the command


def test_every_port_of_the_demo_listens_on_this_machine_alone(demo: Demo) -> None:
    sockets = {name for pid in family(demo.process.pid) for name in sockets_of(pid)}
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]

    listening = {row[1] for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in sockets}

    assert len(listening) == 3
    assert {address.partition(":")[0] for address in listening} == {LOOPBACK}


def test_the_demos_secrets_are_its_owners_alone(demo: Demo) -> None:
    files = list((demo.folder / "instance" / "demo").glob("*.env"))

    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_second_start_keeps_the_secrets_and_ctrl_c_stops_everything(demo: Demo) -> None:
    secrets = demo.folder / "instance" / "demo" / "secrets.env"
    before = secrets.read_text(encoding="utf-8")
    with running_demo(demo.folder) as second:
        processes = family(second.process.pid)
        status = second.stop()

    assert secrets.read_text(encoding="utf-8") == before
    assert status == 0
    assert len(processes) == 7  # ours, and for each of three services a master and a worker
    assert happens(lambda: not any(is_alive(pid) for pid in processes))


def test_with_the_providers_key_alone_it_names_the_missing_setting_and_is_no_demo(tmp_path: Path) -> None:
    key = "k" * 40
    done = subprocess.run(
        [sys.executable, "-m", "gateway"],
        cwd=tmp_path,
        env=bare_environment() | {"GATEWAY_UPSTREAM_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 1
    assert "GATEWAY_SECRET_KEYS: " in done.stderr
    assert key not in done.stdout + done.stderr
    assert not (tmp_path / "instance").exists()


def sockets_of(pid: int) -> set[str]:
    """The sockets that a process holds, as the kernel names them."""
    return {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if "socket" in str(link.readlink())}
