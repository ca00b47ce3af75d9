"""Nightly training (thin: fit on everything, no gate yet)."""

import time

from ml import champion, interactions
from ml.artifact import Artifact, Card
from ml.champion import Model, Standing
from ml.models.als import Als
from ml.models.popular import Popular
from ml.models.protocol import Progress, quiet
from nextclick.report import JobReport
from nextclick.settings import Settings


def run(settings: Settings, progress: Progress = quiet) -> JobReport:
    started = time.monotonic()
    pairs, source = interactions.read(settings)
    als = settings.als
    recipe = Als(
        factors=als.factors, iterations=als.iterations, regularization=als.regularization, alpha=als.alpha,
        seed=als.seed, half_life_days=settings.interactions.half_life_days,
    )  # fmt: skip
    popular = Popular(half_life_days=settings.interactions.half_life_days)
    card = Card(
        recipe=recipe, popular=popular, site=settings.site, source=source, as_of=pairs.as_of,
        people=len(pairs.people), items=len(pairs.items),
    )  # fmt: skip
    model = recipe.fit(pairs, als.threads, progress)
    artifact = Artifact(card, model, popular.fit(pairs), pairs.people, pairs.items, pairs.seen)
    folder = settings.lake.state / "model" / "candidate"
    digest = artifact.save(folder)
    served = Model(
        version="1", run_id=None, recipe=recipe, metrics={}, interactions_version=source.version,
        interactions_id=source.table_id, as_of=pairs.as_of, artifact="model/candidate", digest=digest,
    )  # fmt: skip
    champion.write(settings.lake, Standing(champion=served))
    return JobReport(job="train", read=len(pairs), written=1, seconds=time.monotonic() - started)
