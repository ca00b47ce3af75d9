"""Rejects once more: what is mended goes down the normal path, once, however often it is called."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from collector.dialects import choose
from collector.http.intake import KEY_HASH, Intake
from collector.http.write_keys import Keys
from collector.imports.journal import FileProgress, Journal
from collector.request.model import Refused, Request
from collector.sinks import RequestBatch
from nextclick.contracts import silver
from nextclick.contracts.events import Reject, derived_id
from nextclick.errors import LakeError, TableBusy
from nextclick.extras import importing_kafka
from nextclick.lake.delta import open_table, require
from nextclick.lake.duck import connect, show
from nextclick.lake.locks import hold
from nextclick.landing import outgoing
from nextclick.landing.reader import SegmentLine, read_segment
from nextclick.landing.writer import StagedWriter, settle
from nextclick.settings import Settings
from nextclick.shipping import shipper

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLE: Final = "silver.quarantine"
_SECONDS: Final = "%Y-%m-%dT%H:%M:%SZ"
_ID: Final = "origin || ':' || seq.segment || ':' || seq.position"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One row of silver.quarantine."""

    id: str
    """`ORIGIN:SEGMENT:POSITION`: where the record lies in its log."""
    reason: str
    message: str
    source: str | None
    received_at: int
    """Milliseconds since 1970-01-01 UTC."""
    replayable: bool
    payload: str

    @property
    def place(self) -> tuple[str, str, int]:
        """Origin, segment, position."""
        origin, segment, position = self.id.split(":")
        return origin, segment, int(position)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which rejects are meant; None: any."""

    reason: str | None = None
    source: str | None = None
    id: str | None = None


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rejects that were meant."""

    replayed: int
    """They are where bronze reads once more; the next run takes them into silver."""
    before: int
    """Replayed by an earlier call: left out."""
    not_replayable: int
    """Cut at a limit, damaged, another payload under a taken id, or rows of an import (call it with --again instead)."""
    still_rejected: dict[str, int]
    """By reason: what is wrong with them still is."""


def records(settings: Settings, wanted: Wanted, limit: int | None = None) -> list[Record]:
    """The newest rejects that are meant, newest first. LakeError if there is no table yet."""
    with _quarantine(settings) as duck:
        where, values = _condition(wanted)
        rows = duck.execute(
            f"SELECT {_ID}, reason, message, source, epoch_ms(received_at), replayable, payload FROM quarantine "
            f"WHERE {where} ORDER BY received_at DESC, seq DESC" + (f" LIMIT {limit}" if limit else ""),
            values,
        ).fetchall()
    return _records(rows)


def examples(settings: Settings, since: date, each: int, longest: int) -> list[Record]:
    """Of each reason the newest rejects since a day (UTC), at most `each`; payloads end after `longest` characters."""
    if open_table(settings.lake, TABLE) is None:
        return []
    with _quarantine(settings) as duck:
        rows = duck.execute(
            f"SELECT {_ID}, reason, message, source, epoch_ms(received_at), replayable, left(payload, $longest) FROM quarantine "
            "WHERE received_at >= $since::TIMESTAMPTZ "
            "QUALIFY row_number() OVER (PARTITION BY reason ORDER BY received_at DESC, seq DESC) <= $each "
            "ORDER BY count(*) OVER (PARTITION BY reason) DESC, reason, received_at DESC, seq DESC",
            {"longest": longest, "since": datetime.combine(since, time(), UTC), "each": each},
        ).fetchall()
    return _records(rows)


def _records(rows: Iterable[Sequence[Any]]) -> list[Record]:
    return [Record(**dict(zip(Record.__struct_fields__, row, strict=True))) for row in rows]


def counts(settings: Settings, wanted: Wanted) -> list[dict[str, Any]]:
    """Rejects by reason and source: how many, from when to when, the most frequent first."""
    with _quarantine(settings) as duck:
        where, values = _condition(wanted)
        cursor = duck.execute(
            "SELECT reason, source, origin, count(*) AS rejects, count(*) FILTER (replayable) AS replayable, "
            f"strftime(min(received_at), '{_SECONDS}') AS first_at, strftime(max(received_at), '{_SECONDS}') AS last_at "
            f"FROM quarantine WHERE {where} GROUP BY ALL ORDER BY rejects DESC, reason, source",
            values,
        )
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _quarantine(settings: Settings) -> "DuckDBPyConnection":
    table = open_table(settings.lake, TABLE)
    if table is None:
        raise LakeError(f"{TABLE} was never written. Run `nextclick run`, which brings the rejects into it.")
    duck = connect(settings.lake)
    show(duck, "quarantine", settings.lake, TABLE, table)
    return duck


def _condition(wanted: Wanted) -> tuple[str, dict[str, str]]:
    terms = {
        "reason": "reason = $reason",
        "source": "source = $source",
        "id": f"{_ID} = $id",
    }
    values = {name: value for name in terms if (value := getattr(wanted, name)) is not None}
    return " AND ".join(terms[name] for name in values) or "true", values


def replay(settings: Settings, wanted: Wanted, dry_run: bool = False) -> ReplayReport:
    """Send the rejects that are meant down the normal path again; under the lock of replays."""
    lake = settings.lake
    journal = Journal(lake.imports)
    for folder in outgoing.all_logs(settings):
        settle(folder, journal.committed_segments)
    rejects = records(settings, wanted)
    fresh = [record for record in rejects if journal.progress(_key(record)) is None]
    able = [record for record in fresh if _is_able(record)]
    still: Counter[str] = Counter()
    mended: list[tuple[Record, RequestBatch]] = []
    for record, again in _again(settings, able):
        if isinstance(again, str):
            still[again] += 1
        else:
            mended.append((record, again))
    if mended and not dry_run:
        _restore(settings, [record for record, _ in mended if record.place[0] == "operator"])
        _land(settings, journal, mended)
    return ReplayReport(
        replayed=len(mended),
        before=len(rejects) - len(fresh),
        not_replayable=len(fresh) - len(able),
        still_rejected=dict(sorted(still.items())),
    )


def _restore(settings: Settings, records: Sequence[Record]) -> None:
    """What a person moved out of silver may come in again: build_events looks at the rows that are still `moved`."""
    if not records:
        return
    places = (
        f"(seq['segment'] = '{segment}' AND seq['position'] = {position})"
        for _, segment, position in (record.place for record in records)
    )
    with hold(settings.lake.locks, TABLE, purpose="nextclick quarantine replay"):
        require(settings.lake, TABLE).update(
            predicate=f"origin = 'operator' AND ({' OR '.join(places)})", updates={"reason": f"'{silver.RESTORED}'"}
        )


def _key(record: Record) -> str:
    return derived_id("replay", record.id)


def _is_able(record: Record) -> bool:
    origin, _, _ = record.place
    is_row = origin == "door" and (record.source or "").startswith("import:")
    return record.replayable and not is_row and record.reason != "id_collision"


def _again(settings: Settings, able: Iterable[Record]) -> Iterator[tuple[Record, RequestBatch | str]]:
    """Each record with what it becomes now, or the reason for which it is still rejected."""
    unhurried = msgspec.structs.replace(settings.collector, requests_per_second=0.0)
    intake = Intake(settings, Keys(unhurried))
    able = list(able)
    requests = _requests(settings, able)
    for record in able:
        request = requests.get(record.id)
        if request is None:  # silver's: an event that was understood
            event = record.payload.encode()
            yield record, RequestBatch(record.source or "replay", record.received_at, (event,), ("",), ())
            continue
        routes = intake.routes(request.path)
        if not routes:
            yield record, "no_such_path"
            continue
        try:
            _, batch = intake.take(*choose(routes, request))
        except Refused as refused:
            yield record, refused.reason
        else:
            yield record, batch.reasons[0] if batch.reasons else batch


def _requests(settings: Settings, able: Iterable[Record]) -> dict[str, Request]:
    """The requests of the door's rejects, by id, from the quarantine log: the table holds the payload alone."""
    wanted: dict[str, dict[int, str]] = {}
    for record in able:
        origin, segment, position = record.place
        if origin == "door":
            wanted.setdefault(segment, {})[position] = record.id
    requests, nobody = {}, settings.events.nobody_words
    for segment, positions in wanted.items():
        for line in _lines(settings, segment, positions):
            if line.position is not None and line.received_at is not None and (id := positions.get(line.position)):
                requests[id] = _request(msgspec.json.decode(line.payload, type=Reject), line.received_at, id, nobody)
    return requests


def _lines(settings: Settings, segment: str, positions: Collection[int]) -> Iterator[SegmentLine]:
    """The lines of a segment, or the records of Kafka, of which those at `positions` are wanted."""
    if segment.endswith(".log"):
        return read_segment(f"{settings.lake.log('quarantine')}/{segment}")
    with importing_kafka("Rejects of a Kafka topic are replayed"):
        from collector.replay.kafka_records import read_records

    return read_records(settings, segment, positions)


def _request(reject: Reject, received_at: int, id: str, nobody: frozenset[str] = frozenset()) -> Request:
    envelope = reject.request or {"method": "POST", "path": "/v1/events"}
    headers: dict[str, str] = {name: envelope[name] for name in ("user-agent", "content-type") if name in envelope}
    method, query, body = envelope.get("method", "POST"), envelope.get("query", ""), reject.payload
    if method == "GET" and not query and not body.startswith(("{", "[")):  # it came in the address
        query, body = body, ""
    return Request(
        method=method,
        path=envelope.get("path", ""),
        query=query,
        headers=headers,
        body=body.encode(),
        key_hash=envelope.get(KEY_HASH),
        received_at=received_at,
        token=derived_id("replay", id),
        nobody=nobody,
        ip=envelope.get("ip"),
        anonymous_id=envelope.get("anonymous_id"),
    )


def _land(settings: Settings, journal: Journal, mended: Iterable[tuple[Record, RequestBatch]]) -> None:
    """All or nothing: the journal's file is the commit, as of an import."""
    writer = StagedWriter(outgoing.logs(settings)[0], settings.landing)
    done = []
    for record, again in mended:
        writer.extend(again.events, again.source, again.received_at)
        done.append(FileProgress(key=_key(record), path=record.id, accepted=len(again.events), complete=True))
    journal.write(writer.seal(), done)
    writer.publish()
    writer.close()
    if shipper.has_to_ship(settings):
        with suppress(TableBusy):  # another process ships it
            shipper.Shipper(settings).round()
