"""What `benchmarks/models/quality.py` judges beside what is chosen: baselines, and what papers report."""

from ml.models.user_item.gf_cf import GfCf
from ml.models.user_item.popular import Popular
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
    },
    "people-ml1m": {"UltraGCN": (0.2787, 0.2642)},
}
"""recall@20 and NDCG@20 of the papers, all items ranked, train items left out."""

BASELINES: dict[str, AnyRecipe] = {
    "popular": Popular(),
    "gf_cf_published": GfCf(busy=1.0, used=0.5, popular=0.5, neighbours=1 << 30, factors=256, smooth=0.3, seed=SEED),
}
"""GF-CF is as published."""
