"""What is personal or secret in what trackers send, taken out before it is kept.

Addresses keep their first part (nextclick/address.py); userinfo, and parameters whose names say that their value
is a secret, go from URLs; a secret field of an object keeps its name. Values are parsed as what they are: JSON,
forms, URLs, base64 and percent-encoding, however they are put into each other.
"""

import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

import msgspec

from nextclick.address import masked
from nextclick.contracts.events import Event
from nextclick.harmless import may_hold

SECRET_FIELD: Final = (
    r"(?:[\w.$-]{0,64}(?:token|secret|password|passwd|pwd|passphrase"
    r"|(?:api|access|private|secret|shared|auth|account|license|signing|encryption|master|session)[_-]?key|user_signature)|token[_-]auth|(?:proxy[_-])?authorization"
    r"|(?:auth|otp)[_-]?code|jwt|otp)"
)
"""Names of secrets, as a pattern of Python and of Java; without regard to case."""
SECRET_PARAMETER: Final = (
    rf"(?:{SECRET_FIELD}|code|key|pass|(?:user|login)[.]pass|pw|auth|sig|signature|[\w.$-]{{1,64}}[-_]signature|hmac|_?[cx]srf|cv[vc]|credentials?"
    r"|(?:reset|verify|verification|security|access|confirm|confirmation|invite|invitation|login|sms)[_-]?code|(?:oauth|code)[_-]?verifier"
    r"|samlresponse|samlrequest|assertion|bearer|(?:php|j|asp)?sess(?:ion)?[_-]?id|asp[.]net_sessionid|connect[.]sid)"
)
"""Names of secrets in a URL, where `code` and `key` are no words of a shop."""
REMOVED: Final = "***"

_REMEMBERED: Final = 1024
_AROUND: Final = "?!/ \t\r\n"
"""What may stand beside a name and is no part of it: of `??token=`, of `#!token=`, and what browsers leave out."""
_SHORT: Final = 64


def _naming(pattern: str) -> Callable[[str], bool]:
    """Whether a name is of the pattern, `auth[token]` and `token[]` as `auth.token` and `token`.

    Short ones are remembered, since trackers send the same again and again.
    """
    written = re.compile(pattern, re.IGNORECASE)

    def is_of(name: str) -> bool:
        name = name.strip(_AROUND)
        if "[" in name:
            name = name.replace("[]", "").replace("[", ".").replace("]", "")
        return written.fullmatch(name) is not None

    known = lru_cache(_REMEMBERED)(is_of)
    return lambda name: known(name) if len(name) <= _SHORT else is_of(name)


is_secret_field: Final = _naming(SECRET_FIELD)
_is_secret_parameter: Final = _naming(SECRET_PARAMETER)
_PARTS: Final = re.compile(r"([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_USERINFO: Final = re.compile(
    r"^(?:(https?:)[/\\]{1,9}|([a-z][a-z0-9+.-]*:)?[/\\]{2})[^/\\?#@]*(?:@[^/\\?#@]*)*@", re.IGNORECASE
)
"""Browsers take `https:/` and `https:\\\\` for `https://`."""
_SESSION: Final = re.compile(r";jsessionid=[^/;]*", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//[^/]*", re.IGNORECASE)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://|https?:[/\\]|//|/|\?", re.IGNORECASE)
_ASSIGNED: Final = re.compile(
    rf"""(?=[\w.$-])((?<![\w.$-]){SECRET_PARAMETER}(?:\[\])?\]?\\{{0,9}}["']?\s{{0,9}}[=:]>?\s{{0,9}})"""
    r"""(\\{1,9}"[^"\\]*|"(?:[^"\\]|\\.)*"?|'[^']*'?|(?:(?:Bearer|Basic|Digest|Token) )?[^\s&;,"'}\]\\]+)""",
    re.IGNORECASE,
)
_IN_PROSE: Final = re.compile(rf"((?<![\w.$-]){SECRET_FIELD}=)[^\s&;,\"']+", re.IGNORECASE)
_PACKED: Final = re.compile(r"\beyJ[A-Za-z0-9+/_-]{8,}={0,2}")
_ESCAPE: Final = re.compile(r"\\u00([2-7][0-9a-fA-F])")
_IN_TEXT: Final = re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://[^\s\"'<>]+", re.IGNORECASE)
_IN_LINE: Final = re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://[^\s\"'<>,;|]+", re.IGNORECASE)
"""A URL that a delimiter may follow."""
_FORM: Final = re.compile(r"\??[^\s=&\"{]{1,200}=")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_PACKED_NAMES: Final = frozenset({"cx", "ue_px"})
"""Fields that are base64 by their protocol, as is `data` of a form: what cannot be decoded there is not kept."""
_DEEPEST: Final = 40
_LAYERS: Final = 3
"""How often a value may be encoded into another before it is taken as it stands."""


def redacted(text: str, without: Collection[str] = ()) -> str:
    """A body or a query as it may be kept: JSON, lines of it, a form, or what is none of them. Names `without` go whole.

    >>> redacted('{"ip":"203.0.113.9","password":"x"}'), redacted("url=http%3A%2F%2Fa%2F%3Ftoken%3D1&cip=2001%3Adb8%3A%3A9")
    ('{"ip":"203.0.0.0","password":"***"}', 'url=http%3A%2F%2Fa%2F&cip=2001%3Adb8%3A%3A')
    """
    text = text.replace("\0", "")  # of UTF-16 that was read as it is not
    stripped = text.strip()
    if stripped.startswith(("{", "[")):
        try:
            value = msgspec.json.decode(stripped)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            return _redacted_raw(text, without)
        changed = redacted_value(value, without=without)
        return text if changed == value else msgspec.json.encode(changed).decode()
    if _BASE64.fullmatch(stripped):
        return _redacted_base64(stripped, 0) or ""
    if _FORM.match(stripped):
        return redacted_form(text, without)
    return _redacted_raw(text, without)


def redacted_line(text: str) -> str:
    """A line of a file as it may be kept: JSON, or anything else, such as delimited values.

    >>> redacted_line("v1,https://ann:pw@shop.example/?token=1&q=lamp,203.0.113.9")
    'v1,https://shop.example/?q=lamp,203.0.0.0'
    """
    if text.lstrip().startswith(("{", "[")):
        return redacted(text)
    return _redacted_raw(masked(_IN_LINE.sub(lambda match: redacted_url(match[0]), text)), ())


def redacted_value(value: Any, name: str = "", without: Collection[str] = (), depth: int = 0) -> Any:
    """A value of JSON, with the `name` under which it stands."""
    if isinstance(value, str):
        return _redacted_text(value, name, depth)
    if depth > _DEEPEST:
        return REMOVED
    if isinstance(value, dict):
        return {
            key: REMOVED if each and is_secret_field(key) else redacted_value(each, key, without, depth + 1)
            for key, each in value.items()
            if key not in without
        }
    if isinstance(value, list):
        return [redacted_value(each, name, without, depth + 1) for each in value]
    return value


def redacted_form(text: str, without: Collection[str] = ()) -> str:
    """The parameters of a query or a form; the secret ones are left out."""
    pairs = parse_qsl(text.strip().lstrip("?"), keep_blank_values=True)
    kept = [
        (name, _redacted_text(value, "cx" if name == "data" else name, 0))
        for name, value in pairs
        if name not in without and not _is_secret_parameter(name)
    ]
    return text if kept == pairs else urlencode(kept)


def redacted_url(url: str) -> str:
    """The URL without userinfo and secret parameters, in its query or its fragment, and with its addresses masked.

    >>> redacted_url("https://ann:pw@shop.example/reset?token=1&lang=de#access_token=2")
    'https://shop.example/reset?lang=de'
    """
    match = _PARTS.fullmatch(url)
    if match is None:
        return url
    path, query, fragment = match[1], match[2] or "", match[3] or ""
    if ";" in path:
        path = _SESSION.sub("", path)
    if "@" in path:
        path = _USERINFO.sub(r"\1\2//", path)
    host = _HOST.match(path)
    end = host.end() if host else 0
    within = _redacted_plain(path[:end]) + _redacted_plain(path[end:], dashed=False)
    return within + _redacted_query(query) + _redacted_query(fragment)


def redacted_event(event: Event) -> Event:
    """The event as it may be kept: its URLs and properties without secrets and whole addresses."""
    changes: dict[str, Any] = {}
    for field in ("page_url", "referrer"):
        url = getattr(event, field)
        if url and may_hold(url) and (kept := redacted_url(url)) != url:
            changes[field] = kept
    if event.properties:
        properties = {name: _redacted_property(name, value) for name, value in event.properties.items()}
        if properties != event.properties:
            changes["properties"] = properties
    return msgspec.structs.replace(event, **changes) if changes else event


def _redacted_property(name: str, value: str) -> str:
    if is_secret_field(name):
        return REMOVED
    return _redacted_text(value, name, 0) if may_hold(value) else value


def _redacted_query(part: str) -> str:
    """`?…` or `#…`, whose parameters may stand behind a path of their own (`#/reset?token=…`)."""
    if len(part) < 2:
        return part
    head, mark, query = part[1:].rpartition("?") if part[0] == "#" else ("", "", part[1:])
    separators = re.split(r"([&;])", query)
    kept: list[str] = []
    changed = False
    for place in range(0, len(separators), 2):
        parameter = separators[place]
        name, equals, value = parameter.partition("=")
        if equals:
            written = unquote(name)
            if _is_secret_parameter(written):
                changed = True
                continue
            held = unquote(value.replace("+", " "))
            if (plain := _redacted_text(held, written, 1)) != held:
                changed, parameter = True, f"{name}={quote(plain, safe='')}"
        else:
            parameter = _redacted_plain(parameter)
        kept.append((separators[place - 1] if place and kept else "") + parameter)
    query = "".join(kept) if changed else "".join(kept) or query
    return part[0] + head + (mark + query if query else "") if head or query else ""


def _redacted_text(text: str, name: str, depth: int) -> str:
    """A text inside of something, which may itself be JSON, a URL, base64, or percent-encoded."""
    if len(text) < 2 or depth > _DEEPEST:
        return text
    if text[0] in "{[":
        try:
            value = msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            return _redacted_raw(text, ())
        changed = redacted_value(value, name, depth=depth + 1)
        return text if changed == value else msgspec.json.encode(changed).decode()
    if name in _PACKED_NAMES:
        return _redacted_base64(text, depth) or ""
    if text.startswith(("ey", "W3")) and _BASE64.fullmatch(text):
        packed = _redacted_base64(text, depth)
        return text if packed is None else packed
    if _URL.match(text):
        return redacted_url(text)
    if "://" in text:
        text = _IN_TEXT.sub(lambda match: redacted_url(match[0]), text)
    return text if name.lower().endswith("version") else _redacted_plain(text)


def _redacted_plain(text: str, dashed: bool = True) -> str:
    """A text with its addresses masked, those too that are percent-encoded: such a text is kept decoded."""
    plain = _decoded(text)
    kept = masked(_IN_PROSE.sub(rf"\1{REMOVED}", plain) if "=" in plain else plain, dashed)
    return text if kept == plain else kept


def _decoded(text: str) -> str:
    """Without percent-encoding, in as many layers as are looked into."""
    for _ in range(_LAYERS):
        if "%" not in text or (plainer := unquote(text)) == text:
            break
        text = plainer
    return text


def _redacted_base64(text: str, depth: int) -> str | None:
    """Base64 of JSON, packed anew where something was taken out; None where it is not that."""
    plain = text.strip().replace("-", "+").replace("_", "/").replace(" ", "+").rstrip("=")
    try:
        held = b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
        value = msgspec.json.decode(held)
    except (NotBase64, ValueError, msgspec.MsgspecError, RecursionError):
        return None
    changed = redacted_value(value, depth=depth + 1)
    if changed == value:
        return text
    pack = urlsafe_b64encode if "-" in text or "_" in text else b64encode
    return pack(msgspec.json.encode(changed)).decode()


def _redacted_raw(text: str, without: Collection[str]) -> str:
    """What could not be parsed: escapes are undone, then what looks like a secret or an address is taken out."""
    plain = _decoded(_ESCAPE.sub(_unescaped, text))
    kept = _PACKED.sub(lambda match: _redacted_base64(match[0], 0) or "", plain)
    kept = _IN_TEXT.sub(lambda match: redacted_url(match[0]), kept)
    kept = masked(_ASSIGNED.sub(rf"\1{REMOVED}", kept))
    if without:
        names = "|".join(map(re.escape, without))
        kept = re.sub(rf"""(["']?\b(?:{names})["']?\s*[=:]\s*)("[^"]*"?|[^\s&;,}}\]]+)""", rf"\1{REMOVED}", kept)
    return text if kept == plain else kept


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return match[0] if character in '"\\' else character
