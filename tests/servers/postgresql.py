"""A real PostgreSQL of the tests' own: as its own user, on a free port of loopback, with a password."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nextclick import ports

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or sorted(Path("/usr/pgsql").glob("bin/initdb"))
_QUICK = ("fsync=off", "shared_buffers=64MB", "max_wal_size=2GB")


def missing() -> str:
    """Why no server can be started here; empty if one can."""
    if not _BINARIES:
        return "there is no initdb below /usr/lib/postgresql: `apt-get install postgresql` brings it"
    if os.geteuid() == 0 and not _account():
        return "initdb refuses root, and there is no user postgres"
    return ""


def _account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


class PostgreSQL:
    """A server with one database, `bi`, of the user `shop`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port, self.password = folder, port, secrets.token_hex(16)
        self.address = f"postgresql://shop@127.0.0.1:{port}/bi"

    def run(self, program: str, *words: str) -> None:
        """A program of PostgreSQL's, as the user who may."""
        account = _account() if os.geteuid() == 0 else None
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        command = [str(_BINARIES[-1].parent / program), *words]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, **who)  # type: ignore[call-overload]

    def psql(self, query: str, user: str = "shop", database: str = "bi") -> str:
        """What the real psql prints of a query, or of a script of several lines, unaligned."""
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", user, "-d", database]
        command = [str(_BINARIES[-1].parent / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", *place]
        done = subprocess.run(command, input=query, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PGPASSWORD": self.password}


@contextmanager
def running() -> Iterator[PostgreSQL]:
    """A server; nothing is left of it. Its folder is not pytest's, which only root may enter."""
    folder = Path(tempfile.mkdtemp(prefix="nextclick-postgresql-"))
    try:
        if os.geteuid() == 0 and (account := _account()):
            os.chown(folder, account.pw_uid, account.pw_gid)
        server = PostgreSQL(folder, ports.free("127.0.0.1", 0))
        (folder / "password").write_text(server.password)
        (folder / "password").chmod(0o644)
        data = str(folder / "data")
        server.run(
            "initdb",
            "-D",
            data,
            "-U",
            "shop",
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(folder / "password"),
            "-N",
            "--no-locale",
            "-E",
            "UTF8",
        )
        settings = " ".join(
            f"-c {each}"
            for each in (
                *_QUICK,
                f"port={server.port}",
                "listen_addresses=127.0.0.1",
                f"unix_socket_directories={folder}",
            )
        )
        server.run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", settings, "start")
        try:
            subprocess.run(
                [str(_BINARIES[-1].parent / "createdb"), "-h", "127.0.0.1", "-p", str(server.port), "-U", "shop", "bi"],
                env=server.environment,
                check=True,
            )
            yield server
        finally:
            server.run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
