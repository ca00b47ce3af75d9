"""Costs and market figures: files as networks export them become rows, and a later file replaces the days and accounts it names."""

import csv
import gzip
import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cli.main import cli
from nextclick.errors import MappingError, UsageError
from nextclick.lake import delta
from nextclick.lake.locks import hold
from nextclick.lake.paths import Lake
from tests.hypothesis_settings import generated

GOOGLE: Final = """Campaign report
"November 1, 2026 - November 2, 2026"
Day,Campaign,Campaign status,Currency code,Impr.,Clicks,CTR,Cost
2026-11-01,Brand,Enabled,EUR,"1,204",87,7.23%,"1,034.50"
2026-11-01,Brand,Enabled,EUR,96,3,3.13%,4.10
2026-11-02,Total Football,Paused,EUR,12,0, --,0.00
 --,Total: Campaigns, --, --,"1,312",90,6.86%,"1,038.60"
Total: Account, --, --, --,"1,312",90,6.86%,"1,038.60"
"""
EXCEL: Final = "".join("\t".join(row) + "\n" for row in csv.reader(GOOGLE.splitlines()))
"""What Google Ads calls "Excel .csv": tabs, in UTF-16."""
META: Final = """"Reporting starts","Reporting ends","Campaign name","Ad name","Amount spent (EUR)",Impressions,"Link clicks"
2026-11-01,2026-11-02,,,30.50,900,31
2026-11-01,2026-11-01,Lamps,"Blue lamp",20.25,600,21
2026-11-02,2026-11-02,Lamps,"Blue lamp",10.25,300,
"""
PLAIN: Final = "date,network,campaign,currency,cost,clicks\n"
MARKET: Final = "date,domain,metric,value,origin\n"


def call(lake: Path, text: str, mapping: str, *options: str, encoding: str = "utf-8", name: str = "f.csv") -> Any:
    """The report of `nextclick import --json` of a file with this text; its error is raised."""
    file = lake.parent / name
    file.write_bytes(text.encode(encoding))
    words = ["--lake", str(lake), "import", str(file), "--mapping", mapping, "--json", *options]
    result = CliRunner().invoke(cli, words, standalone_mode=False)
    if result.exception:
        raise result.exception
    return json.loads(result.stdout)


def table(lake: Path, name: str, *columns: str) -> list[tuple[Any, ...]]:
    rows = delta.require(Lake(lake), name).to_pyarrow_table().to_pylist()
    return sorted(tuple(str(row[column]) for column in columns) for row in rows)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


WHAT: Final = ("date", "campaign", "content", "currency", "impressions", "clicks", "cost")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(GOOGLE, "utf-8"), (GOOGLE.replace("\n", "\r\n"), "utf-8-sig"), (EXCEL, "utf-16")],
    ids=["csv", "csv of Windows", "Excel csv"],
)
def test_a_google_ads_report_is_read_below_its_preamble_and_without_its_sums(
    lake: Path, text: str, encoding: str
) -> None:
    report = call(lake, text, "google_ads", "--site", "shop", encoding=encoding)
    assert {name: report[name] for name in ("rows", "accepted", "sums", "rejected", "written", "replaced", "days")} == {
        "rows": 5, "accepted": 3, "sums": 2, "rejected": 0, "written": 2, "replaced": 0, "days": 2,
    }  # fmt: skip
    assert table(lake, "silver.costs", *WHAT) == [
        ("2026-11-01", "Brand", "(none)", "EUR", "1300", "90", "1038.6000"),
        ("2026-11-02", "Total Football", "(none)", "EUR", "12", "0", "0.0000"),
    ]
    assert table(lake, "silver.costs", "site", "network", "account", "source", "medium", "file")[0] == (
        "shop", "google_ads", "(none)", "google", "cpc", "f.csv",
    )  # fmt: skip


def test_a_meta_ads_export_has_its_currency_in_the_header_and_what_is_not_said_is_null_not_0(lake: Path) -> None:
    assert call(lake, META, "meta_ads")["sums"] == 1
    assert table(lake, "silver.costs", *WHAT) == [
        ("2026-11-01", "Lamps", "Blue lamp", "EUR", "600", "21", "20.2500"),
        ("2026-11-02", "Lamps", "Blue lamp", "EUR", "300", "None", "10.2500"),
    ]


def test_a_meta_export_without_days_is_refused_since_its_rows_are_of_several(lake: Path) -> None:
    whole = META.replace("2026-11-01,2026-11-01,Lamps", "2026-11-01,2026-11-30,Lamps")
    with pytest.raises(UsageError, match=r"f\.csv:3: several_days: the row is of 2026-11-01 to 2026-11-30: export one"):
        call(lake, whole, "meta_ads")


def test_german_numbers_are_read_where_the_mapping_says_so(lake: Path) -> None:
    mapping = lake.parent / "agentur.toml"
    mapping.write_text(
        'decimal = ","\nthousands = "."\n[costs]\nday = { column = "Tag", unit = "%d.%m.%Y" }\n[costs.fields]\n'
        'network = { value = "google_ads" }\nsource = { value = "google" }\ncampaign = "Kampagne"\n'
        'impressions = "Impressionen"\ncost = "Kosten"\n'
    )
    call(lake, "Tag;Kampagne;Impressionen;Kosten\n01.11.2026;Marke;1.204;1.034,50 €\n", str(mapping))
    assert table(lake, "silver.costs", *WHAT) == [("2026-11-01", "Marke", "(none)", "EUR", "1204", "None", "1034.5000")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2026-11-31,mail,a,EUR,1,1", "bad_time: column date is '2026-11-31': no such day"),
        (",mail,a,EUR,1,1", "missing_time: column date is empty"),
        ("1989-11-01,mail,a,EUR,1,1", "impossible_time: the row is of 1989-11-01, before events.oldest"),
        ("2126-11-01,mail,a,EUR,1,1", "future_time: the row is of 2126-11-01, which is still to come"),
        ("2026-11-01,,a,EUR,1,1", "missing_value: column network is empty"),
        ("2026-11-01,mail,a,EUR,,1", "missing_value: column cost is empty"),
        ('2026-11-01,mail,a,EUR,"1,50",1', "bad_value: column cost is '1,50': no number as the mapping's signs write it"),
        ("2026-11-01,mail,a,EUR,1,1.5", "bad_value: column clicks is 1.5: no whole number"),
        ("2026-11-01,mail,a,EUR,-1,1", "out_of_range: column cost is -1, below 0"),
        ("2026-11-01,mail,a,EUR,1e13,1", "out_of_range: column cost is '1e13', more than 1000000000000"),
        ("2026-11-01,mail,a,,1,1", "missing_currency: no currency stands in column currency"),
        ("2026-11-01,mail,a,$,1,1", "missing_currency: no currency stands in column currency"),
        (f"2026-11-01,mail,{'a' * 300},EUR,1,1", "bad_value: campaign is 'aaa"),
        ("2026-11-01,mail,a,EUR", "wrong_column_count: 4 columns instead of 6"),
    ],
)  # fmt: skip
def test_where_a_row_cannot_be_read_nothing_is_written_unless_it_is_to_be_left_out(
    lake: Path, row: str, said: str
) -> None:
    text = f"{PLAIN}2026-11-01,mail,a,EUR,2.5,1\n{row}\n"
    with pytest.raises(UsageError, match="1 row cannot be read; nothing was written") as error:
        call(lake, text, "costs")
    assert f"f.csv:3: {said}" in str(error.value)
    assert not delta.exists(Lake(lake), "silver.costs")
    report = call(lake, text, "costs", "--skip-bad")
    assert (report["accepted"], report["rejected"], report["written"]) == (1, 1, 1)
    assert said in report["rejects"][0]


def test_a_file_replaces_the_days_and_accounts_that_it_names_and_no_others(lake: Path) -> None:
    head = "date,network,account,campaign,currency,cost\n"
    first = "2026-11-01,ads,one,a,EUR,1\n2026-11-01,ads,one,b,EUR,2\n2026-11-01,ads,two,a,EUR,4\n2026-11-02,ads,one,a,EUR,8\n"
    call(lake, head + first, "costs", "--site", "shop")
    call(lake, head + "2026-11-01,ads,one,a,EUR,100\n", "costs", "--site", "other")
    report = call(lake, head + "2026-11-01,ads,one,a,EUR,16\n", "costs", "--site", "shop")
    assert (report["written"], report["replaced"], report["days"]) == (1, 2, 1)
    expected = [
        ("2026-11-01", "other", "one", "a", "100.0000"),
        ("2026-11-01", "shop", "one", "a", "16.0000"),
        ("2026-11-01", "shop", "two", "a", "4.0000"),
        ("2026-11-02", "shop", "one", "a", "8.0000"),
    ]
    assert table(lake, "silver.costs", "date", "site", "account", "campaign", "cost") == expected
    version = delta.require(Lake(lake), "silver.costs").version()
    again = call(lake, head + "2026-11-01,ads,one,a,EUR,16\n", "costs", "--site", "shop", name="g.csv")
    assert (again["written"], again["days"]) == (0, 0)
    assert delta.require(Lake(lake), "silver.costs").version() == version, "what the table says already is not written"


def test_of_two_files_of_one_call_the_later_one_counts_and_one_that_was_cut_stops_both(lake: Path) -> None:
    first, second = lake.parent / "1.csv", lake.parent / "2.csv.gz"
    first.write_text(PLAIN + "2026-11-01,mail,a,EUR,1,1\n2026-11-02,mail,a,EUR,2,2\n")
    packed = gzip.compress((PLAIN + "2026-11-02,mail,b,EUR,4,4\n").encode())
    second.write_bytes(packed[:-12])
    with pytest.raises(UsageError, match=r"2\.csv\.gz:\d: cut_short: the file ends before its end"):
        call(lake, PLAIN, "costs", str(first), str(second))
    assert not delta.exists(Lake(lake), "silver.costs")
    second.write_bytes(packed)
    call(lake, PLAIN, "costs", str(first), str(second))
    assert table(lake, "silver.costs", "date", "campaign", "cost", "file") == [
        ("2026-11-01", "a", "1.0000", "1.csv"),
        ("2026-11-02", "b", "4.0000", "2.csv.gz"),
    ]


ROWS: Final = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from("xy"), st.sampled_from(["a", "b, c", "d'e"]), st.integers(0, 99), st.none() | st.integers(0, 9)
    ),
    max_size=5,
)  # fmt: skip


@generated(12)
@given(files=st.lists(ROWS, min_size=1, max_size=4))
def test_any_history_of_files_leaves_what_a_plain_recomputation_gives(
    files: list[list[tuple[int, str, str, int, int | None]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lake = tmp_path_factory.mktemp("any") / "lake"
    state: dict[tuple[str, str], dict[str, tuple[Decimal, int | None]]] = {}
    for file in files:
        news: dict[tuple[str, str], dict[str, tuple[Decimal, int | None]]] = {}
        text = "date,network,account,campaign,currency,cost,clicks\n"
        for number, account, campaign, cents, clicks in file:
            day = str(date(2026, 11, 1) + timedelta(days=number))
            text += f'{day},ads,{account},"{campaign}",EUR,{cents / 100},{"" if clicks is None else clicks}\n'
            of = news.setdefault((day, account), {})
            cost, before = of.get(campaign, (Decimal(0), None))
            both = [count for count in (before, clicks) if count is not None]
            of[campaign] = cost + Decimal(cents) / 100, sum(both) if both else None
        state |= news
        call(lake, text, "costs")
    expected = sorted(
        (day, account, campaign, f"{cost:.4f}", str(clicks))
        for (day, account), campaigns in state.items()
        for campaign, (cost, clicks) in campaigns.items()
    )
    if expected:
        assert table(lake, "silver.costs", "date", "account", "campaign", "cost", "clicks") == expected


def test_a_day_is_that_of_the_zone_in_which_a_moment_is(lake: Path) -> None:
    mapping = lake.parent / "zone.toml"
    mapping.write_text(
        '[costs]\nday = { column = "at", unit = "s", zone = "America/Los_Angeles" }\n[costs.fields]\n'
        'network = { value = "n" }\nsource = { value = "s" }\ncurrency = { value = "USD" }\ncost = "cost"\n'
    )
    call(
        lake, "at,cost\n1793606400,1\n1793602799,2\n", str(mapping)
    )  # 2026-11-02 08:00 and 06:59:59 UTC, an hour after clocks went back
    assert table(lake, "silver.costs", "date", "cost") == [("2026-11-01", "2.0000"), ("2026-11-02", "1.0000")]


def test_market_figures_stand_apart_and_one_value_is_said_once(lake: Path) -> None:
    row = "2026-11-01,Shop.example,visits,120000,panel\n"
    assert call(lake, MARKET + row + row, "market")["written"] == 1
    assert table(lake, "silver.market", "date", "domain", "metric", "value", "origin") == [
        ("2026-11-01", "Shop.example", "visits", "120000.0", "panel")
    ]
    with pytest.raises(UsageError, match="two_values: an earlier row says 120000 of the same, this one 5"):
        call(lake, MARKET + row + row.replace("120000", "5"), "market")


def test_a_file_that_was_cut_or_that_lacks_a_column_or_goes_on_being_written_is_told(lake: Path) -> None:
    with pytest.raises(MappingError, match=r"costs needs the column cost, which .*f\.csv lacks"):
        call(lake, "date,network,campaign\n", "costs")
    with hold(Lake(lake).locks, "silver.costs", purpose="a test"):
        call(lake, PLAIN, "costs")  # the lock is this process's own
    with pytest.raises(UsageError, match="read anew by every import: leave out --again"):
        call(lake, PLAIN, "costs", "--again")
    with pytest.raises(UsageError, match="--skip-bad is for costs and market"):
        call(lake, PLAIN, "plain", "--skip-bad")
    with pytest.raises(MappingError, match=r"google_ads has no \[events\]"):
        call(lake, PLAIN, "google_ads", "--kind", "events")
    assert call(lake, PLAIN, "costs")["rows"] == 0
