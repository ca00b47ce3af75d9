"""The Dagster page, its daemon and the MLflow page, on loopback, until stopped."""

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
from nextclick.errors import NextclickError, SetupError
from nextclick.settings import CHECKOUT, Settings, environment
from orchestration import dagster_home

HOST = "127.0.0.1"
_START_SECONDS = 120.0
_STOP_SECONDS = 15.0


class Page(NamedTuple):
    """A server that shows one page, and how it is started."""

    name: str
    port: int
    command: tuple[str, ...]
    log: Path

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"


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
    pages = _pages(settings, port, mlflow_port)
    with ExitStack() as stack:
        running = [(page, stack.enter_context(_running(settings, page))) for page in pages]
        for page, process in running:
            _wait_until_it_answers(page, process, stop)
        if not stop.is_set():
            announce(pages)
        while not stop.wait(0.5):
            for page, process in running:
                _require_alive(page, process)


def _pages(settings: Settings, port: int | None, mlflow_port: int | None) -> tuple[Page, Page]:
    lake, chosen = settings.lake, settings.orchestration
    ui = ports.free(HOST, chosen.ui_port if port is None else port, "--port")
    tracking = ports.free(HOST, chosen.mlflow_port if mlflow_port is None else mlflow_port, "--mlflow-port")
    programs = Path(sys.executable).parent
    dagster = (str(programs / "dagster"), "dev", "-m", "orchestration.definitions", "-h", HOST, "-p", str(ui))
    store = ("--backend-store-uri", lake.mlflow_uri, "--default-artifact-root", lake.mlflow_artifacts.as_uri())
    mlflow = (str(programs / "mlflow"), "server", *store, "--host", HOST, "--port", str(tracking), "--workers", "1")
    return (
        Page("Dagster", ui, dagster, dagster_home.prepare(lake) / "up.log"),
        Page("MLflow", tracking, mlflow, lake.state / "mlflow.log"),
    )


@contextmanager
def _running(settings: Settings, page: Page) -> Iterator[subprocess.Popen[bytes]]:
    """The server as a process group of its own, so that all that it starts ends with it."""
    surroundings = environment(
        settings,
        DAGSTER_HOME=str(settings.lake.dagster_home),
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",  # jobs of language models: processes that nothing here needs
        PYTHONUNBUFFERED="1",
    )
    with page.log.open("wb") as log:
        process = subprocess.Popen(
            page.command, cwd=CHECKOUT, env=surroundings, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
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
    while not stop.wait(0.2):
        _require_alive(page, process)
        try:
            urllib.request.urlopen(page.address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise SetupError(f"{page.name} did not answer within {_START_SECONDS:.0f} s. {_log(page)}") from None


def _require_alive(page: Page, process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise NextclickError(f"{page.name} ended with code {process.returncode}. {_log(page)}")


def _log(page: Page) -> str:
    lines = page.log.read_text(errors="replace").splitlines()
    return "\n".join([f"The end of its log, {page.log}:", *lines[-15:]])
