"""A body's bytes → JSON, mended where its meaning is plain, so that one bad token costs no other event.

JSON is UTF-8 (RFC 8259). What else comes: a byte order mark, other encodings that the Content-Type names, NaN
and Infinity (Python writes them), `nan`, `undefined` or `None` of other languages, half of an emoji (JavaScript and PHP cut texts),
line breaks inside a text, escapes that JSON does not have (`\\'`).
"""

import codecs
import json
import math
import re
from typing import Any, Final

import msgspec

from collector.request.model import Request

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSETS: Final = frozenset((
    "ascii", "iso8859-1", "iso8859-2", "iso8859-15", "cp1250", "cp1251", "cp1252", "koi8-r", "shift_jis", "euc_jp", "gbk", "gb18030",
    "big5", "euc_kr", "utf-16", "utf-16-le", "utf-16-be", "utf-32",
))  # fmt: skip
"""Python's names of the encodings that a sender may say; others of Python's cost more than a table look-up."""
TEXT: Final = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
"""A text of JSON. Without an end it goes on to the end of all: sought from each of its quotes anew, it costs the square of its length."""
_TOKENS: Final = re.compile(
    rf"{TEXT}|(?<![\w.])[+-]?(?:nan|inf(?:inity)?|undefined|None|True|False)(?![\w.])", re.DOTALL
)
_WORDS: Final = {"True": "true", "False": "false"}
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_ESCAPES: Final = '"\\/bfnrtu'
_MOST_DIGITS: Final = 400


def charset(name: str) -> str:
    """The encoding of that name; "utf-8" where it is not one that a sender may say.

    >>> charset("ISO-8859-1"), charset("latin1"), charset("idna"), charset("")
    ('iso8859-1', 'iso8859-1', 'utf-8', 'utf-8')
    """
    try:
        known = codecs.lookup(name.strip().strip("\"'")).name
    except (LookupError, ValueError):
        return "utf-8"
    return known if known in _CHARSETS else "utf-8"


def charset_of(request: Request) -> str:
    """The encoding that the Content-Type names."""
    _, _, name = request.headers.get("content-type", "").lower().partition("charset=")
    return charset(name.partition(";")[0]) if name else "utf-8"


def utf8(request: Request) -> bytes:
    """The body as UTF-8, without a byte order mark; what is UTF-8 already stays, whatever the Content-Type says."""
    body = request.body
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[3:] if encoding == "utf-8" else _recoded(body, encoding)
    encoding = charset_of(request)
    if encoding.startswith(("utf-16", "utf-32")):  # what JSON and forms begin with is ASCII, so there are zeros in it
        if b"\0" not in body[:4]:
            return body
        if encoding == "utf-16":  # without a mark
            encoding = "utf-16-le" if body[1:2] == b"\0" else "utf-16-be"
        return _recoded(body, encoding)
    if encoding == "utf-8" or body.isascii():
        return body
    try:
        body.decode()
    except UnicodeDecodeError:
        return _recoded(body, encoding)
    return body


def _recoded(body: bytes, encoding: str) -> bytes:
    return body.decode(encoding, "replace").encode("utf-8", "replace")


def json_of(body: bytes, deepest: int) -> Any:
    """The JSON of UTF-8; ValueError where it is none, RecursionError where it is nested more than `deepest` levels deep.

    Half of a surrogate pair and bytes that are no UTF-8 become U+FFFD; NaN, infinities and numbers beyond all use, null.

    >>> json_of(b'{"price": NaN, "title": "x \\\\ud83d"}', 9)
    {'price': None, 'title': 'x �'}
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        value = _mended(body, str(error))
    if body.count(b"{") + body.count(b"[") > deepest and depth(value, deepest) > deepest:
        raise RecursionError
    return value


def _mended(body: bytes, problem: str) -> Any:
    written = body.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        value = _read(written)
    except ValueError:
        try:
            value = _read(_TOKENS.sub(_meant, written))
        except ValueError:
            raise ValueError(problem) from None
    if "\\ud" not in written and "\\uD" not in written:
        return value
    # Written out and read again, since pairs are known as such only here; text by text it takes ten times as long.
    whole = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return msgspec.json.decode(whole)


def _read(written: str) -> Any:
    return json.loads(written, strict=False, parse_constant=_nothing, parse_float=_finite, parse_int=_integer)


def _meant(match: re.Match[str]) -> str:
    """What a word that JSON does not have, or an escape in a text, is in JSON."""
    token = match[0]
    if token[0] != '"':
        return _WORDS.get(token, "null")
    return _ESCAPE.sub(_escaped, token) if "\\" in token else token


def _escaped(match: re.Match[str]) -> str:
    byte, character = match.groups()
    return f"\\u00{byte}" if byte else match[0] if character in _ESCAPES else character


def _nothing(word: str) -> None:
    """NaN and the infinities."""


def _finite(digits: str) -> float | None:
    number = float(digits) if len(digits) <= _MOST_DIGITS else math.inf
    return number if math.isfinite(number) else None


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else None


def depth(value: Any, stop: int) -> int:
    """Levels of nesting: a number has 0, an empty list 1; counting ends above `stop`."""
    if not isinstance(value, (dict, list)):
        return 0
    inside = value.values() if isinstance(value, dict) else value
    deepest = 0
    for child in inside:
        if type(child) is dict or type(child) is list:
            deepest = max(deepest, depth(child, stop - 1))
            if deepest >= stop:
                break
    return deepest + 1
