"""What nextclick itself did and noticed: items served, sends of triggers, changes of audiences."""

from nextclick.contracts.silver import REVENUE, SITE
from nextclick.contracts.table import Column, Table

SERVED_ITEMS = Table(
    name="silver.served_items",
    doc="One row per item of an answer: that it was served, and, where it happened, shown, clicked, put into a cart and bought.",
    columns=(
        SITE,
        Column("request_id", "string", "The answer.", nullable=False),
        Column("item_id", "string", "The item.", nullable=False),
        Column("position", "int", "Its place in the answer, from 1.", nullable=False, minimum=1),
        Column("visitor_id", "string", "Whom the answer was for.", nullable=False),
        Column("user_id", "string", "The known user, where the request named one."),
        Column("surface", "string", "Where on the page or app it was asked for."),
        Column("model_version", "string", "The model that made the answer."),
        Column("experiment", "string", "The experiment that the visitor was in."),
        Column("variant", "string", "The experiment's variant."),
        Column(
            "propensity",
            "double",
            "Probability with which the item was put at this place; 1 where nothing is drawn.",
            minimum=0,
            maximum=1,
        ),
        Column(
            "answered_from", "string", "Which way of answering it was: a list of the person's own, popular items, …"
        ),
        Column("degraded", "boolean", "The answer was a makeshift, since a store was down or slow."),
        Column(
            "features",
            "map<string,double>",
            "What the ranking knew of the item when it answered, and `ctr`, the click it foresaw: nextclick/ctr.py.",
        ),
        Column("user_agent", "string", "Of the first event that says that it was shown, else of the request."),
        Column("served_at", "timestamp", "When the answer was made.", nullable=False),
        Column("shown_at", "timestamp", "First event that names the request and the item: an impression, or an act."),
        Column("clicked_at", "timestamp", "First click that counts for this row: docs/loop.md says which do."),
        Column("carted_at", "timestamp", "First add_to_cart that counts for it."),
        Column("purchased_at", "timestamp", "First purchase that counts for it."),
        Column(
            "revenue",
            REVENUE,
            "Sum of price × quantity of those purchases less their refunds, per currency.",
            nullable=False,
        ),
    ),
    key=("site", "request_id", "item_id"),
    job="build_served_items",
    does="what was served, shown, clicked",
    made_with=("attribution",),
    reads=("silver.events",),
    waits_for=("silver.events", "request_id"),
    change_feed=True,
)

SENDS = Table(
    name="silver.sends",
    doc="One row per occasion of a trigger (docs/triggers.md): whether the person was sent something, and if not, why.",
    columns=(
        SITE,
        Column(
            "send_id", "string", "The trigger id: a hash of trigger, person and occasion; `webhook-id`.", nullable=False
        ),
        Column("trigger", "string", "The file of conf/triggers/.", nullable=False),
        Column("person_id", "string", "The person, as known when it was decided.", nullable=False),
        Column("visitor_id", "string", "The device that the person used last."),
        Column(
            "outcome",
            "string",
            "What became of it; failed: a dead letter, which a replay can make sent.",
            nullable=False,
            one_of=("sent", "held_out", "capped", "quiet", "no_consent", "failed"),
        ),
        Column("due_at", "timestamp", "From when on the occasion counted.", nullable=False),
        Column("decided_at", "timestamp", "When it was decided.", nullable=False),
        Column("ended_at", "timestamp", "When the outcome was final, such as by the receiver's yes.", nullable=False),
        Column(
            "holdout", "double", "Share of people that the trigger held out then.", nullable=False, minimum=0, maximum=1
        ),
        Column(
            "window_s", "bigint", "Seconds after the decision in which a purchase counts.", nullable=False, minimum=1
        ),
        Column("tries", "int", "Tries of the webhook.", nullable=False, minimum=0),
        Column("items", "array<string>", "The items that it is about.", nullable=False),
        Column("error", "string", "Why the last try failed."),
    ),
    key=("site", "send_id"),
    job="sends",
    does="who was sent what",
    spark=False,
    reads=("silver.events",),
)

SUBJECT = (
    SITE,
    Column("audience", "string", "The audience, by its name in conf/audiences/.", nullable=False),
    Column(
        "subject_kind",
        "string",
        "A device or browser, with the events that name it, or a known user, with those that name them.",
        nullable=False,
        one_of=("visitor", "user"),
    ),
    Column("subject_id", "string", "The visitor_id or user_id.", nullable=False),
)

AUDIENCE_CHANGES = Table(
    name="silver.audience_changes",
    doc="One row per change: somebody belongs to an audience from then on, or no more. Each says other than the one before it.",
    columns=(
        *SUBJECT,
        Column("changed_at", "timestamp", "When it was noticed.", nullable=False),
        Column("entered", "boolean", "They belong from then on; else no more.", nullable=False),
        Column("event_id", "string", "The event of silver.events that says so.", nullable=False),
    ),
    key=("site", "audience", "subject_kind", "subject_id", "changed_at"),
    job="audience_changes",
    does="who entered and left audiences",
    spark=False,
    reads=("silver.events",),
)
