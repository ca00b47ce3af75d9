"""`nextclick share link` and `unlink`: one page of the dashboard for who has its address."""

import click

from cli.sharing.recipients import DAYS
from nextclick.command import common_options, json_option, print_json
from nextclick.settings import Settings


@click.command()
@click.argument("address")
@click.option("--days", type=DAYS, default=7, show_default=True, help="Days for which the link opens the page.")
@click.option("--base", metavar="URL", default="http://127.0.0.1:8090", show_default=True, help="The dashboard.")
@json_option
@common_options
def link(settings: Settings, address: str, days: float, base: str, as_json: bool) -> None:
    """A link to one page of the dashboard, or to one report's CSV, which opens that alone, until its end.

    \b
    nextclick share link overview
    nextclick share link '/acquisition?range=90d&where=channel=email' --days 30
    nextclick share link '/csv/traffic?by=channel' --base https://dashboard.example

    Who has the link sees the page with these days and filters, and can load its tables; no other page, range or filter.
    """
    import time

    from dashboard.access import PageAccess, require_linkable

    page, until = require_linkable(address), int(time.time() + days * 86_400)
    settings.lake.prepare()
    signed = base.rstrip("/") + PageAccess(settings.lake).sign(page, until)
    if as_json:
        print_json({"link": signed, "ends_at": until})
    else:
        click.echo(signed)


@click.command()
@json_option
@common_options
def unlink(settings: Settings, as_json: bool) -> None:
    """End all links to pages, and those to partners' files, which their next query renews.

    \b
    nextclick share unlink
    """
    from dashboard.access import PageAccess

    settings.lake.prepare()
    PageAccess(settings.lake).end_all()
    if as_json:
        print_json({"ended": True})
    else:
        click.echo("No link that was made before opens anything any more.")
