"""`nextclick shop`: the collector, the API, the dashboard and the shop itself, on loopback, until stopped."""

import secrets
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Final

import click

from nextclick import ports
from nextclick.command import CommandContext, json_option, print_json
from nextclick.errors import NextclickError, UsageError
from nextclick.settings import CHECKOUT, Settings, load

_HOST: Final = "127.0.0.1"
_CATALOGUE: Final = "traffic/catalogue.ndjson"
_LAKE: Final = "demo-lake"


@click.command("shop")
@click.option("--lake", metavar="DIR", help=f"A lake that the demo made (default: ./{_LAKE}).")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free port.")
@json_option
@click.pass_obj
def shop(context: CommandContext, lake: str | None, port: int, as_json: bool) -> None:
    """Open a small shop in the demo's lake: click three things of a kind, and see the next page.

    It prints the link to the dashboard's Live page too, which moves with each click.

    \b
    nextclick shop
    nextclick --lake my-demo shop --port 0 --json

    The first time, the demo runs before it opens, which takes a minute or two. Ctrl-C closes it.
    """
    settings = load(lake or context.lake or _LAKE, context.conf_dir, "demo")
    _require_goods(settings)
    _open(settings, ports.free(_HOST, port), as_json)


def _require_goods(settings: Settings) -> None:
    """Let the demo make the lake if there is none."""
    root = settings.lake.root
    if (root / _CATALOGUE).exists():
        return
    if root.exists() and any(root.iterdir()):
        raise UsageError(f"{root} was not made by the demo: name another folder with --lake, or one that is not there.")
    click.echo(f"There is no shop in {root} yet: the demo makes one.", err=True)
    if subprocess.run([sys.executable, "-m", "demo", "--lake", str(root)], cwd=CHECKOUT, stdout=sys.stderr).returncode:
        raise NextclickError("The demo failed, so there is nothing to sell: see above.")


def _open(settings: Settings, port: int, as_json: bool) -> None:
    import uvicorn  # these take a second: --help should not

    from demo.service import running
    from demo.shop.advice import Advice
    from demo.shop.app import Shop, app
    from demo.shop.goods import read_goods
    from nextclick.web.process import when_it_answers

    folder, secret = settings.lake.root / "shop", secrets.token_urlsafe()
    folder.mkdir(exist_ok=True)
    with (
        running(settings, "collect", folder) as collector,
        running(settings, "serve", folder, NEXTCLICK_SERVING__SECRET_KEY=secret) as api,
        running(settings, "dashboard", folder) as dashboard,
    ):
        goods = read_goods(settings.lake.root / _CATALOGUE)
        pages = app(Shop(goods, Advice(api.address, secret), collector.address, api.address))
        address = f"http://{_HOST}:{port}"
        live = dashboard.said["dashboard"].replace("/?", "/live?", 1)
        said = {"address": address, "collector": collector.address, "api": api.address, "live": live}
        when_it_answers(address, lambda: _announce(said, as_json))
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # closes as Ctrl-C does, and what it started with it
        with suppress(KeyboardInterrupt):
            uvicorn.run(pages, host=_HOST, port=port, log_level="warning")


def _announce(said: dict[str, str], as_json: bool) -> None:
    if as_json:
        print_json(said)
    else:
        click.echo(
            "The shop is open: {address}   (its collector: {collector}, its API: {api}/docs)\n"
            "What you click there moves the dashboard's Live page: {live}".format_map(said),
            err=True,
        )
