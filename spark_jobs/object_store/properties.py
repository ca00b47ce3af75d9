"""What a session is told of an object store: S3A's dialect of the settings of `[storage]`."""

from nextclick.settings import StorageSettings

_S3A = "spark.hadoop.fs.s3a"


def of(storage: StorageSettings) -> dict[str, str]:
    """How Spark finds, and writes to, a lake in an object store: by the address that everybody else has for it.

    Credentials are the environment's or the role's, which Hadoop's own chain finds.
    """
    chosen = {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A",
        "spark.delta.logStore.s3.impl": "nextclick.storage.ConditionalLogStore",
        "spark.sql.streaming.checkpointFileManagerClass": "nextclick.storage.ConditionalCheckpointFileManager",
        f"{_S3A}.endpoint.region": storage.region,
    }
    if storage.endpoint:
        chosen |= {
            f"{_S3A}.endpoint": storage.endpoint,
            f"{_S3A}.path.style.access": "true",
            f"{_S3A}.connection.ssl.enabled": str(storage.endpoint.startswith("https://")).lower(),
        }
    return chosen
