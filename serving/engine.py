"""What answers are made with, one worker's: the lists, the stores, the bandits, the record. Every answer is of one index."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from nextclick import kv
from nextclick.contracts.events import somebody
from nextclick.ctr import TERMS, Term
from nextclick.profile.live_features import open_session
from nextclick.profile.profile import Action
from nextclick.settings import RuleSettings, Settings
from serving.bandits.live import Bandits, banners
from serving.experiments import assignment
from serving.experiments.assignment import NONE_ASSIGNED, Assignments
from serving.index.index import ServingIndex
from serving.index.refresh import IndexRefresher
from serving.index.session_answers import SessionModels
from serving.metrics import ServingMetrics
from serving.next_best_action import actions
from serving.next_best_action.live import NextBestActions
from serving.ranking import audiences
from serving.ranking.audiences import rules_for
from serving.ranking.rank import By, Order
from serving.ranking.visitor import Known, VisitorLookup, Who
from serving.schema import responses
from serving.served_log import open_record


class AnswerContext(NamedTuple):
    """Who asks, when, and from what they are answered."""

    settings: Settings
    serving_index: ServingIndex
    who: Who
    known: Known
    now: int
    """Milliseconds since 1970-01-01 UTC."""
    assigned: Assignments

    def order(self, by: By = "score") -> Order:
        """How lists are ordered, as experiments have it."""
        return Order(self.settings.ranking, self.now, _weights(self.assigned.params), by)

    def rules(self) -> RuleSettings:
        """The rules of conf/ for who asks."""
        return rules_for(self.settings.ranking, self.known.audiences)

    def method(self) -> str | None:
        """The bandit's method that an experiment chooses."""
        method = self.assigned.params.get("bandits.method")
        return method if isinstance(method, str) else None

    def session(self) -> tuple[Action, ...]:
        """The actions of the session that is open now, the newest first."""
        return open_session(self.known.profile.actions, self.now, self.settings.sessions.gap_ms_for(self.who.site))


class Engine:
    """One worker's; `start` it before the first question. The functions of serving/answers/ answer with it."""

    def __init__(self, settings: Settings, metrics: ServingMetrics) -> None:
        self.settings = settings
        self._nobody = settings.events.nobody_words
        self.metrics = metrics
        shown = banners(settings.conf_dir / "banners.toml")
        self.bandits = Bandits(settings.lake, settings.bandits, shown)
        self.next_best = NextBestActions(settings, actions.load(settings.conf_dir))
        self._experiments = assignment.load(settings.conf_dir / "experiments")
        for_audiences = [
            *((f"The banner {one.id}", one.audience) for one in shown),
            *((f"The action {one.id}", one.audience) for one in self.next_best.site.actions),
            *((f"The experiment {one.name}", one.audience) for one in self._experiments),
            *(("A rule of [ranking.audience_rules]", name) for name in settings.ranking.audience_rules),
        ]
        audiences.require(settings, for_audiences)
        self._refresher = IndexRefresher(
            kv.open_table(settings), settings.serving.refresh_seconds, self._after_look, SessionModels(settings)
        )
        self.visitors = VisitorLookup(settings, metrics)
        self.recorder = open_record(settings, metrics)

    def start(self) -> None:
        """Read the lists, and follow what changes."""
        self._refresher.start()
        self.recorder.start()

    def close(self) -> None:
        """Write what was served and let go of the stores."""
        self.recorder.close()
        self._refresher.stop()
        self.visitors.close()

    def _after_look(self) -> None:
        self.metrics.version.set(self.ready().version or 0)
        self.bandits.refresh()
        self.next_best.refresh()

    def ready(self) -> responses.Ready:
        """Whether there are lists to answer from."""
        index = self._refresher.current
        status: Any = "ready" if index else "no lists"
        return responses.Ready(
            status=status, version=index.version if index else None, degraded=not self._refresher.reachable
        )

    async def context(self, site: str, visitor_id: str | None, user_id: str | None) -> AnswerContext | None:
        """None before the first export."""
        index, now = self._refresher.current, now_ms()
        if index is None:
            return None
        who = Who(site, *somebody(visitor_id, user_id, self._nobody))
        known = await self.visitors.known(index, who, now)
        return AnswerContext(self.settings, index, who, known, now, self._assigned(who, known, now))

    def _assigned(self, who: Who, known: Known, now: int) -> Assignments:
        if not self._experiments:
            return NONE_ASSIGNED
        at = datetime.fromtimestamp(now / 1000, UTC)
        return assignment.assign(self._experiments, who.site, who.visitor_id, who.user_id, at, known.audiences)


def now_ms() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def _weights(params: Mapping[str, object]) -> dict[Term, float]:
    """By term the weight that an experiment sets."""
    values = {term: params.get(f"ranking.weight_{term}") for term in TERMS} if params else {}
    return {term: float(value) for term, value in values.items() if isinstance(value, int | float)}
