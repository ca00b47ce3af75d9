"""A log of shown actions: a CSV or Parquet file with the columns that the caller names, or the lake's own tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nextclick.contracts.silver_served import SERVED_ITEMS
from nextclick.errors import UsageError
from nextclick.lake import delta, duck
from nextclick.lake.people import human_events
from nextclick.settings import Settings
from serving.bandits.trials import Trial
from serving.off_policy.estimators import Floats, Ints, Log, frequencies


class Columns(NamedTuple):
    """Names of a log's columns; what is not named is one stratum for all, and each row a group of its own."""

    action: str
    reward: str
    propensity: str
    strata: tuple[str, ...] = ()
    group: str | None = None
    target: str | None = None
    """The target's probability of the row's action."""


def read(path: Path, columns: Columns) -> tuple[Log, Floats | None]:
    """The log and, where it is named, the target's probabilities. UsageError says which column or value is wrong."""
    table = _table(path, columns)
    if not len(table):
        raise UsageError(f"{path} holds no rows: there is nothing to judge by.")
    log = from_table(table, columns)
    if columns.target is None:
        return log, None
    target = _numbers(table, columns.target)
    _demand(target, (target >= 0) & (target <= 1), columns.target, "within [0, 1]")
    return log, target


def of_served_items(settings: Settings, strata: tuple[str, ...]) -> Log:
    """What silver.served_items says was really shown to people: items are actions, a click earns 1, an answer is a group.

    Where nothing was drawn the propensity is 1: only places that exploration fills can judge other policies.
    """
    listed = ", ".join(_quoted(name) for name in strata)
    query = (
        "SELECT item_id, (clicked_at IS NOT NULL)::DOUBLE AS clicked, propensity, request_id"
        f"{', ' if listed else ''}{listed} FROM served_items "
        "WHERE site = $site AND shown_at IS NOT NULL AND propensity > 0"
    )
    site, table = settings.site, delta.require(settings.lake, SERVED_ITEMS.name)
    with duck.connect(settings.lake) as connection:
        human_events.show(connection, "served_items", settings, SERVED_ITEMS.name, table)
        try:
            rows: Any = connection.sql(query, params={"site": site}).to_arrow_table()
        except duckdb.Error as error:
            raise UsageError(f"{SERVED_ITEMS.name} cannot be read as a log: {error}.") from error
    if not len(rows):
        raise UsageError(f"{SERVED_ITEMS.name} holds nothing of the site {site} that was shown: nothing to judge by.")
    return from_table(rows, Columns("item_id", "clicked", "propensity", strata, "request_id"))


def from_table(table: pa.Table, columns: Columns) -> Log:
    """The log in the rows of a table with those columns, at least one row."""
    propensity, reward = _numbers(table, columns.propensity), _numbers(table, columns.reward)
    _demand(propensity, (propensity > 0) & (propensity <= 1), columns.propensity, "within (0, 1]")
    _demand(reward, np.isfinite(reward), columns.reward, "a number")
    actions, action = _coded(table[columns.action])
    strata, stratum = _coded(_joined(table, columns.strata))
    group = np.arange(len(table)) if columns.group is None else _coded(table[columns.group])[1]
    return Log(actions, strata, action, stratum, propensity, reward, group)


def of_trials(trials: Sequence[Trial], bandit: str) -> tuple[Log, Floats]:
    """The log of a bandit of the lake, and the probability of each row's arm if all that it had were drawn alike.

    Its arms are actions, what was really shown are rows, a click earns 1; rows of one request are a group.
    """
    rows = [trial for trial in trials if trial.draw.bandit == bandit]
    if not rows:
        known = ", ".join(sorted({trial.draw.bandit for trial in trials})) or "none"
        raise UsageError(f"No answer of the bandit {bandit!r} was shown. Bandits with answers: {known}.")
    table = pa.table(
        {
            "request": [trial.request_id for trial in rows],
            "action": [trial.draw.arm for trial in rows],
            "reward": [float(trial.clicked) for trial in rows],
            "propensity": [trial.draw.propensity for trial in rows],
        }
    )
    log = from_table(table, Columns("action", "reward", "propensity", group="request"))
    return log, np.array([1 / trial.draw.arms for trial in rows])


def distribution_of(other: Log, log: Log) -> Floats:
    """How the policy of `other` acts in the strata and among the actions of `log`.

    Strata that it never met are an error; actions that `log` never showed keep their share, which nothing can judge.
    """
    missing = [name for name in log.strata if name not in other.strata]
    if missing:
        raise UsageError(f"The target's log has no rows of the stratum {missing[0]}: leave those rows out of the log.")
    here = {name: column for column, name in enumerate(log.actions)}
    taken, distribution = frequencies(other), np.zeros((len(log.strata), len(log.actions)))
    columns = [(column, here[name]) for column, name in enumerate(other.actions) if name in here]
    for row, name in enumerate(log.strata):
        for source, goal in columns:
            distribution[row, goal] = taken[other.strata.index(name), source]
    return distribution


def _table(path: Path, columns: Columns) -> pa.Table:
    wanted = [columns.action, columns.reward, columns.propensity, *columns.strata, columns.group, columns.target]
    listed = ", ".join(_quoted(name) for name in dict.fromkeys(wanted) if name)
    reader = "read_parquet" if ".parquet" in path.suffixes else "read_csv"
    try:
        with duckdb.connect() as connection:
            table: Any = connection.sql(f"SELECT {listed} FROM {reader}(?)", params=[str(path)]).to_arrow_table()
    except duckdb.Error as error:
        raise UsageError(f"{path} cannot be read as a log: {error}. --help says how its columns are named.") from error
    return table


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _numbers(table: pa.Table, name: str) -> Floats:
    try:
        return np.asarray(pc.cast(table[name], pa.float64()).to_numpy(), dtype=float)
    except pa.ArrowInvalid as error:
        raise UsageError(f"The column {name} does not hold numbers: {error}.") from error


def _demand(values: Floats, good: Any, name: str, what: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise UsageError(
            f"The column {name} must be {what}; {int((~good).sum())} rows are not, the first is row {row + 1}: "
            f"{values[row]}. Leave such rows out: of what they show, nobody knows how likely it was."
        )


def _joined(table: pa.Table, names: Sequence[str]) -> pa.ChunkedArray | pa.Array:
    if not names:
        return pa.array(["all"] * len(table))
    return pc.binary_join_element_wise(*(_text(table[name]) for name in names), "/")


def _text(values: Any) -> Any:
    return pc.fill_null(pc.cast(values, pa.string()), "")


def _coded(values: Any) -> tuple[tuple[str, ...], Ints]:
    """The distinct values as text, sorted, and each row's index into them."""
    names, codes = np.unique(_text(values).to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
    return tuple(names.tolist()), codes.astype(np.int64)
