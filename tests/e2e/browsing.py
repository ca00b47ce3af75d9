"""A real Chromium, and pages on loopback for it to visit."""

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.npm import installed

_AXE = "axe-core@4.14.1"
_OPTIONS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu"]
"""Without a graphics card Chromium emulates one, for a third of its work."""
_TYPES = {"js": "text/javascript", "wav": "audio/wav"}


class Site:
    """Pages by path; a path that is not there is served as the page of its first folder: `/shop/…` as `/shop`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.pages: dict[str, bytes] = {}

    def put(self, path: str, content: str | bytes) -> str:
        """Serve `content` at `path`; its address."""
        self.pages[path] = content.encode() if isinstance(content, str) else content
        return self.address + path

    def find(self, path: str) -> bytes | None:
        return self.pages.get(path) or self.pages.get("/" + path.split("/")[1])


@contextmanager
def serving() -> Iterator[Site]:
    site: Site

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            content = site.find(path)
            self.send_response(404 if content is None else 200)
            self.send_header("content-type", _TYPES.get(path.rpartition(".")[2], "text/html; charset=utf-8"))
            self.send_header("content-length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield site
        server.shutdown()


@contextmanager
def chromium() -> Iterator[Callable[..., Any]]:
    """Opens pages, each in a profile of its own: `open(script="…")` runs the script before the page's own."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        contexts = []

        def open_page(script: str = "", **options: Any) -> Any:
            contexts.append(browser.new_context(**options))
            if script:
                contexts[-1].add_init_script(script)
            return contexts[-1].new_page()

        yield open_page
        browser.close()


def axe_source(cache: pytest.Cache) -> str:
    """axe-core, as a script."""
    return (installed(cache, _AXE) / "axe-core" / "axe.min.js").read_text()


def faults(page: Any, axe: str, *rules: str) -> list[str]:
    """What axe-core (its source) finds on a page that is open; of some rules alone where they are named."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    options: dict[str, Any] = {"resultTypes": ["violations"]}  # what passes is not gathered
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found = page.evaluate("options => axe.run(document, options)", options)
    return [f"{each['id']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]


def drawn(page: Any) -> None:
    """Waits for the dashboard's charts, until they move no more."""
    for chart in page.query_selector_all(".chart"):
        chart.wait_for_selector("svg")
    page.evaluate(_STILL)


_STILL = """() => new Promise((done) => {
    const shown = () => [...document.querySelectorAll(".chart svg")].map((each) => each.outerHTML).join();
    const look = (before) => { const now = shown(); now === before ? done() : setTimeout(look, 50, now); };
    requestAnimationFrame(() => look(null));
})"""


def faults_of_page(page: Any, axe: str, dark: bool = True) -> list[tuple[str, str]]:
    """What axe-core finds on a page of the dashboard that is drawn, everything unfolded; in the dark what colours may change."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
    found = [("light", fault) for fault in faults(page, axe)]
    if dark:
        page.emulate_media(color_scheme="dark")
        drawn(page)
        found += [("dark", fault) for fault in faults(page, axe, "color-contrast")]
        page.emulate_media(color_scheme="light")
    return found


def faults_of_pages(page: Any, addresses: Iterable[str], axe: str, dark: bool = True) -> list[tuple[str, str, str]]:
    """What axe-core finds on these pages of the dashboard, each opened once."""
    found = []
    for address in addresses:
        page.goto(address)
        drawn(page)
        found += [(address, *fault) for fault in faults_of_page(page, axe, dark)]
    return found
