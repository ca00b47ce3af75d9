"""The API as a process: Granian around the app."""

from threadpoolctl import threadpool_limits

from nextclick.audiences import definitions as audiences
from nextclick.settings import Settings, load
from nextclick.web import operators, process
from serving.api.app import FOR_OPERATORS, ApiApp
from serving.engine import Engine
from serving.metrics import ServingMetrics
from serving.next_best_action import actions


def app(settings: Settings | None = None) -> ApiApp:
    """The app of one worker; without `settings`, as the environment names them."""
    settings = settings or load()
    process.end_with_the_parent()
    operators.take_room()
    threadpool_limits(1, "blas")  # a worker is one core's: what threads of its own would win, other workers lose
    metrics = ServingMetrics()
    return ApiApp(settings, Engine(settings, metrics), metrics)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight end first, within drain_seconds."""
    # What is wrong in conf/ is said here and not in each worker, which would be started again and again.
    audiences.load(settings.conf_dir / "audiences")
    actions.load(settings.conf_dir)
    operators.start(FOR_OPERATORS, settings.serving)
    process.serve("serving.api.server:app", settings.serving)
