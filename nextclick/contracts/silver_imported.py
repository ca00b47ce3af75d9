"""What others say, by import: costs of advertising, figures of the market."""

from nextclick.contracts.silver import AMOUNT, SITE
from nextclick.contracts.table import Column, Table

COSTS = Table(
    name="silver.costs",
    doc="One row per day, site, network, account, campaign, content and currency: what an advertising network says it cost.",
    columns=(
        Column("date", "date", "Day, in the account's time zone.", nullable=False),
        SITE,
        Column("network", "string", "google_ads, meta_ads, or what the file says.", nullable=False),
        Column("account", "string", "The network's account; or `(none)`.", nullable=False),
        Column("source", "string", "utm_source of its visits.", nullable=False),
        Column("medium", "string", "utm_medium of its visits; or `(none)`.", nullable=False),
        Column("campaign", "string", "utm_campaign of its visits; or `(none)`.", nullable=False),
        Column("content", "string", "utm_content of its visits; or `(none)`.", nullable=False),
        Column("currency", "string", "ISO 4217 code.", nullable=False),
        Column("impressions", "bigint", "How often it was shown; null where nobody says.", minimum=0),
        Column("clicks", "bigint", "How often it was clicked; null where nobody says.", minimum=0),
        Column("cost", AMOUNT, "What was paid.", nullable=False, minimum=0),
        Column("file", "string", "The file that says so.", nullable=False),
        Column("imported_at", "timestamp", "When it was imported.", nullable=False),
    ),
    key=("date", "site", "network", "account", "source", "medium", "campaign", "content", "currency"),
    job="import",
    spark=False,
    partitioned_by=("date",),
    change_feed=True,
)

MARKET = Table(
    name="silver.market",
    doc="One row per day, domain and metric: what a panel or a service says of sites, also of others'. Never mixed with own clicks.",
    columns=(
        Column("date", "date", "Day.", nullable=False),
        Column("domain", "string", "The site that it is about.", nullable=False),
        Column("metric", "string", "Such as visits.", nullable=False),
        Column("value", "double", "Its value.", nullable=False),
        Column("origin", "string", "Who says so.", nullable=False),
        Column("file", "string", "The file that says so.", nullable=False),
        Column("imported_at", "timestamp", "When it was imported.", nullable=False),
    ),
    key=("date", "domain", "metric", "origin"),
    job="import",
    spark=False,
    partitioned_by=("date",),
)
