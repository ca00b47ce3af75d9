"""Facts of gold.predictions: one moment, one version of each model, and deciles that are what they say."""

from typing import Final

from expectations.measures.measure_context import Fact, Measure, MeasureContext
from nextclick.contracts.gold import PREDICTIONS


def unlike_moments(look: MeasureContext) -> Fact:
    versions = "count(DISTINCT as_of) > 1 OR count(DISTINCT model_version) > 1"
    return look.count(
        "models of a site are of several moments or versions",
        f"SELECT 1 FROM whole GROUP BY site, model HAVING {versions}",
    )


def uneven_deciles(look: MeasureContext) -> Fact:
    """Tenths that differ by more than one person, or whose lowest probability is below the highest of the tenth before."""
    tenths = """
        SELECT n, low, lag(high) OVER (PARTITION BY site, model ORDER BY decile) AS lower_high,
            sum(n) OVER (PARTITION BY site, model) / 10 AS even_n
        FROM (
            SELECT site, model, decile, count(*) AS n, min(calibrated) AS low, max(calibrated) AS high FROM whole
            GROUP BY site, model, decile
        )
    """
    return look.count("tenths are not", f"SELECT 1 FROM ({tenths}) WHERE abs(n - even_n) >= 1 OR low < lower_high")


FACTS: Final[dict[str, dict[str, Measure]]] = {
    PREDICTIONS.name: {"unlike_moments": unlike_moments, "uneven_deciles": uneven_deciles}
}
