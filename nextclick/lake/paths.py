"""Where everything of one lake lies: in a local folder, or in an object store and a local folder beside it."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from nextclick.errors import LakeError, UsageError
from nextclick.object_store import bucket

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/+(?!$)")
_WORD: Final = r"(?!\.\.?(?:/|$))[A-Za-z0-9._=-]+"
_BUCKET: Final = re.compile(rf"s3a?://(?P<bucket>[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9])/(?P<key>{_WORD}(?:/{_WORD})*)/*")
"""Keys of plain signs alone: each client of S3 has its own way to write the others down."""
_UNREADABLE: Final = re.compile(r"[\x00-\x1f\x7f\[\]\\^|]|%[0-9A-Fa-f]{2}")
"""deltalake 1.6.6 panics at [ ] ^ |, reads another folder for \\ and for %20, and refuses control characters, also behind a
link, a relative path or /proc/self/fd, which it resolves, and as a percent-encoded address; a bind mount it does not see through.
"""


@dataclass(frozen=True)
class ModelStore:
    """Where MLflow keeps runs and models, where that is not in files of this machine."""

    uri: str = field(default="", repr=False)
    """SQLAlchemy's address of a database, or an MLflow server's; either may hold a password."""
    artifacts: str = ""
    """URI of the folder of models' files; empty: beside what the lake shares, or where the server keeps them."""

    @property
    def is_server(self) -> bool:
        return self.uri.startswith("http")


@dataclass(frozen=True)
class Lake:
    """Where the parts of one lake are; nothing is created before `prepare`.

    Tables, and what every machine that works on the lake must see, have addresses (text): nextclick/lake/delta.py,
    spark_jobs/tables.py and nextclick/lake/files.py open them. What one machine needs for itself lies in folders.
    """

    root: Path
    """The local folder: the lake, or beside a lake in an object store what this machine needs for itself."""
    address: str = ""
    """s3://BUCKET/KEY of a lake in an object store."""
    ships: bool = False
    """What is published in the logs of this machine is shipped into the store, where bronze reads it (`streaming.source = "bucket"`)."""
    models: ModelStore = ModelStore()

    @property
    def data(self) -> str:
        """The address of everything that is shared: tables lie below it. `lake_at` finds the lake by it."""
        return self.address or str(self.root)

    @property
    def shared(self) -> str:
        """Address of the small files that are shared: checkpoints, models, what bandits learned, keys."""
        return f"{self.data}/_state"

    @property
    def landing(self) -> Path:
        """Segments of accepted events, immutable."""
        return self.root / "landing"

    @property
    def quarantine(self) -> Path:
        """Segments of rejects: what the door could not accept."""
        return self.root / "quarantine"

    @property
    def outbox(self) -> Path:
        """Where Kafka stands before bronze: `landing` and `quarantine` of imports and replays, on their way to the topics."""
        return self.root / "outbox"

    def log(self, name: str) -> str:
        """Address of the published segments of `landing` or `quarantine`, as bronze reads them."""
        return f"{self.address if self.ships else self.root}/{name}"

    @property
    def state(self) -> Path:
        """What this machine needs for itself: locks, MLflow's and Dagster's files, the embedded key-value table, scratch."""
        return self.root / "_state"

    @property
    def locks(self) -> str:
        """Address of the locks of what all machines write: tables, models."""
        return f"{self.shared}/locks"

    @property
    def own_locks(self) -> str:
        """Those of what lies on this machine alone: its landing log, its key-value table, its pages."""
        return str(self.state / "locks")

    @property
    def kv(self) -> Path:
        return self.state / "kv"

    @property
    def imports(self) -> Path:
        """The journal of imports, one file a transaction."""
        return self.state / "imports"

    @property
    def rates(self) -> Path:
        """How often each key of a server asks, counted by the workers of this machine together."""
        return self.state / "rates"

    def database(self, name: str) -> str:
        """SQLAlchemy's address of a SQLite database of this machine, percent-encoded, since Optuna takes it for a template.

        With the driver, since MLflow makes the folder of one without, and does not decode its name.
        """
        return f"sqlite+pysqlite:///{quote(str(self.state / f'{name}.db'))}"

    @property
    def mlflow_uri(self) -> str:
        return self.models.uri or self.database("mlflow")

    @property
    def mlflow_artifacts(self) -> str:
        """URI of the folder of models' files; empty: an MLflow server has its own."""
        if self.models.artifacts or self.models.is_server:
            return self.models.artifacts
        folder = f"{self.shared if self.models.uri else self.state}/mlartifacts"
        return folder if bucket.holds(folder) else Path(folder).as_uri()

    @property
    def dagster_home(self) -> Path:
        return self.state / "dagster"

    def checkpoint(self, job: str) -> str:
        """Address of a job's place in its sources."""
        return f"{self.shared}/checkpoints/{job}"

    def table(self, name: str) -> str:
        """Address of a table by its catalog name: `silver.events` → `silver/events`."""
        return f"{self.data}/{name.replace('.', '/', 1)}"

    def prepare(self) -> None:
        """Create the folders that every station expects; a lake that cannot be written, or reached, says so.

        What visitors did is in them: none but their owner may look into a lake that is made here.
        """
        try:
            for folder in (self.root, self.landing, self.quarantine, self.state, Path(self.own_locks), self.imports):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(
                f"The lake {self.root} cannot be written: {error.strerror} ({error.filename}). "
                "Choose another folder with --lake, or mend its permissions."
            ) from error
        if self.address:
            bucket.names(self.data)


def make_private(folder: Path) -> None:
    """Make a folder of a lake, and what is missing above it, which may be the lake: none but their owner may look into them."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def literal(path: str | Path) -> str:
    """For readers of Spark that take a path for a pattern: one that stands for itself."""
    return re.sub(r"[{}*?]", r"\\\g<0>", str(path))


def open_to_others(lake: Lake) -> str | None:
    """What to do about a lake that other accounts of this machine may look into; None where they may not."""
    try:
        mode = lake.root.stat().st_mode & 0o777
    except OSError:
        return None
    if not mode & 0o077:
        return None
    return f"other accounts may look into {lake.root} (mode {mode:04o}): `chmod 700 {shlex.quote(str(lake.root))}`"


def model_store(uri: str, artifacts: str, endpoint: bucket.Endpoint) -> ModelStore:
    """As `[mlflow]` says it; a bucket is asked for at `endpoint`. UsageError for artifacts that are in no folder and no bucket."""
    uri = re.sub(r"^postgresql://", "postgresql+psycopg://", uri)
    if match := _BUCKET.fullmatch(artifacts):
        artifacts = f"{bucket.SCHEME}{match['bucket']}/{match['key']}"
        bucket.reach(artifacts, endpoint)
    elif artifacts.startswith("/"):
        artifacts = Path(artifacts).as_uri()
    elif artifacts:
        raise UsageError(
            f"mlflow.artifacts is {artifacts}: name a bucket, s3://BUCKET/KEY with a key of letters, digits and . _ = - /, or a "
            "folder by its whole path, /srv/models."
        )
    return ModelStore(uri, artifacts)


def lake_at(
    path: str | Path,
    endpoint: bucket.Endpoint | None = None,
    beside: str | Path = "~/.local/state/nextclick",
    ships: bool = False,
) -> Lake:
    """The lake in a local folder, or at an address of an object store, which is asked for at `endpoint`.

    What a machine needs for itself of the latter lies in a folder below `beside`; `ships`: but for its logs. UsageError for any
    other address, for a folder whose name Delta's readers cannot hold, and for one that ships.
    """
    if match := _BUCKET.fullmatch(str(path)):
        address = f"{bucket.SCHEME}{match['bucket']}/{match['key']}"
        bucket.reach(address, endpoint or bucket.Endpoint())
        return Lake(Path(beside).expanduser().resolve() / match["bucket"] / match["key"], address, ships)
    if _ADDRESS.match(str(path)):
        raise UsageError(
            f"The lake {path} is an address. A lake lies in a local folder: name one with --lake DIR; or in an object store: "
            "--lake s3://BUCKET/KEY, with a key of letters, digits and . _ = - /."
        )
    if ships:
        raise UsageError(
            f"streaming.source is bucket, and the lake {path} lies on a disk. Take a lake in an object store (--lake s3://BUCKET/KEY), "
            "or streaming.source = landing."
        )
    root = Path(path).expanduser().resolve()
    if match := _UNREADABLE.search(str(root)):
        raise UsageError(
            f"The lake {root} has {match[0]!r} in its path, which readers of Delta tables take for a part of an "
            "address: they would find another folder, or none. Choose a folder without [ ] \\ ^ | and without % before "
            "two hexadecimal digits (blanks, other signs and letters of any language are fine), or bind this one to another "
            "name: mount --bind."
        )
    return Lake(root)
