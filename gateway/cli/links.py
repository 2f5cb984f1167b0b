"""``links sign``, ``links email`` and ``links verify``."""

from html import escape
from urllib.parse import unquote

import click
from flask.cli import AppGroup

from gateway.errors import DatabaseDown, GatewayError, OriginNotAllowed
from gateway.links.link import LONGEST_LIFE_S, MODES, SHORTEST_LIFE_S, FieldFault, Link, Mode
from gateway.web.app_context import services, settings

group = AppGroup("links", help="Sign and verify links, and create e-mail links.")
# Outlook renders a table cell with a background where it ignores the padding of a link.
HTML = """<table role="presentation" cellspacing="0" cellpadding="0" border="0"><tr>
  <td bgcolor="#0b675c" style="border-radius:8px">
    <a href="{href}"
       style="display:inline-block;padding:14px 28px;color:#ffffff;font:bold 16px sans-serif;text-decoration:none"
    >Download</a>
  </td>
</tr></table>"""


@group.command("sign")
@click.argument("task")
@click.argument("url")
@click.option("--mode", type=click.Choice(MODES), help="How the file is delivered; default: as the gateway is set.")
@click.option("--filename", help="The name of the saved file.")
@click.option("--expires-in", type=click.IntRange(SHORTEST_LIFE_S, LONGEST_LIFE_S), help="Lifetime in seconds.")
def sign(task: str, url: str, mode: Mode | None, filename: str | None, expires_in: int | None) -> None:
    """Print a signed link to the image at URL, a result of TASK."""
    gateway = services()
    try:
        link = gateway.signer.mint(task, url, lifetime_s=expires_in, mode=mode, filename=filename)
        gateway.guard.check_link_url(url)
    except FieldFault as fault:
        raise click.UsageError(str(fault)) from None
    except OriginNotAllowed as error:
        raise click.UsageError(f"url: {error.advice}") from None
    lifetime_s = settings().page_link_lifetime_s if expires_in is None else expires_in
    for warning in (*settings().warnings, *settings().lifetime_warnings(lifetime_s)):
        click.echo(f"warning: {warning}", err=True)
    click.echo(link)


@group.command("email")
@click.argument("task")
@click.argument("url")
@click.option("--mode", type=click.Choice(MODES), help="How the file is delivered; default: as the gateway is set.")
@click.option("--filename", help="The name of the saved file.")
@click.option("--expires-in", type=click.IntRange(SHORTEST_LIFE_S, LONGEST_LIFE_S), help="Lifetime in seconds.")
@click.option("--max-downloads", type=click.IntRange(1, 1_000_000), help="How many downloads may complete.")
def email(
    task: str, url: str, mode: Mode | None, filename: str | None, expires_in: int | None, max_downloads: int | None
) -> None:
    """Create an e-mail link to the image at URL, a result of TASK, and print it as HTML and as text."""
    if not settings().public_url:
        raise click.UsageError("GATEWAY_PUBLIC_URL is not set, and a link in an e-mail needs a host")
    gateway = services()
    lifetime_s = settings().email_link_lifetime_s if expires_in is None else expires_in
    try:
        link = Link(task, url, gateway.signer.expiry(lifetime_s), mode, filename, gateway.short_codes.new_id())
        gateway.guard.check_link_url(url)
        stored = gateway.stored_links.create(link, max_downloads)
    except FieldFault as fault:
        raise click.UsageError(str(fault)) from None
    except OriginNotAllowed as error:
        raise click.UsageError(f"url: {error.advice}") from None
    except DatabaseDown as error:
        raise click.ClickException(f"{error.code}: {error}") from None
    href = gateway.short_codes.href(stored.id)
    click.echo(f"{href}\n")
    click.echo(HTML.format(href=escape(href)))
    click.echo(f"\nDownload your file:\n{href}")


@group.command("verify")
@click.argument("url")
def verify(url: str) -> None:
    """Verify the link URL: print what it permits, or why it is refused."""
    path, _, query = url.partition("#")[0].partition("?")
    task_id = unquote(path.rpartition("/download/")[2].partition("/")[0])
    try:
        link = services().links.verify(task_id, query.encode("utf-8", "surrogateescape"))
    except GatewayError as error:
        raise click.ClickException(f"{int(error.status)} {error.code}: {error}") from None
    click.echo("The link is valid.")
    for name in ("task_id", "url", "expires", "mode", "filename", "id"):
        value = getattr(link, name)
        click.echo(f"  {name:9}{'-' if value is None else value}")
