"""Pages that follow from the code are the code's own."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from analytics import reference
from cli.main import VERBS
from nextclick import dataflow
from nextclick.settings import CHECKOUT
from nextclick.settings import reference as settings_page
from nextclick.settings.reference import keys

WIDTH: Final = 140
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
PAGES: Final = [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")]


def test_dataflow_page_is_what_the_catalog_says() -> None:
    assert dataflow.PAGE.read_text(encoding="utf-8") == dataflow.render(), "run `make docs`"


def test_settings_page_is_what_the_settings_say() -> None:
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.render(), "run `make docs`"


def test_analytics_page_is_what_the_reports_say() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.render(), "run `make docs`"


def test_readme_lists_the_verbs_that_there_are() -> None:
    assert re.findall(r"^\| `([\w-]+)` \| (.+) \|$", README, re.MULTILINE) == list(VERBS.items())


def test_links_of_the_pages_lead_somewhere() -> None:
    links = {
        (page, link)
        for page in PAGES
        for link in re.findall(r"\]\((?!\w+:)([\w./-]+)", page.read_text(encoding="utf-8"))
    }
    assert links
    assert not {(page.name, link) for page, link in links if not (page.parent / link).exists()}


def test_links_to_a_heading_find_it() -> None:
    links = {
        (page, (page.parent / link).resolve() if link else page, anchor)
        for page in PAGES
        for link, anchor in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", page.read_text(encoding="utf-8"))
    }
    assert links
    assert not {(page.name, anchor) for page, target, anchor in links if anchor not in _anchors(target)}


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", re.sub(r"\]\([^)]*\)", "", heading)).lower().replace(" ", "-") for heading in headings
    }


def test_what_the_pages_call_by_make_is_there() -> None:
    targets = {*re.findall(r"^([a-z0-9-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)}
    called = {
        (page.name, target)
        for page in PAGES
        for target in re.findall(r"(?:`|^)make ([a-z0-9-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert called
    assert not {(page, target) for page, target in called if target not in targets}


def test_variables_that_the_pages_set_are_settings() -> None:
    """NEXTCLICK_SECTION__KEY stands for any."""
    there = {f"NEXTCLICK_{key.upper().replace('.', '__')}" for key in keys()} | {"NEXTCLICK_SECTION__KEY"}
    named = {
        (page.name, variable)
        for page in [*PAGES, *CHECKOUT.glob("deploy/**/*.yaml")]
        for variable in re.findall(r"\bNEXTCLICK_[A-Z_]+__[A-Z_]+\b", page.read_text(encoding="utf-8"))
    }
    assert named
    assert not {(page, variable) for page, variable in named if variable not in there}


def test_no_line_of_the_pages_is_wider_than_a_reader_scrolls() -> None:
    """Tables, code and the addresses of links are left out."""
    wide = [
        f"{page.relative_to(CHECKOUT)}:{number}"
        for page in PAGES
        for number, line in _prose(page)
        if len(re.sub(r"\]\([^)]*\)|`[^`]{60,}`", "", line)) > WIDTH
    ]
    assert not wide


def _prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a page that are neither a table's nor code."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fenced ^= line.startswith("```")
        if not (fenced or line.startswith(("|", "    "))):
            yield number, line


def test_every_page_is_reached_from_the_map() -> None:
    """By links from docs/README.md, and the map from the README."""
    start = CHECKOUT / "docs" / "README.md"
    assert "(docs/README.md)" in README
    reached, ahead = set[Path](), [start]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([\w./-]+\.md)(?:#[\w-]*)?\)", page.read_text(encoding="utf-8"))
        ahead += [(page.parent / link).resolve() for link in links]
    assert {page.resolve() for page in CHECKOUT.glob("docs/**/*.md")} <= reached


def test_the_modules_that_the_pages_name_are_there() -> None:
    """A name in capitals stands for any."""
    named = {
        (page.name, path)
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for path in re.findall(r"`((?:[a-z_]+/)+[a-z_0-9]+\.py)`", page.read_text(encoding="utf-8"))
    }
    assert named
    assert not {(page, path) for page, path in named if not (CHECKOUT / path).exists()}
