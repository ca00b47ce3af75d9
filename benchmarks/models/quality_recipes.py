"""What `benchmarks/models/quality.py` fits: baselines, the recipes that were chosen, what was tried, and what papers report."""

from itertools import product

from msgspec.structs import replace

from ml.models.user_item.als import Als
from ml.models.user_item.blend import Blend
from ml.models.user_item.gf_cf import GfCf
from ml.models.user_item.popular import Popular
from ml.models.user_item.user_knn import UserKnn
from ml.registry.artifact import AnyRecipe

SEED = 1
PUBLISHED = {
    "gowalla": {
        "MostPop": (0.0416, 0.0317),
        "ItemCF": (0.1570, 0.1214),
        "MF-BPR": (0.1627, 0.1378),
        "EASE": (0.1765, 0.1467),
        "LightGCN": (0.1830, 0.1554),
        "GF-CF": (0.1849, 0.1518),
        "UltraGCN": (0.1862, 0.1580),
        "SimpleX": (0.1872, 0.1557),
        "BSPM": (0.1920, 0.1597),
    }
}
"""recall@20 and NDCG@20 of the papers, all items ranked, train items left out."""

BASELINES: dict[str, AnyRecipe] = {
    "popular": Popular(),
    "gf_cf_published": GfCf(busy=1.0, used=0.5, popular=0.5, neighbours=1 << 30, factors=256, smooth=0.3, seed=SEED),
}
"""GF-CF is as published."""

ALS = Als(
    factors=512, iterations=10, regularization=100.0, alpha=100.0, seed=SEED, half_life_days=14.0, recent_hours=6.0
)
GRAPH = GfCf(busy=0.6, used=0.5, popular=0.4, neighbours=2000, factors=512, smooth=0.3, seed=SEED)
NEIGHBOURS = UserKnn(shared=0.5, popular=0.2, sharpness=1.5)
CHOSEN: dict[str, AnyRecipe] = {
    "als": ALS,
    "gf_cf": GRAPH,
    "user_knn": NEIGHBOURS,
    "blend": Blend(members=(ALS, GRAPH, NEIGHBOURS), weights=(1.0, 0.7519, 0.7519)),
}
"""What `--tune stretch` chose on Gowalla; on other data no more than a start."""
SERVED = "blend"
"""The best of CHOSEN on the validation part."""

GRIDS: dict[str, list[AnyRecipe]] = {
    "als": [
        replace(ALS, factors=factors, regularization=regularization, alpha=alpha)
        for factors, (regularization, alpha) in product((256, 512), ((30.0, 30.0), (60.0, 60.0), (100.0, 100.0)))
    ],
    "gf_cf": [
        replace(GRAPH, busy=busy, popular=popular, factors=factors, smooth=smooth)
        for busy, popular, factors, smooth in product((0.5, 0.6, 0.75), (0.4, 0.5), (256, 512), (0.1, 0.2, 0.3, 0.4))
    ],
    "user_knn": [
        replace(NEIGHBOURS, popular=popular, sharpness=sharpness)
        for popular, sharpness in product((0.1, 0.2, 0.3), (1.0, 1.25, 1.5))
    ],
}
"""What `--tune` tries of each; those that share a fit stand beside each other."""
