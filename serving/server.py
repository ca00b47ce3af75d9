"""The API as a process: Granian around the door."""

from nextclick.settings import Settings, load
from nextclick.web import process
from serving.app import Door
from serving.engine import Engine
from serving.metrics import Metrics


def app(settings: Settings | None = None) -> Door:
    """The door of one worker; without `settings`, as the environment names them."""
    settings = settings or load()
    process.end_with_the_parent()
    metrics = Metrics()
    return Door(settings, Engine(settings, metrics), metrics)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight end first, within drain_seconds."""
    process.serve("serving.server:app", settings.serving)
