"""A dialect is a module, a name and a page; who adds one learns here which place was forgotten."""

import pkgutil
from importlib import import_module

from collector import dialects
from nextclick.settings import CHECKOUT


def test_every_module_with_routes_is_a_name_and_no_name_is_without_one() -> None:
    modules = [module.name for module in pkgutil.iter_modules(dialects.__path__) if not module.ispkg]
    spoken = {name for name in modules if hasattr(import_module(f"collector.dialects.{name}"), "ROUTES")}
    assert spoken == set(dialects.NAMES)


def test_every_tracker_has_a_page_and_ours_are_told_on_that_of_all() -> None:
    pages = {page.stem for page in (CHECKOUT / "docs" / "trackers").glob("*.md")}
    assert pages - {"README"} == {*dialects.NAMES} - {"plain", "catalogue"}
