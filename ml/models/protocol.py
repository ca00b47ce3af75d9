"""What a recommender is.

A `Recipe` is a model before it has seen data: a frozen struct of its parameters, so
that equal recipes fitted on equal data give equal models, and a recipe read back from
JSON rebuilds the model. `fit` gives a `Recommender`. What only some models can do is a
protocol of its own (`SimilarItems`, `FoldIn`, `Explains`), asked for with isinstance.

A model that blends others is a recipe with recipes in it. A `SessionRecipe` fits
`Sessions` and gives a `NextItem`, which knows no person: it is asked with the items of
a session so far.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, Self, runtime_checkable

from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Interactions, Rows
from ml.data.sessions import Sessions
from ml.models.topk.sparse_arrays import Sparse

Arrays = Mapping[str, NDArray[Any]]
Layout = Mapping[str, tuple[int, ...] | Sparse]
"""The shape of each float32 array of a model, or of each sparse matrix, by its name."""
Progress = Callable[[int, int], None]
"""Called with (done, total)."""


Stages = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


def quiet(*_: object) -> None:
    """Progress that nobody watches."""


class Lists(NamedTuple):
    """One ranked list a row, best first; a list that ends early is filled up with item −1, score 0."""

    items: Rows
    """Rows of items, int32 [lists × n]."""
    scores: Floats
    """float32 [lists × n]; comparable within one list."""


@runtime_checkable
class Recommender(Protocol):
    """A fitted model over the people and items that it was fitted on, by their rows."""

    @property
    def recipe(self) -> "Recipe":
        """What fits it again."""

    @property
    def arrays(self) -> Arrays:
        """All that was learned; `recipe.restore(arrays)` gives the model back."""

    def recommend(self, people: Rows, n: int, seen: csr_matrix | None = None) -> Lists:
        """The n best items of each person; `seen` has one row per entry of `people`: items to leave out.

        A person about whom the model knows nothing gets an empty list.
        """


@runtime_checkable
class RanksVectors(Protocol):
    """A model whose list of a person needs that person's vector, and of all others nothing: they can be made apart."""

    @property
    def person_factors(self) -> Floats:
        """The vector of each person."""

    def rank(self, vectors: Floats, n: int, seen: csr_matrix | None = None) -> Lists:
        """The lists of people with these vectors, as `recommend` gives them."""

    def alone(self) -> Self:
        """The model without anybody's vector."""


@runtime_checkable
class SimilarItems(Protocol):
    """A model that knows which items resemble each other."""

    def similar(self, items: Rows, n: int) -> Lists:
        """The n items nearest to each of `items`, itself left out; scores are cosines."""


@runtime_checkable
class FoldIn(Protocol):
    """A model that takes changed people and new items in without a new fit."""

    def fold_in(self, pairs: Interactions, people: Rows, new_items: Rows) -> Self:
        """The model after `people` have changed and `new_items` have come; `pairs` are all pairs there are now.

        The id maps of `pairs` are the model's, with new people and items at the end. A
        person without pairs is forgotten.
        """


class Embedding(NamedTuple):
    """A vector for each item; equal ones, all zero, for items about which nothing is known."""

    method: Literal["als", "item2vec"]
    vectors: Floats
    """Items × dimensions."""
    regularization: float = 0.0
    alpha: float = 0.0
    """What folds a person into the space of a factorization; nextclick/profile/embedding.py."""


@runtime_checkable
class Embeds(Protocol):
    """A model that places items in a space."""

    def embedding(self) -> Embedding | None:
        """The vectors of the items; None where the model has none after all."""


@runtime_checkable
class Explains(Protocol):
    """A model whose scores are sums over what the person has used."""

    def contributions(self, items: Rows, history: Interactions) -> Floats:
        """[items × history]: what each pair of one person's `history` adds to the score of each of `items`."""


@runtime_checkable
class Recipe(Protocol):
    """The parameters of a model: fits it, and restores it from its arrays."""

    def fit(self, train: Interactions, threads: int = 0, progress: Progress = quiet) -> Recommender:
        """Learn from `train`; the result does not depend on `threads` (0: all cores)."""

    def adopt(self, model: Recommender) -> Recommender | None:
        """The model of this recipe, if what `model` has learned serves it as it is; else None."""

    def layout(self, people: int, items: int) -> Layout:
        """What the arrays of a model of this many people and items look like."""

    def restore(self, arrays: Arrays) -> Recommender:
        """The fitted model that these arrays came from."""


@runtime_checkable
class NextItem(Protocol):
    """A fitted model of what follows in a session, over the items that it was fitted on."""

    @property
    def recipe(self) -> "SessionRecipe":
        """What fits it again."""

    @property
    def arrays(self) -> Arrays:
        """All that was learned; `recipe.restore(arrays)` gives the model back."""

    def next_items(self, recent: Rows, n: int, seen: csr_matrix | None = None, repeats: bool = False) -> Lists:
        """The n items most likely to follow each row of `recent`, less what `seen` holds.

        What the row holds is left out as well, unless `repeats` are wanted.

        `recent` is [lists × L]: the items of a session so far, oldest first, padded left with −1.
        """


@runtime_checkable
class SessionRecipe(Protocol):
    """The parameters of a model of the next item."""

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> NextItem:
        """Learn from `train`, whose newest click is the present; the result does not depend on `threads`."""

    def layout(self, items: int) -> Layout:
        """What the arrays of a model of this many items look like."""

    def restore(self, arrays: Arrays) -> NextItem:
        """The fitted model that these arrays came from."""
