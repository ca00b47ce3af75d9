"""A model on disk: whole, unchanged, of the right shapes, finite, and without a pickle."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

from ml.data.interactions import IdMap, TableVersion
from ml.models.user_item.als import Als, AlsModel
from ml.models.user_item.gf_cf import GfCf, ItemGraphModel
from ml.models.user_item.popular import Popular, PopularModel
from ml.registry.artifact import Artifact, Card, load
from nextclick.errors import ModelError

RECIPE = Als(factors=2, iterations=1, regularization=0.1, alpha=1.0, seed=1, half_life_days=14.0, recent_hours=6.0)


def numbers(*shape: int) -> Any:
    return np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)


def artifact() -> Artifact:
    """Two people, three items."""
    source = TableVersion("/lake/gold/interactions", 7, "table")
    return Artifact(
        card=Card(recipe=RECIPE, popular=Popular(), site="shop", source=source, as_of=1, people=2, items=3),
        model=AlsModel(RECIPE, numbers(2, 2), numbers(3, 2), numbers(3)),
        popular=PopularModel(Popular(), numbers(3)),
        people=IdMap(pa.array(["p0", "p1"])),
        items=IdMap(pa.array(["i0", "i1", "i2"])),
        seen=csr_matrix(np.array([[1, 0, 1], [0, 0, 0]], np.float32)),
    )


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    saved = artifact()
    loaded = load(f"{tmp_path}/model", saved.save(f"{tmp_path}/model"))
    assert loaded.card.source == saved.card.source
    assert loaded.people.ids.equals(saved.people.ids)
    assert loaded.items.ids.equals(saved.items.ids)
    assert all(np.array_equal(loaded.model.arrays[name], array) for name, array in saved.model.arrays.items())
    assert np.array_equal(loaded.seen.toarray(), saved.seen.toarray())


def test_saving_again_gives_the_same_digest_and_no_debris(tmp_path: Path) -> None:
    assert artifact().save(f"{tmp_path}/model") == artifact().save(f"{tmp_path}/model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["model.npz", "people.json", "items.json", "card.json"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    digest = artifact().save(f"{tmp_path}/model")
    whole = (tmp_path / "model" / name).read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "model" / name).write_bytes(whole[:length])
        with pytest.raises(ModelError, match="nextclick train"):
            load(f"{tmp_path}/model", digest)


def test_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    digest = artifact().save(f"{tmp_path}/model")
    path = tmp_path / "model" / "model.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.npz is missing or is not the file that was registered"):
        load(f"{tmp_path}/model", digest)


def test_permuted_ids_are_refused_even_with_a_card_that_fits_them(tmp_path: Path) -> None:
    digest = artifact().save(f"{tmp_path}/model")
    replace(artifact(), people=IdMap(pa.array(["p1", "p0"]))).save(f"{tmp_path}/other")
    shutil.rmtree(tmp_path / "model")
    shutil.copytree(tmp_path / "other", tmp_path / "model")
    with pytest.raises(ModelError, match=r"card\.json is missing or is not the file that was registered"):
        load(f"{tmp_path}/model", digest)


def with_model(**arrays: Any) -> Artifact:
    right = artifact()
    assert isinstance(right.model, AlsModel)
    return replace(right, model=replace(right.model, **arrays))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: with_model(item_factors=numbers(3, 2) * np.nan), "item_factors holds NaN or infinity"),
        (lambda: with_model(person_factors=numbers(2, 2) * np.inf), "person_factors holds NaN or infinity"),
        (lambda: with_model(item_factors=numbers(2, 2)), "its recipe expects"),
        (lambda: with_model(item_factors=numbers(3, 2).astype(np.float64)), "its recipe expects"),
        (lambda: replace(artifact(), items=IdMap(pa.array(["i0", "i1"]))), "names 2 ids; its card says 3"),
        (lambda: replace(artifact(), seen=csr_matrix(([1.0], [9], [0, 1, 1]), shape=(2, 10))), "no matrix of"),
    ],
)
def test_arrays_that_do_not_fit_the_recipe_are_refused(
    tmp_path: Path, make: Callable[[], Artifact], words: str
) -> None:
    digest = make().save(f"{tmp_path}/model")
    with pytest.raises(ModelError, match=words):
        load(f"{tmp_path}/model", digest)


class Trap:
    """Unpickled, it would leave a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_no_pickle_is_ever_loaded(tmp_path: Path) -> None:
    artifact().save(f"{tmp_path}/model")
    trap = np.array([Trap(tmp_path / "mark")], dtype=object)
    np.savez(tmp_path / "model" / "model.npz", person_factors=trap)
    card = msgspec.json.decode((tmp_path / "model" / "card.json").read_bytes(), type=Card)
    (tmp_path / "model" / "card.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(card, sha256={})))
    with pytest.raises(ModelError, match="cannot be read as npz"):
        load(f"{tmp_path}/model")
    assert not (tmp_path / "mark").exists()


def test_a_folder_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nextclick train"):
        load(f"{tmp_path}/nothing")


def sparse(links: csr_matrix) -> Artifact:
    """A model with sparse matrices: the links of three items."""
    right = artifact()
    recipe = GfCf(factors=2)
    model = ItemGraphModel(recipe, right.seen, links, numbers(3, 2))
    return replace(right, card=msgspec.structs.replace(right.card, recipe=recipe), model=model)


LINKS = csr_matrix(np.array([[0, 1, 2], [0, 0, 0], [3, 0, 0]], np.float32))


def test_sparse_matrices_come_back_as_they_were(tmp_path: Path) -> None:
    loaded = load(f"{tmp_path}/model", sparse(LINKS).save(f"{tmp_path}/model")).model
    assert isinstance(loaded, ItemGraphModel)
    assert loaded.links.toarray().tolist() == LINKS.toarray().tolist()
    assert loaded.histories.toarray().tolist() == [[1, 0, 1], [0, 0, 0]]


def bent(part: str, place: int, value: float) -> csr_matrix:
    """The links with one number of one of their arrays changed."""
    links = LINKS.copy()
    getattr(links, part)[place] = value
    return links


@pytest.mark.parametrize(
    ("links", "words"),
    [
        (bent("data", 1, np.nan), "links.data holds NaN or infinity"),
        (bent("indices", 0, 3), "links is no matrix of"),
        (bent("indices", 0, -1), "links is no matrix of"),
        (bent("indptr", 1, 4), "links is no matrix of"),
        (bent("indptr", 3, 9), "its recipe expects"),
        (csr_matrix((2, 3), dtype=np.float32), "its recipe expects"),
    ],
)
def test_a_bent_sparse_matrix_is_refused(tmp_path: Path, links: csr_matrix, words: str) -> None:
    digest = sparse(links).save(f"{tmp_path}/model")
    with pytest.raises(ModelError, match=words):
        load(f"{tmp_path}/model", digest)
