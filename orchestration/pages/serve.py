"""The Dagster page, its daemon and the MLflow page, on loopback, behind a token (nextclick/web/guard.py), until stopped."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from nextclick import ports
from nextclick.errors import NextclickError, SetupError, TableBusy
from nextclick.lake import locks
from nextclick.settings import CHECKOUT, Settings, environment
from nextclick.web import guard
from nextclick.web.guard import HOST
from nextclick.web.process import end_with_the_parent
from orchestration import dagster_home
from orchestration.pages import lost_runs

_START_SECONDS = 120.0
_STOP_SECONDS = 15.0


class Server(NamedTuple):
    """A process, how it is started, and where its log goes."""

    name: str
    command: tuple[str, ...]
    log: Path


class Page(NamedTuple):
    """What a server shows to whoever brings the token."""

    server: Server
    port: int
    token: str

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def link(self) -> str:
        """Opens the page in a browser, which keeps the token."""
        return f"{self.address}/?token={self.token}"


def serve_pages(
    settings: Settings, port: int | None, mlflow_port: int | None, announce: Callable[[Sequence[Page]], None]
) -> None:
    """Start both pages, `announce` them once they answer, and stay until SIGINT or SIGTERM.

    A port of None is the setting's, 0 any free one. Raises NextclickError with the end of its log if one of them ends.
    """
    settings.lake.prepare()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        if who := locks.holder(settings.lake.own_locks, "up"):
            raise TableBusy(f"The pages of {settings.lake.data} are served by {who}. Stop it, or use its links.")
        stack.enter_context(locks.hold(settings.lake.own_locks, "up", purpose="up"))
        home = dagster_home.prepare(settings.lake)
        lost_runs.end_lost_runs(home)
        daemon, pages = _servers(settings, home, port, mlflow_port)
        running = [
            (server, stack.enter_context(_running(settings, home, server)))
            for server in (daemon, *(page.server for page in pages))
        ]
        for page, (_, process) in zip(pages, running[1:], strict=True):
            _wait_until_it_answers(page, process, stop)
        if not stop.is_set():
            announce(pages)
        while not stop.wait(0.5):
            for server, process in running:
                _require_alive(server, process)


def _servers(settings: Settings, home: Path, port: int | None, mlflow_port: int | None) -> tuple[Server, list[Page]]:
    """The daemon, and the pages; MLflow's is none of ours where a server of its own has it."""
    lake, chosen = settings.lake, settings.orchestration
    ui = ports.free(HOST, chosen.ui_port if port is None else port, "--port")
    tracking = ports.free(HOST, chosen.mlflow_port if mlflow_port is None else mlflow_port, "--mlflow-port")
    token, python = guard.new_token(), (sys.executable, "-m")
    guard.store_token(lake, token)
    daemon = (*python, "dagster._daemon", "run", "-m", "orchestration.definitions")
    dagster = (*python, "orchestration.pages.dagster_page", str(ui))
    mlflow = (*python, "orchestration.pages.mlflow_page", str(tracking))
    pages = [Page(Server("Dagster", dagster, home / "up.log"), ui, token)]
    if not lake.models.is_server:
        pages.append(Page(Server("MLflow", mlflow, lake.state / "mlflow.log"), tracking, token))
    return Server("Dagster's daemon", daemon, home / "daemon.log"), pages


@contextmanager
def _running(settings: Settings, home: Path, server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """The server as a process group of its own, so that all that it starts ends with it."""
    surroundings = environment(
        settings,
        DAGSTER_HOME=str(home),
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",  # jobs of language models: processes that nothing here needs
        PYTHONUNBUFFERED="1",
    )
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            server.command,
            cwd=CHECKOUT,
            env=surroundings,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_the_parent,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the group to end, then make it; a grandchild may outlive its parent."""
    deadline = time.monotonic() + _STOP_SECONDS
    _signal(process.pid, signal.SIGTERM)
    while _signal(process.pid, 0) and time.monotonic() < deadline:
        process.poll()
        time.sleep(0.1)
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def _signal(group: int, number: int) -> bool:
    """Whether there was anybody in the group to receive it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _wait_until_it_answers(page: Page, process: subprocess.Popen[bytes], stop: threading.Event) -> None:
    deadline = time.monotonic() + _START_SECONDS
    question = urllib.request.Request(page.address, headers={"Authorization": f"Bearer {page.token}"})
    while not stop.wait(0.2):
        _require_alive(page.server, process)
        try:
            urllib.request.urlopen(question, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise SetupError(
                    f"{page.server.name} did not answer within {_START_SECONDS:.0f} s. {_log(page.server)}"
                ) from None


def _require_alive(server: Server, process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise NextclickError(f"{server.name} ended with code {process.returncode}. {_log(server)}")


def _log(server: Server) -> str:
    lines = server.log.read_text(errors="replace").splitlines()
    return "\n".join([f"The end of its log, {server.log}:", *lines[-15:]])
