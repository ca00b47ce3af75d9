"""History files of any form give the same rows; what is damaged costs no more than itself."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.imports.cells import Row
from collector.imports.chunks import chunks
from collector.imports.mapping import Mapping
from collector.imports.opening import open_source
from collector.request.errors import Unmappable
from nextclick.errors import UsageError

ROWS = [{"who": "a", "at": "1"}, {"who": "b", "at": "2"}]
CSV = b"who,at\na,1\nb,2\n"
JSON = b'{"who": "a", "at": "1"}\n{"who": "b", "at": "2"}\n'


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(content, asbytes=True)
    return packed


Found = list[tuple[int, Row | str]]


def read(path: Path, mapping: Mapping | None = None, after: int = 0, size: int = 2_000) -> Found:
    """(line, row) of each record; of an unreadable one the reason instead of the row."""
    with closing(open_source(path, mapping or Mapping())) as source:
        return [
            (number, row.reason if isinstance(row, Unmappable) else row)
            for batch in source.batches(after, size)
            for number, row in zip(batch.numbers, batch.rows, strict=True)
        ]


def file(folder: Path, content: bytes, name: str = "history") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def parquet(folder: Path, rows: list[Row]) -> Path:
    path = folder / "history"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize(
    "content",
    [CSV, CSV.replace(b",", b"\t"), CSV.replace(b",", b";"), CSV.replace(b",", b"|"), CSV.replace(b"\n", b"\r\n"),
     b"\xef\xbb\xbf" + CSV, CSV.rstrip(), gzip.compress(CSV, mtime=0),
     gzip.compress(CSV[:9], mtime=0) + gzip.compress(CSV[9:], mtime=0) + b"\0" * 20, gzip.compress(JSON, mtime=0), JSON,
     bz2.compress(CSV[:9]) + bz2.compress(CSV[9:]), lzma.compress(CSV[:9]) + lzma.compress(CSV[9:]) + b"\0" * 4,
     zstd(CSV[:9]) + zstd(CSV[9:])],
    ids=["csv", "tabs", "semicolons", "pipes", "crlf", "mark", "no end", "gzip", "gzips", "gzip of json", "json", "bzip2", "xz", "zstd"],
)  # fmt: skip
def test_the_bytes_tell_the_form_not_the_name(tmp_path: Path, content: bytes) -> None:
    assert [row for _, row in read(file(tmp_path, content))] == ROWS


def test_parquet_has_the_same_rows_and_dotted_nested_columns(tmp_path: Path) -> None:
    assert read(parquet(tmp_path, ROWS)) == [(1, ROWS[0]), (2, ROWS[1])]
    nested = parquet(tmp_path, [{"who": {"id": 1}, "at": 5}])
    assert read(nested) == [(1, {"who.id": 1, "at": 5})]
    assert open_source(nested, Mapping()).columns == ["who.id", "at"]


def test_a_mapping_may_name_columns_encoding_and_delimiter(tmp_path: Path) -> None:
    mapping = Mapping(columns=["who", "at"], encoding="latin-1", delimiter="|")
    assert read(file(tmp_path, b"caf\xe9|1\n"), mapping) == [(1, {"who": "café", "at": "1"})]


@pytest.mark.parametrize("mark", ["|", "\t", ";"])
def test_the_first_line_of_a_file_for_excel_names_the_delimiter(tmp_path: Path, mark: str) -> None:
    path = file(tmp_path, f"sep={mark}\r\nwho{mark}at\r\na{mark}1\r\nb{mark}2\r\n".encode())
    assert read(path) == [(3, ROWS[0]), (4, ROWS[1])]
    assert read(path, after=3) == [(4, ROWS[1])]
    bare = file(tmp_path, f"sep={mark}\na{mark}1\n".encode(), "bare")
    assert read(bare, Mapping(columns=["who", "at"])) == [(2, ROWS[0])]


def test_a_quoted_value_may_hold_newlines_and_rows_are_known_by_their_first_line(tmp_path: Path) -> None:
    assert read(file(tmp_path, b'who,at\n"a\nb",1\n\nc,2\n')) == [
        (2, {"who": "a\nb", "at": "1"}),
        (5, {"who": "c", "at": "2"}),
    ]


def test_an_unclosed_quote_costs_its_own_line_alone(tmp_path: Path) -> None:
    found = read(file(tmp_path, b'who,at\n"a,1\nb,2\nc,"3\nd,4\n'))
    assert found == [
        (2, "malformed_row"),
        (3, {"who": "b", "at": "2"}),
        (4, "malformed_row"),
        (5, {"who": "d", "at": "4"}),
    ]


def test_a_row_with_too_few_or_too_many_columns_is_named(tmp_path: Path) -> None:
    found = read(file(tmp_path, b"who,at\na\nb,2\nc,3,x\n"))
    assert found == [(2, "wrong_column_count"), (3, {"who": "b", "at": "2"}), (4, "wrong_column_count")]


def test_json_that_is_none_is_named_and_blank_lines_count_as_lines(tmp_path: Path) -> None:
    content = b'{"a": {"b": 1}}\n\n{"a"\n[1]\n{"a": "\xe9"}\n{"a": "\\ud800"}\n' + b'{"a":' * 5_000 + b"\n"
    assert read(file(tmp_path, content)) == [
        (1, {"a.b": 1}), (3, "malformed_json"), (4, "malformed_json"), (5, "undecodable"), (6, {"a": "\ufffd"}),
        (7, "malformed_json"),
    ]  # fmt: skip


def test_json_with_a_mark_nan_and_halves_of_emoji_is_mended_and_big_numbers_stay(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"a": 1}\n{"a": NaN, "b": -Infinity, "c": 1e400, "d": 12345678901234567890123}\n{"a": "x\\ud83d"}\n'
    assert read(file(tmp_path, content)) == [
        (1, {"a": 1}), (2, {"a": None, "b": None, "c": None, "d": 12345678901234567890123}), (3, {"a": "x\ufffd"}),
    ]  # fmt: skip


def test_a_line_of_an_array_is_its_object(tmp_path: Path) -> None:
    content = b'{"a": 1},\n{"a": 2} , ,\r\n{"a": 3\n,\n'
    assert read(file(tmp_path, content)) == [
        (1, {"a": 1}), (2, {"a": 2}), (3, "malformed_json"), (4, "malformed_json"),
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_delimited_utf_16_is_read_by_its_mark_or_where_the_mapping_says_so(tmp_path: Path, encoding: str) -> None:
    content = "who,at\na,1\nbé,2\n".encode(encoding)
    mapping = Mapping() if encoding == "utf-16" else Mapping(encoding=encoding)
    assert read(file(tmp_path, content), mapping) == [(2, {"who": "a", "at": "1"}), (3, {"who": "bé", "at": "2"})]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (JSON.decode().encode("utf-16"), "is UTF-16. Write it as UTF-8 first"),
        (CSV.decode().encode("utf-16-le"), "is UTF-16"),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", "is a workbook of Excel. Save it as CSV first"),
        (gzip.compress(b"PK\x03\x04" + bytes(26)), "is a zip archive. Unpack it first"),
        (bytes(range(32)) * 9, "is no text. Name files of CSV, TSV, JSON lines or Parquet."),
    ],
    ids=["utf-16 json", "utf-16 without a mark", "xlsx", "zip", "no text"],
)
def test_a_file_that_is_no_text_is_refused_in_words(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_source(file(tmp_path, content), Mapping())


def test_quotes_delimiters_and_nulls_may_be_escaped_as_mysql_writes_them(tmp_path: Path) -> None:
    content = b'who,at\n"say \\"hi\\", you",1\n"a\\\nb",2\na\\,b,\\N\n\\N,"\\\\N"\n'
    assert read(file(tmp_path, content), Mapping(escape="\\")) == [
        (2, {"who": 'say "hi", you', "at": "1"}),
        (3, {"who": "a\nb", "at": "2"}),
        (5, {"who": "a,b", "at": ""}),
        (6, {"who": "", "at": "\\N"}),
    ]
    with closing(open_source(file(tmp_path, content), Mapping())) as source:
        (fault, *_) = next(source.batches(0, 9)).rows
    assert "give the mapping escape" in str(fault)


def test_hives_delimiter_is_no_sign_of_binary(tmp_path: Path) -> None:
    mapping = Mapping(columns=["who", "at"], delimiter="\x01")
    assert read(file(tmp_path, b"a\x011\n"), mapping) == [(1, {"who": "a", "at": "1"})]


def test_a_value_of_parquet_that_no_python_type_holds_is_text_and_costs_itself(tmp_path: Path) -> None:
    times = pa.array([1, 1 << 60]).cast(pa.timestamp("ms"))
    names = pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xe9"))
    pq.write_table(pa.table({"who": ["a", "b"], "at": times, "name": names}), tmp_path / "history")
    [_, (_, row)] = read(tmp_path / "history")
    assert row == {"who": "b", "at": "timestamp[ms] 1152921504606846976", "name": b"\xe9"}


def test_a_row_that_nobody_foresaw_is_a_reject_and_no_reject_keeps_secrets(tmp_path: Path) -> None:
    rows = b"who,url\na,https://ann:pw@shop.example/?token=s3cret&q=lamp\nb,https://shop.example/?q=desk\n"

    def to_payload(row: Row | Unmappable) -> bytes:
        if not isinstance(row, Unmappable) and row["who"] == "a":
            raise ZeroDivisionError(row["url"])
        return b"{}"

    with closing(open_source(file(tmp_path, rows), Mapping())) as source:
        [chunk] = chunks(source, to_payload, 0, 65_536)
    [reject] = chunk.rejected
    assert (reject.reason, reject.payload, chunk.accepted) == (
        "mapping_error",
        "a,https://shop.example/?q=lamp",
        [b"{}"],
    )
    assert "s3cret" not in reject.message
    assert "ZeroDivisionError" in reject.message


def test_an_endless_line_is_cut_and_the_rest_goes_on(tmp_path: Path) -> None:
    bomb = gzip.compress(b"who,at\na," + b"9" * 5_000_000 + b"\nb,2\n")
    assert read(file(tmp_path, bomb)) == [(2, "malformed_row"), (3, {"who": "b", "at": "2"})]


def test_a_json_array_and_a_missing_file_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one object a line"):
        open_source(file(tmp_path, b'[{"who": 1}]'), Mapping())
    with pytest.raises(UsageError, match="nowhere cannot be read: No such file"):
        open_source(tmp_path / "nowhere", Mapping())


@pytest.mark.parametrize("content", [CSV, JSON], ids=["csv", "json"])
def test_gzip_cut_at_any_byte_gives_the_rows_before_the_cut_and_says_so(tmp_path: Path, content: bytes) -> None:
    packed = gzip.compress(content)
    for length in range(2, len(packed)):
        path = file(tmp_path, packed[:length], "history.jsonl" if content is JSON else "history.csv")
        with closing(open_source(path, Mapping())) as source:
            found = [row for batch in source.batches(0, 10) for row in batch.rows]
            assert found == ROWS[: len(found)]
            assert source.damage, length


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, zstd], ids=["bzip2", "xz", "zstd"])
def test_any_packed_file_that_is_cut_or_damaged_says_so_and_gives_no_wrong_row(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(CSV)
    for length in range(16, len(packed), 3):
        damaged = bytearray(packed)
        damaged[length] ^= pack is not zstd  # which has a checksum only where its writer wanted one
        for content in (packed[:length], bytes(damaged)):
            with closing(open_source(file(tmp_path, content), Mapping())) as source:
                rows = [row for batch in source.batches(0, 10) for row in batch.rows]
                assert source.damage or rows == ROWS, (length, rows)


def test_what_is_unpacked_is_bounded_however_well_it_was_packed(tmp_path: Path) -> None:
    for pack in (bz2.compress, lzma.compress, zstd):
        rows = read(file(tmp_path, pack(b"who,at\na," + b"9" * 5_000_000 + b"\nb,2\n")))
        assert rows == [(2, "malformed_row"), (3, {"who": "b", "at": "2"})]


def test_flipped_bits_in_gzip_are_reported(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(CSV))
    packed[-6] ^= 1
    with closing(open_source(file(tmp_path, bytes(packed)), Mapping())) as source:
        assert [row for batch in source.batches(0, 10) for row in batch.rows] == ROWS
        assert source.damage == "its gzip stream is damaged: Error -3 while decompressing data: incorrect data check"


def test_a_cut_parquet_file_is_reported(tmp_path: Path) -> None:
    path = parquet(tmp_path, ROWS)
    path.write_bytes(path.read_bytes()[:-20])
    with closing(open_source(path, Mapping())) as source:
        assert list(source.batches(0, 10)) == []
        assert source.damage
        assert "no whole Parquet file" in source.damage


_CELL = st.text(alphabet='a,"\n\r\t é', max_size=4)
_TEXT = st.lists(st.lists(_CELL, min_size=1, max_size=3).map(",".join), max_size=8).map("\n".join)


@settings(max_examples=200)
@given(_TEXT, st.integers(1, 4))
def test_rows_do_not_depend_on_the_size_of_batches(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int
) -> None:
    path = file(tmp_path_factory.getbasetemp(), ("a,b\n" + text).encode())
    assert read(path, size=size) == read(path)


@settings(max_examples=100)
@given(_TEXT, st.sampled_from(["csv", "json"]))
def test_reading_goes_on_behind_any_batch_as_if_it_had_not_stopped(
    tmp_path_factory: pytest.TempPathFactory, text: str, form: str
) -> None:
    content = ("a,b\n" + text) if form == "csv" else '{"a": 1}\n' + text
    path = file(tmp_path_factory.getbasetemp(), content.encode())
    whole = read(path, size=2)
    with closing(open_source(path, Mapping())) as source:
        lasts = [batch.last for batch in source.batches(0, 2)]
    for last in lasts:
        assert read(path, after=last, size=2) == [(number, row) for number, row in whole if number > last]


def test_parquet_goes_on_behind_any_row(tmp_path: Path) -> None:
    path = parquet(tmp_path, [{"n": n} for n in range(10)])
    for after in range(11):
        assert [row for _, row in read(path, after=after, size=3)] == [{"n": n} for n in range(after, 10)]
