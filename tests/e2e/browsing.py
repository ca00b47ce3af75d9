"""A real Chromium, and pages on loopback for it to visit."""

import shutil
import threading
import time
from collections import defaultdict
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
_SHOWN: dict[str, Any] = {
    "viewport": {"width": 1280, "height": 720},
    "color_scheme": "light",
    "reduced_motion": "no-preference",
}
"""Options that any page can be changed to."""
_PRETENDED = {
    "timezone_id": ("Emulation.setTimezoneOverride", "timezoneId"),
    "user_agent": ("Emulation.setUserAgentOverride", "userAgent"),
}
"""Further ones, by how Chromium is told; with nothing it is itself again."""
_TYPES = {"js": "text/javascript", "wav": "audio/wav"}

Open = Callable[..., Any]
"""`open(script="", **options)`: a page; the options are those of Playwright's new_context."""
Options = tuple[tuple[str, Any], ...]


class Site:
    """Pages by path; a path that is not there is served as the page of its first folder: `/shop/…` as `/shop`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.pages: dict[str, bytes] = {}
        self.slow: set[str] = set()
        """Pages that come in two halves."""

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
            body = content or b""
            half = len(body) // 2 if path in site.slow else 0
            self.wfile.write(body[:half])
            if half:
                time.sleep(0.3)
            self.wfile.write(body[half:])

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield site
        server.shutdown()


class Browser:
    """A Chromium that opens pages, each in a profile of its own.

    A new profile costs a second of processor. So a page that was lent is lent again to who asks for the same options, with nothing left
    in it.
    """

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._free = defaultdict[Options, list[LentPage]](list)

    def open(self, script: str = "", **options: Any) -> Any:
        """A page for good; `script` runs before those of what is opened in it."""
        return self._page(script, options).page

    @contextmanager
    def lending(self) -> Iterator[Open]:
        """Opens pages until the body ends."""
        lent: list[LentPage] = []

        def open_page(script: str = "", **options: Any) -> Any:
            lent.append(self._page(script, options))
            return lent[-1].page

        yield open_page
        for each in lent:
            if not each.page.is_closed():
                each.empty()
                self._free[each.options].append(each)

    def _page(self, script: str, options: dict[str, Any]) -> "LentPage":
        shown = {name: options.pop(name, usual) for name, usual in _SHOWN.items()}
        pretended = {name: options.pop(name) for name in _PRETENDED if name in options}
        key = tuple(sorted(options.items()))
        free = self._free[key]
        lent = free.pop() if free else LentPage(self._browser.new_context(**options).new_page(), key)
        lent.page.set_viewport_size(shown.pop("viewport"))
        lent.page.emulate_media(**shown)
        lent.pretend(pretended)
        if script:
            lent.run_first(script)
        return lent


class LentPage:
    """A page, the options of its profile, and what has to be undone before another has it."""

    def __init__(self, page: Any, options: Options) -> None:
        self.page, self.options = page, options
        self._session = page.context.new_cdp_session(page)
        self._session.send("Page.enable")
        self._scripts = list[str]()
        self._pretended = set[str]()
        self._origins = set[tuple[str, str]]()
        page.on("framenavigated", lambda frame: self._origins.add(urlsplit(frame.url)[:2]))

    def pretend(self, said: dict[str, str]) -> None:
        """Say so of the browser and its place, and nothing of what was pretended before."""
        for name in {*said} | self._pretended:
            call, parameter = _PRETENDED[name]
            self._session.send(call, {parameter: said.get(name, "")})
        self._pretended = {*said}

    def run_first(self, script: str) -> None:
        added = self._session.send("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        self._scripts.append(added["identifier"])

    def empty(self) -> None:
        self.page.goto("about:blank")
        self.page.context.clear_cookies()
        for scheme, host in self._origins:
            if host:
                wanted = {"origin": f"{scheme}://{host}", "storageTypes": "all"}
                self._session.send("Storage.clearDataForOrigin", wanted)
        for script in self._scripts:
            self._session.send("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})
        self._origins.clear()
        self._scripts.clear()


@contextmanager
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        yield Browser(browser)
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
