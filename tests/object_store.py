"""A real object store of the tests' own: gofakes3, in memory, on a free port of loopback. Its conditional writes are honest."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from nextclick.settings import CHECKOUT
from tests.wait import listens

BUCKET: Final = "lakes"
CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test1234"}
_PLACES: Final = os.pathsep.join((str(CHECKOUT / ".jars" / "bin"), os.environ.get("PATH", "")))


def missing() -> str:
    """Why no store can be started here; empty if one can."""
    if not shutil.which("gofakes3", path=_PLACES):
        return "gofakes3 is not here: `make store`, which needs Go 1.24, builds it"
    try:
        import obstore  # noqa: F401
    except ImportError:
        return "obstore is not installed: `make extras`"
    return ""


class Store:
    """A store that runs; what is in it goes with its process."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        command = [
            str(shutil.which("gofakes3", path=_PLACES)),
            "-backend",
            "memory",
            "-initialbucket",
            BUCKET,
            "-quiet",
        ]
        self._process = subprocess.Popen(
            [*command, "-host", f"127.0.0.1:{self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while not listens(self.port):
            assert self._process.poll() is None
            assert time.monotonic() < deadline, "gofakes3 does not listen"
            time.sleep(0.02)

    def lake(self, name: str) -> str:
        """The address of a lake."""
        return f"s3://{BUCKET}/{name}"

    def environment(self, beside: object) -> Mapping[str, str]:
        """For `settings.load` and for child processes: this store, and `beside` for what a machine needs for itself."""
        return {"NEXTCLICK_STORAGE__ENDPOINT": self.endpoint, "NEXTCLICK_STORAGE__BESIDE": str(beside), **CREDENTIALS}

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def running() -> Iterator[Store]:
    """A store, and credentials for it in the environment."""
    before = dict(os.environ)
    os.environ.update(CREDENTIALS)
    store = Store()
    try:
        yield store
    finally:
        store.end()
        os.environ.clear()
        os.environ.update(before)


class LosingProxy:
    """A way to a store, in a process of its own, that loses the first reply to a PUT of each object below `folder`: what was
    done is not told."""

    def __init__(self, store: Store, folder: str) -> None:
        words = [sys.executable, "-m", "tests.object_store", str(store.port), folder]
        self._process = subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.endpoint = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"

    def end(self) -> list[str]:
        """End it; the objects whose replies were lost."""
        self._process.kill()  # what it said is flushed
        return self._process.communicate(timeout=20)[0].split()


def _lose_replies(port: int, folder: str) -> None:
    lost = set[str]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            line = HTTPConnection("127.0.0.1", port, timeout=20)
            line.request(self.command, self.path, body, dict(self.headers))
            reply = line.getresponse()
            content = reply.read()
            if self.command == "PUT" and folder in self.path and self.path not in lost:
                lost.add(self.path)
                sys.stdout.write(f"{self.path}\n")
                sys.stdout.flush()
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(reply.status)
            for name, value in reply.getheaders():
                if name.lower() not in ("transfer-encoding", "date", "server", "connection"):
                    self.send_header(name, value)
            if reply.getheader("Content-Length") is None:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on  # noqa: N815

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    _lose_replies(int(sys.argv[1]), sys.argv[2])
