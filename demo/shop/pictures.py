"""A picture for every good: the category gives the shape (shapes/CATEGORY.svg), colour and style the rest."""

from functools import cache
from pathlib import Path
from typing import Final

from demo.shop.goods import Good

_COLOURS: Final = {
    "red": "#c8553d", "green": "#588157", "blue": "#3d6b9c", "sand": "#d9b382", "black": "#3a3a3a", "white": "#fffdf8",
}  # fmt: skip
_BACKGROUNDS: Final = {
    "plain": "#dfe4e7", "playful": "#ffe8d6", "classic": "#e2dac0", "wild": "#cbe5d1", "nordic": "#c9dcef", "retro": "#f6dfe6",
}  # fmt: skip
_STYLE: Final = """
  <style>path, rect, circle {{ fill: {colour} }}
    .line {{ fill: none; stroke: {colour}; stroke-width: 3 }} .light {{ fill: none; stroke: {light}; stroke-width: 3 }}</style>
  <path d="M0 0h100v100H0z" style="fill: {background}"/>"""


def picture(good: Good) -> str:
    """The good as SVG, its shape filled in its colour on the background of its style."""
    colour = good.attributes["colour"]
    light = "#0002" if colour == "white" else "#fff8"
    style = _STYLE.format(colour=_COLOURS[colour], light=light, background=_BACKGROUNDS[good.attributes["style"]])
    head, _, shape = _shape(good.category).partition("\n")
    return f"{head}{style}\n{shape}"


@cache
def _shape(category: str) -> str:
    return (Path(__file__).parent / "shapes" / f"{category}.svg").read_text(encoding="utf-8")
