"""The verb `bench`: what can be asked without a lake, of data that others made."""

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console

from nextclick.command import json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import CHECKOUT

Cut = Literal["random", "stretch"]
Repeats = Literal["auto", "never", "always"]
DATA = CHECKOUT.parent / "shared" / "data"
"""Where real data lies, beside a checkout."""
FOLDERS = {"gowalla": DATA / "gowalla", "globo": DATA / "globo-clicks", "weblogs": DATA / "weblogs"}


@click.group()
def bench() -> None:
    """Measure against baselines, from a checkout; needs no lake.

    \b
    nextclick bench quality gowalla     recommendation quality beside the published figures
    nextclick bench churn globo         who comes back, against the base rate and recency
    nextclick bench sequence FOLDER     the next item in sessions and sequences, likewise
    nextclick bench anomalies           a hole in traffic, injected hours; bots by behaviour
    make bench                          lists what else can be measured
    """


@bench.command(
    short_help="Recommendation quality beside the published figures.",
)
@click.argument("dataset", default="gowalla")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Its folder (default: ../shared/data/… beside the checkout)."
)
@click.option("--split", "splits", multiple=True, type=click.Choice(["random", "stretch"]),
    help="How a validation part is cut from train; of several that disagree the safest model is served. "
    "Default: as the test seems to be cut, by train.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0), default=180.0, show_default=True,
    help="Time in which parameters are tried.")  # fmt: skip
@json_option
def quality(dataset: str, data: Path | None, splits: tuple[Cut, ...], seconds: float, as_json: bool) -> None:
    """Judge the models on DATASET, all items ranked: gowalla, globo (the next click, the next day), or a folder in Gowalla's form.

    \b
    nextclick bench quality gowalla                      the table, in some minutes
    nextclick bench quality gowalla --json | jq .served
    nextclick bench quality globo --data ../shared/data/globo-clicks
    nextclick bench quality my-folder --split random     a folder with train.txt and test.txt
    """
    from benchmarks.measure import measured
    from benchmarks.models import quality as gowalla
    from benchmarks.models import quality_report as report

    say = partial(Console(stderr=True, highlight=False).print, markup=False, soft_wrap=True)
    folder = data or FOLDERS.get(dataset, Path(dataset))
    with measured() as figure:
        result = gowalla.news(folder) if dataset == "globo" else gowalla.run(folder.name, folder, splits, seconds, say)
    result |= {"command": shlex.join(sys.argv[1:]), "seconds": figure.seconds, "peak_mb": figure.peak_mb}
    print_json(result) if as_json else report.show(result)


@bench.command(short_help="Who comes back, against the base rate and recency.")
@click.argument("folder", default="globo")
@click.option("--share", type=click.IntRange(1), default=8, show_default=True, help="Every so manieth reader is taken.")
@json_option
def churn(folder: str, share: int, as_json: bool) -> None:
    """Judge the churn model on the clicks of a news portal: FOLDER, or globo for the one beside the checkout.

    \b
    nextclick bench churn                           the table, in some seconds
    nextclick bench churn ../shared/data/globo-clicks --json | jq .served
    """
    from benchmarks.measure import measured
    from benchmarks.models import churn as readers

    with measured() as figure:
        result = readers.run(FOLDERS.get(folder, Path(folder)), share)
    result |= {"command": shlex.join(sys.argv[1:]), "seconds": figure.seconds, "peak_mb": figure.peak_mb}
    print_json(result) if as_json else click.echo(readers.table(result))


@bench.command(
    short_help="The next item in sessions, or in people's sequences, beside the published figures.",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--repeats", type=click.Choice(["auto", "never", "always"]), default="auto", show_default=True,
    help="Whether items of the session may come again; auto: where people return, as train tells.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0), default=300.0, show_default=True,
    help="Time for variants of the parts; the usual one of each is always tried.")  # fmt: skip
@json_option
def sequence(folder: Path, repeats: Repeats, seconds: float, as_json: bool) -> None:
    """Judge the models of the next item on FOLDER, all items ranked: train.txt and test.txt of sessions, or sequences.txt.

    \b
    nextclick bench sequence ../shared/data/sessions-retailrocket
    nextclick bench sequence ../shared/data/sequences-beauty --json | jq .served
    nextclick bench sequence my-folder --repeats never
    """
    from benchmarks.measure import measured
    from benchmarks.models import quality_report as report
    from benchmarks.models import sequence as next_item

    say = partial(Console(stderr=True, highlight=False).print, markup=False, soft_wrap=True)
    with measured() as figure:
        result = next_item.run(folder, seconds, repeats, say)
    result |= {"seconds": figure.seconds, "peak_mb": figure.peak_mb}
    if as_json:
        print_json({name: result[name] for name in ("served", "models", "seconds", "peak_mb")})
    else:
        report.show_next(result)


@bench.command(short_help="Holes in traffic, and bots by behaviour, on real data.")
@click.argument("dataset", default="all", type=click.Choice(["all", "globo", "weblogs"]))
@click.option(
    "--data", type=click.Path(path_type=Path), help="Folder of the one data set (default: as `bench quality`)."
)
@json_option
def anomalies(dataset: str, data: Path | None, as_json: bool) -> None:
    """Judge the detectors: globo, traffic of a news portal with a real hole; weblogs, bots in an access log.

    \b
    nextclick bench anomalies                       both, in some seconds
    nextclick bench anomalies globo --json | jq .globo.injected
    nextclick bench anomalies weblogs --data my-logs      a folder with apache-combined*.log.gz
    """
    from benchmarks import anomalies as detectors
    from benchmarks.measure import measured

    judges = {"globo": detectors.globo, "weblogs": detectors.weblogs}
    if data and dataset == "all":
        raise UsageError("--data names the folder of one data set: say which, globo or weblogs.")
    with measured() as figure:
        chosen = {name: judge for name, judge in judges.items() if dataset in ("all", name)}
        result: dict[str, Any] = {name: judge(data or FOLDERS[name]) for name, judge in chosen.items()}
    result |= {"command": shlex.join(sys.argv[1:]), "seconds": figure.seconds, "peak_mb": figure.peak_mb}
    print_json(result) if as_json else click.echo(detectors.table(result))
