"""Where everything of one lake lies on disk."""

from dataclasses import dataclass
from pathlib import Path

from nextclick.errors import LakeError


@dataclass(frozen=True)
class Lake:
    """The folders of one lake; nothing is created before `prepare`."""

    root: Path

    @property
    def landing(self) -> Path:
        """Segments of accepted events, immutable."""
        return self.root / "landing"

    @property
    def quarantine(self) -> Path:
        """Segments of rejects: what the door could not accept."""
        return self.root / "quarantine"

    @property
    def state(self) -> Path:
        """Everything that is not data: checkpoints, locks, MLflow, Dagster, key-value table."""
        return self.root / "_state"

    @property
    def locks(self) -> Path:
        return self.state / "locks"

    @property
    def kv(self) -> Path:
        return self.state / "kv"

    @property
    def imports(self) -> Path:
        """The journal of imports, one file a transaction."""
        return self.state / "imports"

    @property
    def mlflow_uri(self) -> str:
        return f"sqlite:///{self.state / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> Path:
        return self.state / "mlartifacts"

    @property
    def dagster_home(self) -> Path:
        return self.state / "dagster"

    def checkpoint(self, job: str) -> Path:
        return self.state / "checkpoints" / job

    def table(self, name: str) -> Path:
        """The folder of a table by its catalog name: `silver.events` → `silver/events`."""
        layer, _, table = name.partition(".")
        return self.root / layer / table

    def prepare(self) -> None:
        """Create the folders that every station expects; a lake that cannot be written says so."""
        try:
            for folder in (self.landing, self.quarantine, self.locks, self.imports):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(
                f"The lake {self.root} cannot be written: {error.strerror} ({error.filename}). "
                "Choose another folder with --lake, or mend its permissions."
            ) from error


def lake_at(path: str | Path) -> Lake:
    return Lake(Path(path).expanduser().resolve())
