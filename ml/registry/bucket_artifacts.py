"""MLflow's files in an object store, asked as all else of ours is (nextclick/object_store/bucket.py): MLflow's own way wants boto3."""

import posixpath
from pathlib import Path
from typing import Any

from mlflow import MlflowException
from mlflow.entities import FileInfo
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact import artifact_repository_registry
from mlflow.store.artifact.artifact_repo import ArtifactRepository, verify_artifact_path

from nextclick.object_store import bucket


class BucketArtifacts(ArtifactRepository):
    """The files below `artifact_uri`, s3://BUCKET/KEY; paths are relative to it."""

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        verify_artifact_path(artifact_path)  # type: ignore[no-untyped-call]
        local = Path(local_file)
        bucket.put(self._at(artifact_path, local.name), local.read_bytes())

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        verify_artifact_path(artifact_path)  # type: ignore[no-untyped-call]
        for local in sorted(Path(local_dir).rglob("*")):
            if local.is_file():
                bucket.put(self._at(artifact_path, local.relative_to(local_dir).as_posix()), local.read_bytes())

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        listed = bucket.entries(self._at(path))
        return [FileInfo(posixpath.join(path or "", each.name), each.size is None, each.size) for each in listed]

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        stored = bucket.get(self._at(remote_file_path))
        if stored is None:
            raise MlflowException(f"{self._at(remote_file_path)} is not there.", RESOURCE_DOES_NOT_EXIST)
        Path(local_path).write_bytes(stored.content)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        bucket.remove(self._at(artifact_path))

    def _at(self, *path: str | None) -> str:
        return "/".join((self.artifact_uri.rstrip("/"), *filter(None, path)))


def register() -> None:
    """Let MLflow take this in this process for s3://."""
    known: Any = artifact_repository_registry._artifact_repository_registry
    known.register("s3", BucketArtifacts)
