"""The lines of an access log: equal ones, odd bytes, broken files; whatever a line holds, it is an event or a reject."""

import gzip
import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from collector.access_logs import lines as lines_module
from collector.access_logs.envelopes import content
from collector.access_logs.formats import FORMATS, recognized
from collector.access_logs.reading import LogReading
from collector.access_logs.values import decoded
from collector.imports.chunks import Chunk, chunks
from collector.request.errors import Unmappable
from nextclick.errors import UsageError
from nextclick.settings import Settings, load

HIT = '203.0.113.9 - - [02/Jan/2026:00:04:05 -0300] "GET {} HTTP/1.1" 200 5'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path / "lake", environ={})


def read(settings: Settings, path: Path, after: int = 0, format: str = "common") -> list[Chunk]:
    """What becomes of a file behind line `after`."""
    reading = LogReading(settings, format, "shop")
    return list(chunks(reading.open(path), reading.to_payload(path), after, settings.landing.max_event_bytes))


def ids(parts: list[Chunk]) -> list[str]:
    return [json.loads(payload)["event_id"] for chunk in parts for payload in chunk.accepted]


def pages(parts: list[Chunk]) -> list[str]:
    return [json.loads(payload)["page_url"] for chunk in parts for payload in chunk.accepted]


def test_equal_lines_are_different_events_and_the_same_file_gives_the_same_ids(
    settings: Settings, tmp_path: Path
) -> None:
    log, packed = tmp_path / "access.log", tmp_path / "access.log.1.gz"
    text = "\n".join([HIT.format("/a"), HIT.format("/b"), HIT.format("/a"), HIT.format("/a")])
    log.write_text(text + "\n")
    packed.write_bytes(gzip.compress(text.replace("\n", "\r\n").encode()))
    assert len(set(ids(read(settings, log)))) == 4
    assert ids(read(settings, log)) == ids(read(settings, packed))
    assert ids(read(settings, log, after=2)) == ids(read(settings, log))[2:]


def test_equal_lines_are_forgotten_by_what_the_file_holds_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "_REMEMBERED", 2)
    log = tmp_path / "access.log"
    log.write_text("".join(HIT.format(page) + "\n" for page in ("/a", "/b", "/a", "/c", "/d", "/e", "/f", "/a")))
    found = ids(read(settings, log))
    assert [found.index(each) for each in found] == [0, 1, 2, 3, 4, 5, 6, 0]
    assert ids(read(settings, log, after=5)) == found[5:]


def test_bytes_are_utf_8_or_else_latin_1_and_neither_stops_the_import(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(
        b"\xef\xbb\xbf" + "\n".join(map(HIT.format, ("/é", "/x"))).encode() + b"\n"
        + HIT.format("/é").encode("latin-1") + b"\n" + HIT.format("/\0").encode()
    )  # fmt: skip
    assert pages(read(settings, log)) == ["/é", "/x", "/é", "/"]


def test_each_line_that_is_none_of_the_format_is_one_reject(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    long = HIT.format("/" + "x" * 70_000)
    log.write_text(f"{HIT.format('/')}\nnot a hit of 203.0.113.9\n\n{long}\n\n{HIT.format('/')}\n")
    (chunk,) = read(settings, log)
    assert len(chunk.accepted) == 2
    assert [(reject.reason, reject.message.partition(": ")[0]) for reject in chunk.rejected] == [
        ("malformed_line", f"{log}:2"), ("too_large", f"{log}:4"),
    ]  # fmt: skip
    assert chunk.rejected[0].payload == "not a hit of 203.0.0.0"


def test_lines_that_end_with_a_carriage_return_alone_are_not_taken_for_one_request(
    settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(
        (HIT.format("/a") + "\r" + HIT.format("/b")).encode() + b"\r\n" + HIT.format("/c").encode() + b"\r\r\n"
    )
    (chunk,) = read(settings, log)
    assert [reject.reason for reject in chunk.rejected] == ["malformed_line"]
    assert len(chunk.accepted) == 1


def test_of_a_file_cut_in_the_middle_the_lines_before_are_in(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "access.log.gz"
    whole = gzip.compress("".join(HIT.format(f"/{n * 7919 % 10_007}") + "\n" for n in range(5_000)).encode())
    log.write_bytes(whole[: len(whole) // 2])
    parts = read(settings, log)
    assert sum(len(chunk.accepted) for chunk in parts) > 1_000
    assert [reject.reason for chunk in parts for reject in chunk.rejected] == ["cut_short"]


def test_what_a_header_said_counts_for_lines_behind_the_place_where_an_import_goes_on(
    settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "u_ex260102.log"
    header = "#Software: IIS\n#Fields: date time c-ip cs-method cs-uri-stem sc-status\n"
    log.write_bytes(b"\xef\xbb\xbf" + header.encode() + b"2026-01-02 03:04:05 203.0.113.9 GET /a 200\n" * 3)
    whole, rest = read(settings, log, format="w3c"), read(settings, log, after=4, format="iis")
    assert ids(whole)[2:] == ids(rest)
    assert len(ids(whole)) == 3


def test_a_folder_gives_its_access_logs_and_an_unknown_format_is_a_clear_error(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for name in ("access.log", "access.log.1", "other.log-20260101", "error.log", "notes.txt"):
        (folder / name).write_text(HIT.format("/") + "\n" if "error" not in name else "nothing of the kind\n")
    reading = LogReading(settings, "auto", "shop")
    assert [path.name for path in reading.find([folder])] == ["access.log", "access.log.1", "other.log-20260101"]
    assert (
        reading.described(folder / "access.log")
        == f"{folder}/access.log: recognized as common (Apache, and most servers since 1995)"
    )
    with pytest.raises(
        UsageError, match=r"The first lines of .*error\.log fit no known format .* --format: combined_vhost, "
    ):
        reading.find([folder / "error.log"])


@pytest.mark.parametrize("format", ["auto", "combined"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HIT.format("/").encode("utf-16"), r"is UTF-16\. Write it as UTF-8 first: iconv"),
        (HIT.format("/").encode("utf-16-le"), r"is UTF-16"),
        (b"PK\x03\x04" + bytes(40), r"is a zip archive\. Unpack it first\."),
        (gzip.compress(b"PK\x03\x04" + bytes(40), mtime=0), r"is a zip archive"),
        (b"access.log".ljust(257, b"\0") + b"ustar\0" + bytes(249) + HIT.format("/").encode() + b"\n", "is a tar archive"),
        (b"PAR1" + bytes(40), "is Parquet"),
        (b"\x7fELF\x02\x01\x01\0" * 40, r"is no text\. Name files of access logs\."),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "is no text"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused_in_words(
    settings: Settings, tmp_path: Path, format: str, content: bytes, message: str
) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        LogReading(settings, format, "shop").find([log])


def test_a_log_that_begins_with_the_zeros_of_a_cut_is_read(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(bytes(100_000) + HIT.format("/a").encode() + b"\n" + b"\x16\x03\n" + HIT.format("/b").encode())
    assert LogReading(settings, "auto", "shop").find([log]) == [log]
    assert pages(read(settings, log)) == ["/a", "/b"]


@given(st.sampled_from(sorted(FORMATS)), st.lists(st.binary(max_size=80)))
@example("rails", [b"\r\x00"])
def test_any_line_is_an_event_a_reject_or_none(
    tmp_path_factory: pytest.TempPathFactory, format: str, lines: list[bytes]
) -> None:
    assume(not lines or not lines[0].startswith(b"\x1f\x8b"))  # what is packed is not read line by line
    _read_bytes(tmp_path_factory.mktemp("log"), format, lines)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "ts", "request", "status", "size", "user_id", "remote_addr", "time", "http_host", "request_uri", "ClientHost", "RequestPath",
    "DownstreamStatus", "StartUTC", "http_user_agent", "request_method", "http_x_forwarded_for", "sent_http_content_type",
)  # fmt: skip
SEEDS = {"ts": 1.0, "time": 1.0, "remote_addr": "203.0.113.9", "ClientHost": "203.0.113.9"}


@given(st.sampled_from(["nginx_json", "caddy", "traefik"]), st.dictionaries(st.sampled_from(KEYS), JSON), JSON)
def test_any_json_is_an_event_a_reject_or_none(
    tmp_path_factory: pytest.TempPathFactory, format: str, values: dict[str, object], inner: object
) -> None:
    request = {
        "client_ip": "203.0.113.9",
        "uri": inner,
        "method": inner,
        "host": inner,
        "headers": {"User-Agent": inner},
    }
    line = json.dumps({**SEEDS, "request": request, **values}).encode()
    _read_bytes(tmp_path_factory.mktemp("log"), format, [line])


@given(
    st.sampled_from(["combined", "combined_vhost", "common", "common_vhost", "w3c", "elb", "alb"]),
    st.lists(
        st.sampled_from(
            [
                '"',
                " ",
                "[",
                "]",
                "-",
                "\\",
                "GET",
                "/",
                "HTTP/1.1",
                "200",
                "\t",
                "203.0.113.9",
                "#Fields:",
                "c-ip",
                "date",
            ]
        )
    ),
)
def test_any_mixture_of_a_formats_words_is_an_event_a_reject_or_none(
    tmp_path_factory: pytest.TempPathFactory, format: str, words: list[str]
) -> None:
    _read_bytes(tmp_path_factory.mktemp("log"), format, ["".join(words).encode()])


def _read_bytes(folder: Path, format: str, lines: list[bytes]) -> None:
    log = folder / "access.log"
    log.write_bytes(b"\n".join(lines))
    parts = read(load(folder / "lake", environ={}), log, format=format)
    texts = [decoded(line.removeprefix(b"\xef\xbb\xbf").lstrip(b"\0")) for line in log.read_bytes().split(b"\n")]
    directives = "#" if format in ("w3c", "cloudfront", "zeek") else "\n"
    records = [text for text in texts if text.strip() and not text.startswith(directives)]
    if format == "rails":  # says several lines of a request; a CR that ends no line is refused wherever it stands
        records = [text for text in records if "Started " in text or "\r" in text.rstrip("\r")]
    assert sum(len(chunk.accepted) + len(chunk.rejected) for chunk in parts) == len(records)
    recognized(lines)


def test_no_line_of_any_format_takes_long() -> None:
    begun = time.process_time()
    for format in FORMATS.values():
        read = format.reader()
        for bad in (
            '{"remote_addr": "203.0.113.9", "time":' + " " * 60_000,
            '{"a": ' + '\\"' * 30_000,
            "INFO:a:" + "\t" * 60_000,
            "a=1 " * 15_000 + '"',
            'x="' * 20_000,
            "203.0.113.9 [" + "1.1.1.1 " * 7_000,
            "2026-01-02T03:04:05Z " + "." * 60_000,
            "203.0.113.9 " + "[1 " * 20_000,
        ):
            with suppress(Unmappable, ValueError):
                read(content(bad))
    assert time.process_time() - begun < 5
