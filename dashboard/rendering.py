"""Pages as HTML. What a panel's answer looks like is made once: its text is kept while the answer is."""

from pathlib import Path
from sys import getsizeof
from typing import Any, Final
from weakref import ref

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from analytics.answer_cache import AnswerCache
from analytics.answers import Reports
from dashboard import assets, charts
from dashboard.address import RANGES, PageAddress
from dashboard.answered import Answered, Answers
from dashboard.live import live_window
from dashboard.pages import PAGES
from dashboard.panels import DashboardPage, Panel, Part
from dashboard.parts import PARTS
from dashboard.texts import coded, duration_text, label, moment_text, share_text
from nextclick.errors import LakeError
from nextclick.settings import Settings

_TEMPLATES: Final = Path(__file__).parent / "templates"
_TEXT_BYTES: Final = 8 * 2**20
"""Of panels that were made: some 200 pages."""


class PageRenderer:
    """Of one lake; several threads may ask."""

    def __init__(self, settings: Settings, reports: Reports, text_bytes: int = _TEXT_BYTES) -> None:
        self.reports, self._settings = reports, settings
        self._texts = AnswerCache[Markup](text_bytes)
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "asset": assets.address,
            "pages": PAGES,
            "ranges": RANGES,
            "in_page": charts.in_page,
            "duration": duration_text,
            "share": share_text,
            "moment": moment_text,
        }
        self._templates.filters |= {"label": label, "coded": coded}

    def compile(self) -> None:
        """Read the templates before somebody waits for it: that takes as long as several pages."""
        for name in self._templates.list_templates():
            self._templates.get_template(name)

    def page(self, page: DashboardPage, view: PageAddress) -> str:
        """A page with its answers."""
        answers = Answers(self.reports, view, page.panels)
        blocks = [
            self._part(block, view) if isinstance(block, Part) else self._panel(block, answers(block))
            for block in page.blocks
        ]
        return self._render("page.html", page=page, view=view, blocks=blocks)

    def live(self) -> str:
        """The part of the Live page that moves."""
        return self._render("live_now.html", live=live_window(self._settings.lake.landing).look())

    def refused(self, message: str) -> str:
        """What was wrong with an address, or with the lake."""
        return self._render("refused.html", page=None, message=message)

    def _part(self, part: Part, view: PageAddress) -> Markup:
        """What is wrong with a part stands in its place: the page shows the rest."""
        try:
            facts = PARTS[part.name](self._settings, self.reports, view)
        except LakeError as error:
            return Markup('<section class="panel wide"><p class="refusal" role="alert">{}</p></section>').format(error)
        return self._render(f"parts/{part.name}.html", view=view, **facts)

    def _panel(self, panel: Panel, answered: Answered | str) -> Markup:
        """All that it shows follows from address and answers, and tables that moved have others: so nothing kept is ever old."""
        if isinstance(answered, str) or not answered.is_lasting:
            return self._render("panel.html", panel=panel, answered=answered)
        before = answered.comparison and ref(answered.comparison.before)
        key = panel, answered.view, ref(answered.answer), before
        if (text := self._texts.get(key)) is None:
            text = self._render("panel.html", panel=panel, answered=answered)
            self._texts.put(key, text, getsizeof(text))
        return text

    def _render(self, template: str, **facts: Any) -> Markup:
        return Markup(self._templates.get_template(template).render(facts))
