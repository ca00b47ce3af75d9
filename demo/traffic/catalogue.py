"""The shop of the demo: invented items with names, categories, prices and attributes."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

NOUNS: Final = {
    "mugs": "mug", "lamps": "lamp", "rugs": "rug", "kites": "kite", "puzzles": "puzzle", "teas": "tea",
    "planters": "planter", "notebooks": "notebook", "towels": "towel", "baskets": "basket", "candles": "candle",
    "electronics": "radio",
}  # fmt: skip
"""What an item of each category is called."""
CATEGORIES: Final = tuple(NOUNS)
STYLES: Final = ("plain", "playful", "classic", "wild", "nordic", "retro")
COLOURS: Final = ("red", "green", "blue", "sand", "black", "white")
_MOODS: Final = (
    "Amber", "Brisk", "Calm", "Dusky", "Early", "Faded", "Gentle", "Hazy", "Idle", "Jolly", "Keen", "Lunar",
)  # fmt: skip
_MOTIFS: Final = (
    "Acorn", "Badger", "Comet", "Dune", "Ember", "Fern", "Gull", "Heron", "Inlet", "Juniper", "Kelp", "Lichen",
)  # fmt: skip
MAX_ITEMS: Final = len(CATEGORIES) * len(_MOODS) * len(_MOTIFS)
CENTS_OF_A_EURO: Final = {"EUR": 100, "GBP": 86}
"""What one euro costs: the shop sells in two currencies."""


@dataclass(frozen=True)
class ShopItems:
    """The items, one array entry an item."""

    ids: npt.NDArray[np.str_]
    names: npt.NDArray[np.str_]
    category: npt.NDArray[np.int64]
    """Index into CATEGORIES."""
    style: npt.NDArray[np.int64]
    """Index into STYLES."""
    colour: npt.NDArray[np.int64]
    """Index into COLOURS."""
    euros: npt.NDArray[np.int64]
    """Price in whole euros."""

    def __len__(self) -> int:
        return len(self.ids)

    def cents(self, items: npt.NDArray[np.int64], currency: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
        """The price of each item in its buyer's currency, in hundredths."""
        rate = np.where(currency == "GBP", CENTS_OF_A_EURO["GBP"], CENTS_OF_A_EURO["EUR"])
        return self.euros[items] * rate

    def records(self, exported_at: str) -> list[dict[str, Any]]:
        """The rows that `nextclick import --kind items` reads."""
        columns = (self.ids, self.names, self.category, self.style, self.colour, self.euros)
        return [
            {
                "item_id": item,
                "name": name,
                "category": CATEGORIES[category],
                "price": f"{euros}.00",
                "currency": "EUR",
                "available": True,
                "attributes": {"style": STYLES[style], "colour": COLOURS[colour]},
                "timestamp": exported_at,
            }
            for item, name, category, style, colour, euros in zip(*(column.tolist() for column in columns), strict=True)
        ]


def make_catalogue(rng: np.random.Generator, items: int) -> ShopItems:
    """`items` distinct names (at most MAX_ITEMS), spread evenly over the categories."""
    category = np.arange(items) % len(CATEGORIES)
    words = rng.permutation(len(_MOODS) * len(_MOTIFS))[np.arange(items) // len(CATEGORIES)]
    names = [
        f"{_MOODS[word // len(_MOTIFS)]} {_MOTIFS[word % len(_MOTIFS)]} {NOUNS[CATEGORIES[kind]]}"
        for word, kind in zip(
            ((words + 5 * category) % (len(_MOODS) * len(_MOTIFS))).tolist(), category.tolist(), strict=True
        )
    ]
    return ShopItems(
        ids=np.array([f"i{n:04d}" for n in range(items)]),
        names=np.array(names),
        category=category,
        style=rng.integers(len(STYLES), size=items),
        colour=rng.integers(len(COLOURS), size=items),
        euros=np.maximum(2, np.rint(rng.lognormal(3.0, 0.7, items))).astype(np.int64),
    )
