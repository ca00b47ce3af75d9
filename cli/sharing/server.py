"""`nextclick share serve`: the Delta Sharing protocol over HTTP."""

from contextlib import suppress

import click
import msgspec

from nextclick import ports
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings

_CONNECTIONS = 128
"""At once; more are answered 503, and clients come again."""


@click.command()
@click.option("--host", help="Address to listen on (default: sharing.host).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default: sharing.port; 0: any free one).")
@json_option
@common_options
def serve(settings: Settings, host: str | None, port: int | None, as_json: bool) -> None:
    """Answer the Delta Sharing protocol for conf/shares.toml; Ctrl-C or SIGTERM ends it.

    \b
    nextclick share serve
    nextclick share serve --port 0 --json      any free port; the endpoint as JSON

    Clients (pandas, Spark, Power BI, Tableau) want the file that `nextclick share recipient add` writes.
    """
    import signal

    import uvicorn

    from analytics.sharing.app import app
    from analytics.sharing.server import endpoint
    from nextclick.web.process import when_it_answers

    chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    sharing = msgspec.structs.replace(settings.sharing, **chosen)
    sharing = msgspec.structs.replace(sharing, port=ports.free(sharing.host, sharing.port))
    settings = msgspec.structs.replace(settings, sharing=sharing)
    settings.lake.prepare()
    for warning in _warnings(settings):
        click.echo(f"nextclick: {warning}", err=True)
    address = f"{'https' if sharing.tls_certificate else 'http'}://{sharing.host}:{sharing.port}"
    when_it_answers(address, lambda: _announce(endpoint(sharing), as_json))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # closes as Ctrl-C does
    with suppress(KeyboardInterrupt):
        uvicorn.run(
            app(settings),
            host=sharing.host,
            port=sharing.port,
            log_level="warning",
            timeout_graceful_shutdown=2,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            ssl_certfile=sharing.tls_certificate or None,
            ssl_keyfile=sharing.tls_key or None,
        )


def _warnings(settings: Settings) -> list[str]:
    """What should be known before others ask. UsageError where nothing is shared."""
    from analytics.sharing import shares
    from analytics.sharing.recipients import Recipients

    file, recipients = settings.conf_dir / "shares.toml", Recipients(settings.lake)
    named = shares.load(file).recipients
    if not named:
        raise UsageError(f"{file} names no share. docs/sharing.md shows one.")
    able = {each.name for each in recipients.all() if recipients.is_active(each)}
    warnings = [f"{name} has no token: `nextclick share recipient add {name}`." for name in sorted(named - able)]
    warnings += [f"{name} has a token, and no share in {file}." for name in sorted(able - named)]
    if not (ports.is_loopback(settings.sharing.host) or settings.sharing.tls_certificate):
        warnings.append(
            f"{settings.sharing.host} is open to others, and tokens and tables travel there in clear: "
            "set sharing.tls_certificate and tls_key, or stand behind a proxy (docs/deploy.md)."
        )
    return warnings


def _announce(address: str, as_json: bool) -> None:
    if as_json:
        print_json({"endpoint": address})
    else:
        click.echo(f"Delta Sharing {address}\nStop with Ctrl-C.")
