"""--from, --to and --site of the verbs that count what happened in some days."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from nextclick.settings import Settings


def day_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The decorated function receives `settings`, and `days`: those of `site`, or of all sites, from the first to the last."""

    @click.option("--from", "first", metavar="DAY", help="First day: 2026-01-31, yesterday, 30d (default: ever).")
    @click.option("--to", "last", metavar="DAY", help="Last day, included.")
    @click.option("--site", help="One site alone (default: all).")
    def wrapper(
        settings: Settings, *args: Any, first: str | None, last: str | None, site: str | None, **kwargs: Any
    ) -> Any:
        from analytics.journeys.days import Days
        from analytics.question import day

        today = datetime.now(ZoneInfo(settings.analytics.timezone_for(site or ""))).date()
        first_day, last_day = (None if text is None else day(text, today) for text in (first, last))
        return command(settings, *args, days=Days(first_day, last_day, site), **kwargs)

    wrapper.__name__ = command.__name__
    wrapper.__doc__ = command.__doc__
    wrapper.__click_params__ = [*getattr(command, "__click_params__", []), *getattr(wrapper, "__click_params__", [])]  # type: ignore[attr-defined]
    return wrapper
