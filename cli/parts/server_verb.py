"""What the verbs that start a server (collect, serve) share: their options, and what must be there before workers start."""

import importlib
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import click
import msgspec

from nextclick import ports
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import LakeError, UsageError
from nextclick.lake.paths import Lake
from nextclick.settings import ServerSettings, Settings, hand_down
from nextclick.web.failures import masked
from nextclick.web.operators import COUNTS, ROOM


class ServerVerb(NamedTuple):
    """Which server a verb starts."""

    server: str
    """The module whose `serve` runs it."""
    section: str
    """Its settings: `collector`, `serving`."""
    keys: str
    """Its keys: `write`, `read`."""
    counts: str
    """Folder of its workers' metrics, below the lake's state folder."""

    def options(self, command: Callable[..., Any]) -> Callable[..., Any]:
        """--host, --port, --workers, --json and the common ones."""
        for option in (
            common_options,
            json_option,
            click.option("--workers", type=click.IntRange(1, 64), help=f"Processes (default: {self.section}.workers)."),
            click.option(
                "--port", type=click.IntRange(0, 65535), help=f"Port (default: {self.section}.port; 0: any free one)."
            ),
            click.option("--host", help=f"Address to listen on (default: {self.section}.host)."),
        ):
            command = option(command)
        return command

    def run(
        self, settings: Settings, listens: Callable[[str], str], as_json: bool, **options: str | int | None
    ) -> None:
        """Serve until stopped, with these `options`; `listens` makes the line that says where, of the address."""
        settings = self.chosen(settings, **options)
        self._prepare(settings)
        server = importlib.import_module(self.server)  # now: its metrics look for their folder when they are imported
        self._announce(settings, listens, as_json)
        server.serve(settings)

    def chosen(self, settings: Settings, **options: str | int | None) -> Settings:
        """The settings with these `options`, and a free port. UsageError if others would need no key."""
        server: ServerSettings = getattr(settings, self.section)
        server = msgspec.structs.replace(
            server, **{name: value for name, value in options.items() if value is not None}
        )
        if not (getattr(server, f"{self.keys}_keys") or ports.is_loopback(server.host)):
            raise UsageError(
                f"{server.host} is open to others, and no {self.keys} keys are set. "
                f"Name sites and their keys in [{self.section}.{self.keys}_keys] of conf/, or listen on 127.0.0.1."
            )
        self._warn(server, settings.site)
        server = msgspec.structs.replace(server, port=ports.hold(server.host, server.port))
        if server.metrics_port:
            ports.free(server.metrics_host, server.metrics_port, f"{self.section}.metrics_port")
        return msgspec.structs.replace(settings, **{self.section: server})

    def _warn(self, server: ServerSettings, site: str) -> None:
        """Say on stderr where others could read what is secret, and which keys open nothing. UsageError for a file that is not there."""
        if not (ports.is_loopback(server.host) or server.tls_certificate):
            click.echo(
                f"nextclick: {server.host} is open to others, and what visitors do and secret keys travel there in clear: "
                f"set {self.section}.tls_certificate and tls_key, or stand behind a proxy (docs/deploy.md).",
                err=True,
            )
        for setting in (f"{self.keys}_keys_file", "tls_key", "tls_certificate"):
            file = getattr(server, setting)
            if not file:
                continue
            try:
                mode = Path(file).expanduser().stat().st_mode & 0o077
            except OSError as error:
                raise UsageError(
                    f"{self.section}.{setting} names {file}, which cannot be read: {error.strerror}."
                ) from error
            if mode and setting != "tls_certificate":
                click.echo(
                    f"nextclick: other accounts may use {file} ({self.section}.{setting}): `chmod 600` it.", err=True
                )
        for key, opens in getattr(server, "read_keys", {}).items():
            if opens.site != site:
                click.echo(
                    f"nextclick: the read key {masked(key)} is of site {opens.site!r}, and this lake serves {site!r}: it gets 403.",
                    err=True,
                )

    def _prepare(self, settings: Settings) -> None:
        """Make the lake, and an empty folder in which the workers count; before prometheus_client is imported.

        Who only answers does so from a lake that it may not write, too: then nothing is put on record.
        """
        counts = settings.lake.state / self.counts
        try:
            _make(settings.lake)
            shutil.rmtree(counts, ignore_errors=True)
            counts.mkdir()
            room = counts / "room"  # what each worker takes of the disk
            room.write_bytes(bytes(ROOM * getattr(settings, self.section).workers))
            room.unlink()
        except (LakeError, OSError) as error:
            if self.keys == "write" or not settings.lake.state.is_dir():
                if isinstance(error, LakeError):
                    raise
                raise LakeError(f"The lake {settings.lake.data} cannot be written: {error}") from error
            click.echo(
                f"nextclick: {settings.lake.data} cannot be written, so what is served is not put on record.", err=True
            )
            hand_down(settings, NEXTCLICK_SERVING__RECORD="false", **{COUNTS: mkdtemp(prefix="nextclick-")})
        else:
            hand_down(settings, **{COUNTS: str(counts)})

    def _announce(self, settings: Settings, listens: Callable[[str], str], as_json: bool) -> None:
        """Say where it listens once it answers; `listens` makes a line of the address."""
        from nextclick.web.process import when_it_answers

        server: ServerSettings = getattr(settings, self.section)
        address = f"{'https' if server.tls_certificate else 'http'}://{server.host}:{server.port}"

        def say() -> None:
            if as_json:
                print_json({"address": address})
            else:
                click.echo(listens(address), err=True)

        when_it_answers(address, say, server.workers)


def _make(lake: Lake) -> None:
    """Prepare the lake; one in an object store in a process apart, since the threads of obstore would not be there in forked workers."""
    if not lake.address:
        lake.prepare()
        return
    with ProcessPoolExecutor(1, get_context("fork")) as apart:
        apart.submit(lake.prepare).result()
