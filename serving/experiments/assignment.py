"""Experiments: which variant a visitor or user gets, by a salted hash alone, so it never changes and nothing is stored.

    conf/experiments/*.toml ─► load ─► assign(site, visitor, user, now) ─► variant and its parameters

Experiments of one layer exclude each other: each has its own part of the layer's units (`traffic`).
Layers are independent of each other, as are the variants of each experiment (Tang et al. 2010).
A share `holdout` of units is kept out: the same units of a site for all its experiments.
docs/experiments.md teaches the form.
"""

from collections.abc import Container, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, combinations
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from nextclick.audiences.places import place
from nextclick.conf_files import Form
from nextclick.errors import ExperimentError

FORM: Final = Form("experiment", "docs/experiments.md", ExperimentError)
HOLDOUT = "holdout"
"""The variant of units that are kept out: it has no parameters."""
Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Value = str | int | float | bool


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the ways that are compared."""

    name: Word
    weight: Annotated[float, Meta(gt=0)] = 1.0
    params: dict[str, Value] = {}
    """What the API does differently for it."""


class Experiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of conf/experiments/; the first variant is the control."""

    name: Word
    site: Annotated[str, Meta(min_length=1, max_length=256)] = "default"
    unit: Literal["visitor", "user"] = "visitor"
    """Who keeps a variant; `user`: only visitors who are known users take part."""
    audience: str = ""
    """Only who belongs to this audience at the moment of the request takes part (docs/audiences.md); "": everybody."""
    layer: Word = "default"
    traffic: tuple[float, float] = (0.0, 1.0)
    """From where to where of the layer's units this experiment reaches."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    salt: str = ""
    """Another salt draws other variants for everybody; empty: the name."""
    start: datetime
    stop: datetime
    """From then on nobody is in it; with an offset from UTC, as `start`."""
    metric: Word = "click"
    """The kind of event that counts as success, once a unit; `click`: on something that was recommended."""
    window_minutes: Annotated[float, Meta(gt=0, le=43_200)] = 60.0
    """A unit's success counts within this time after it was first exposed."""
    expected_units: Annotated[int, Meta(ge=100)] = 10_000
    """Exposed units for which the confidence sequence is made tightest."""
    confidence: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95
    """Of all differences from the control together, at every look."""
    variants: Annotated[tuple[Variant, ...], Meta(min_length=2)]

    @property
    def window(self) -> timedelta:
        return timedelta(minutes=self.window_minutes)

    @property
    def control(self) -> str:
        return self.variants[0].name

    def state(self, now: datetime) -> Literal["planned", "running", "over"]:
        return "planned" if now < self.start else "running" if now < self.stop else "over"

    @property
    def shares(self) -> dict[str, float]:
        """The expected share of each variant among units of the experiment; with a holdout, of that too."""
        total = sum(variant.weight for variant in self.variants)
        shares = {variant.name: (1 - self.holdout) * variant.weight / total for variant in self.variants}
        return shares | ({HOLDOUT: self.holdout} if self.holdout else {})


class Assigned(NamedTuple):
    experiment: str
    variant: str


class Assignments(NamedTuple):
    """The experiments that a unit is in, at most one a layer, and what their variants set."""

    assigned: tuple[Assigned, ...]
    params: dict[str, Value]

    @property
    def experiment(self) -> str | None:
        """The field `experiment` of a served record: names with commas between."""
        return ",".join(each.experiment for each in self.assigned) or None

    @property
    def variant(self) -> str | None:
        """The field `variant`, in the same order."""
        return ",".join(each.variant for each in self.assigned) or None


NONE_ASSIGNED: Final = Assignments((), {})


def assign(
    experiments: Sequence[Experiment],
    site: str,
    visitor_id: str | None,
    user_id: str | None,
    now: datetime,
    audiences: Container[str] = (),
) -> Assignments:
    """The variants that a unit, which belongs to these audiences, has at `now`: the same for every process, machine and restart."""
    assigned: list[Assigned] = []
    params: dict[str, Value] = {}
    for experiment in experiments:
        unit = user_id if experiment.unit == "user" else visitor_id
        if unit is None or experiment.site != site or not experiment.start <= now < experiment.stop:
            continue
        if experiment.audience and experiment.audience not in audiences:
            continue
        variant = variant_of(experiment, unit)
        if variant is not None:
            assigned.append(Assigned(experiment.name, variant.name))
            params |= variant.params  # `load` refuses layers that set the same one
    return Assignments(tuple(assigned), params)


def variant_of(experiment: Experiment, unit: str) -> Variant | None:
    """The variant of one unit, None outside the experiment's traffic; whatever the time is."""
    first, last = experiment.traffic
    if not first <= place(experiment.site, experiment.unit, "layer", experiment.layer, unit) < last:
        return None
    if place(experiment.site, experiment.unit, HOLDOUT, unit) < experiment.holdout:
        return Variant(name=HOLDOUT)
    at = place(experiment.site, experiment.unit, "variant", experiment.salt or experiment.name, unit)
    at *= sum(variant.weight for variant in experiment.variants)
    ends = accumulate(variant.weight for variant in experiment.variants)
    return next(
        (variant for variant, end in zip(experiment.variants, ends, strict=True) if at < end), experiment.variants[-1]
    )


def load(folder: Path) -> tuple[Experiment, ...]:
    """The experiments of `folder`, by layer and name; none where it is not there. ExperimentError says what is wrong."""
    experiments = FORM.folder(folder, Experiment, _faults)
    faults = [*_clashes(experiments)]
    if faults:
        raise ExperimentError(f"The experiments of {folder} are wrong: {'; '.join(faults)}. See docs/experiments.md.")
    return tuple(sorted(experiments, key=lambda experiment: (experiment.layer, experiment.name)))


def _faults(experiment: Experiment) -> Iterator[str]:
    names = [variant.name for variant in experiment.variants]
    first, last = experiment.traffic
    if len(set(names)) != len(names) or HOLDOUT in names:
        yield f"variants are named {', '.join(names)}: each name once, and none `{HOLDOUT}`"
    if not 0 <= first < last <= 1:
        yield f"traffic is [{first}, {last}]: write [from, to] with 0 ≤ from < to ≤ 1"
    if experiment.start.tzinfo is None or experiment.stop.tzinfo is None:
        yield "start and stop need an offset from UTC, such as 2026-12-01T00:00:00Z"
    elif experiment.stop <= experiment.start:
        yield f"stop {experiment.stop.astimezone(UTC):%Y-%m-%dT%H:%MZ} is not after start"


def _clashes(experiments: Sequence[Experiment]) -> Iterator[str]:
    for one, other in combinations(experiments, 2):
        if one.site != other.site or max(one.start, other.start) >= min(one.stop, other.stop):
            continue
        both = ", ".join(sorted(_parameters(one) & _parameters(other)))
        if (one.unit, one.layer) != (other.unit, other.layer):
            if both:
                yield f"{one.name} and {other.name} both set {both} at one time: put them into one layer"
        elif max(one.traffic[0], other.traffic[0]) < min(one.traffic[1], other.traffic[1]):
            yield f"{one.name} and {other.name} share units of the layer {one.layer} at one time: part their traffic"


def _parameters(experiment: Experiment) -> set[str]:
    return {name for variant in experiment.variants for name in variant.params}
