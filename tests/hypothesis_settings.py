"""How many requests hypothesis makes up for a door: no deadline, nothing remembered, whatever it takes."""

from typing import Any

from hypothesis import HealthCheck, Phase, settings


def generated(examples: int) -> Any:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
