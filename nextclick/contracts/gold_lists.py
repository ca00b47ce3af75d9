"""The lists that a training exports, and the vectors behind them."""

from nextclick.contracts.silver import SITE
from nextclick.contracts.table import Column, Table

RECOMMENDATIONS = Table(
    name="gold.recommendations",
    doc="One row per person and rank: the lists of the last export.",
    columns=(
        SITE,
        Column("person_id", "string", "The person.", nullable=False),
        Column("rank", "int", "Place in the list, from 1.", nullable=False, minimum=1),
        Column("item_id", "string", "The item.", nullable=False),
        Column("score", "float", "The model's score; comparable within one list.", nullable=False),
        Column("model_version", "string", "Registered version of the model, or `popular`.", nullable=False),
        Column("generated_at", "timestamp", "When the list was made.", nullable=False),
    ),
    key=("site", "person_id", "rank"),
    job="lists",
    spark=False,
    reads=("gold.interactions",),
)

POPULAR_ITEMS = Table(
    name="gold.popular_items",
    doc="One row per rank: what everybody uses, for people nobody knows yet.",
    columns=(
        SITE,
        Column("rank", "int", "Place in the list, from 1.", nullable=False, minimum=1),
        Column("item_id", "string", "The item.", nullable=False),
        Column("score", "float", "Strength of all its interactions, decayed to the newest.", nullable=False),
        Column("model_version", "string", "Model that was exported with it, or `popular`.", nullable=False),
        Column("generated_at", "timestamp", "When the list was made.", nullable=False),
    ),
    key=("site", "rank"),
    job="lists",
    spark=False,
    reads=("gold.interactions",),
)

SIMILAR_ITEMS = Table(
    name="gold.similar_items",
    doc="One row per item and rank: items like it, by whichever of vectors, sessions and words foretells best what follows.",
    columns=(
        SITE,
        Column("item_id", "string", "The item that is looked at.", nullable=False),
        Column("rank", "int", "Place in its list, from 1.", nullable=False, minimum=1),
        Column("similar_item_id", "string", "The item that resembles it.", nullable=False),
        Column("score", "float", "Cosine, -1 to 1; comparable within one list.", nullable=False),
        Column("model_version", "string", "Registered version of the model.", nullable=False),
        Column("generated_at", "timestamp", "When the list was made.", nullable=False),
    ),
    key=("site", "item_id", "rank"),
    job="lists",
    spark=False,
    reads=("gold.interactions", "silver.events", "silver.items"),
)

NEXT_ITEMS = Table(
    name="gold.next_items",
    doc="One row per item and rank: what people use next after it, by the sessions up to the last full export or the refresh since.",
    columns=(
        SITE,
        Column("item_id", "string", "The item that is looked at.", nullable=False),
        Column("rank", "int", "Place in its list, from 1.", nullable=False, minimum=1),
        Column("next_item_id", "string", "The item that follows.", nullable=False),
        Column("score", "float", "The session model's score; comparable within one list.", nullable=False),
        Column("model_version", "string", "Model that was exported with it, or `popular`.", nullable=False),
        Column("generated_at", "timestamp", "When the list was made.", nullable=False),
    ),
    key=("site", "item_id", "rank"),
    job="lists",
    spark=False,
    reads=("silver.events", "gold.interactions"),
)

ITEM_VECTORS = Table(
    name="gold.item_vectors",
    doc="One row per item that has a vector: near to those of items that the same people use. Visitors' live embeddings are made of them.",
    columns=(
        SITE,
        Column("item_id", "string", "The item.", nullable=False),
        Column("vector", "array<float>", "Its coordinates; comparable within one model_version.", nullable=False),
        Column("model_version", "string", "Model that was exported with it, or `popular`.", nullable=False),
        Column("generated_at", "timestamp", "When the row was written.", nullable=False),
    ),
    key=("site", "item_id"),
    job="lists",
    spark=False,
    reads=("silver.events", "gold.interactions"),
)
