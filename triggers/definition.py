"""A file of conf/triggers/: when something is sent to a person, and when not. docs/triggers.md explains every key."""

from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path
from string import Template
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from nextclick.conf_files import Form
from nextclick.errors import TriggerError

WORDS: Final = (
    "trigger", "site", "person_id", "user_id", "visitor_id", "due_at", "items", "first_item", "first_name", "old_price", "new_price",
    "currency", "audience", "recommended", "first_recommended",
)  # fmt: skip
"""What a message's texts may name as $WORD; triggers/message.py fills them in."""
_FORM: Final = Form("trigger", "docs/triggers.md", TriggerError)
Days = Annotated[float, Meta(gt=0, le=366)]
Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class CartLeft(_Part, frozen=True, tag_field="kind", tag="cart_left"):
    """Something lies in the cart, and the person does nothing more."""

    after_minutes: Annotated[float, Meta(gt=0, le=10_080)] = 30.0
    cart_hours: Annotated[float, Meta(gt=0, le=720)] = 24.0
    """What was put there longer before is no part of it."""


class Silence(_Part, frozen=True, tag_field="kind", tag="silence"):
    """The person has no visit for so long."""

    after_days: Days


class PriceDrop(_Part, frozen=True, tag_field="kind", tag="price_drop"):
    """An item that the person viewed, and did not buy since, costs less."""

    viewed_days: Days = 30.0
    least_percent: Annotated[float, Meta(gt=0, le=100)] = 5.0


class BackInStock(_Part, frozen=True, tag_field="kind", tag="back_in_stock"):
    """An item that the person viewed, and did not buy since, can be had again."""

    viewed_days: Days = 30.0


class EntersAudience(_Part, frozen=True, tag_field="kind", tag="enters_audience"):
    """The person belongs to an audience of conf/audiences/ from then on."""

    audience: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Cap(_Part, frozen=True):
    """A person is sent this at most so often in so many days."""

    times: Annotated[int, Meta(ge=1, le=1000)] = 1
    days: Days = 7.0


class TriggerDefinition(_Part, frozen=True, kw_only=True):
    """One file of conf/triggers/."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    enabled: bool = False
    site: Annotated[str, Meta(min_length=1, max_length=256)] = "default"
    when: CartLeft | Silence | PriceDrop | BackInStock | EntersAudience
    keep_hours: Annotated[float, Meta(gt=0, le=720)] = 24.0
    """After that it is too late: nothing is sent any more."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of people who are never sent it, to see what it does."""
    window_days: Days = 7.0
    """A purchase counts within so many days after the decision."""
    cap: Cap = Cap()
    quiet: tuple[Clock, Clock] | None = None
    """From when to when of the device's day nothing is sent; where that is not known, of the site's."""
    consent: Literal["advertising", "personalization", "analytics", "none"] = "advertising"
    """The field of an event's `consent` that must be true; `none`: nothing is needed."""
    consent_unless_said: bool = False
    """What counts where the person said nothing of it."""
    recommendations: Annotated[int, Meta(ge=0, le=100)] = 4
    message: dict[Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,64}$")], Annotated[str, Meta(max_length=10_000)]] = {}
    """Texts of the message, with $WORDs."""

    @property
    def keep(self) -> timedelta:
        return timedelta(hours=self.keep_hours)

    @property
    def window(self) -> timedelta:
        return timedelta(days=self.window_days)

    @property
    def quiet_hours(self) -> tuple[time, time] | None:
        return (time.fromisoformat(self.quiet[0]), time.fromisoformat(self.quiet[1])) if self.quiet else None


def load(folder: Path) -> tuple[TriggerDefinition, ...]:
    """The triggers of `folder`, by name, those that are off, too; none where it is not there. TriggerError says what is wrong."""

    def faults(trigger: TriggerDefinition) -> Iterator[str]:
        yield from _faults(trigger)
        yield from _absent_audience(trigger, folder.parent / "audiences")

    return _FORM.folder(folder, TriggerDefinition, faults)


def _faults(trigger: TriggerDefinition) -> Iterator[str]:
    if trigger.quiet and trigger.quiet[0] == trigger.quiet[1]:
        yield "quiet begins and ends at the same time: write it as [from, to], or leave it out"
    for name, text in trigger.message.items():
        template = Template(text)
        if not template.is_valid():
            yield f"message.{name} has a $ that begins no word: a dollar sign is written $$"
        elif unknown := sorted({*template.get_identifiers()} - {*WORDS}):
            yield f"message.{name} names ${', $'.join(unknown)}; there are ${', $'.join(WORDS)}"


def _absent_audience(trigger: TriggerDefinition, folder: Path) -> Iterator[str]:
    if isinstance(trigger.when, EntersAudience) and not (folder / f"{trigger.when.audience}.toml").is_file():
        there = ", ".join(sorted(path.stem for path in folder.glob("*.toml"))) or "none"
        yield f"when.audience names {trigger.when.audience!r}, and there are: {there} (conf/audiences/NAME.toml)"
