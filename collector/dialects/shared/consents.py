"""What a visitor allowed, as banners, tags and the advertising industry write it → `Consent`.

Objects of purposes (Segment, Google's consent mode, RudderStack), lists of what is allowed (Cookiebot, OneTrust's `OnetrustActiveGroups`),
one word for everything, and the string of IAB Europe's Transparency and Consent Framework, version 2:
https://github.com/InteractiveAdvertisingBureau/GDPR-Transparency-and-Consent-Framework. What cannot be read says nothing.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import Any, Final

from collector.dialects.shared.json_text import json_of
from nextclick.contracts.events import Consent

_WORDS: Final = {
    "analytics": "analytics analytical analyticsstorage statistics statistic performance measurement c0002",
    "personalization": "personalization personalisation personalizationstorage adpersonalization adpersonalisation functional "
    "functionality preferences preference c0003",
    "advertising": "advertising advertisement ads adstorage aduserdata marketing targeting c0004",
}
"""Words for the purposes, in small letters without what stands between: Google's consent mode, OneTrust's groups, and what
consent banners call their boxes."""
_PURPOSES: Final = {word: purpose for purpose, words in _WORDS.items() for word in words.split()}
_NECESSARY: Final = frozenset(
    ["necessary", "strictlynecessary", "essential", "required", "security", "securitystorage", "c0001"]
)
"""What a list of what is allowed has besides: it is of no purpose that anybody is asked about."""
_YES: Final = "true granted grant yes y on 1 allow allowed accept accepted optin optedin"
_NO: Final = "false denied deny no n off 0 disallow disallowed reject rejected refused decline declined withdrawn revoked optout optedout"
_ANSWERS: Final = dict.fromkeys(_YES.split(), True) | dict.fromkeys(_NO.split(), False)
_TCF: Final = re.compile(r"C[\w-]{29,4000}(?:\.[\w.-]{0,4000})?", re.ASCII)
"""Version 2 is the letter C: its first six bits."""
_TCF_AT: Final = 152
"""The bit of the core string with which PurposesConsent begins, purpose 1 first."""
_TCF_BYTES: Final = 22
_TCF_PURPOSES: Final = {"analytics": (1, 8, 9), "personalization": (1, 5, 6), "advertising": (1, 3, 4)}
"""Storing on the device; measuring content and audiences; profiles for content, and using them; the same for advertising."""
_LONGEST: Final = 64
_MOST_WORDS: Final = 64
_DEEPEST: Final = 8


def consent(value: Any) -> Consent | None:
    """What an object, a list, a word or a TCF string allows; None where it says nothing. Of two words for one purpose a no counts.

    A list names what is allowed: the purposes that it lacks are not.

    >>> consent({"analytics": True, "adStorage": "denied", "ad_user_data": "granted"})
    Consent(analytics=True, personalization=None, advertising=False)
    >>> consent(",C0001,C0002,"), consent("denied").advertising, consent("perhaps")
    (Consent(analytics=True, personalization=False, advertising=False), False, None)
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        value = _written(value)
    if isinstance(value, dict):
        return _of_answers(value)
    if isinstance(value, list):
        return _of_list(value)
    if isinstance(value, str) and _TCF.fullmatch(value):
        return _of_tcf(value)
    if (answer := _answer(value)) is not None:
        return Consent(**dict.fromkeys(Consent.__struct_fields__, answer))
    return _of_list(re.split(r"[,;|\s]+", value[:1024])) if isinstance(value, str) else None


def _written(value: str) -> Any:
    """JSON in a text; None where it is none."""
    try:
        return json_of(value.encode("utf-8", "replace"), _DEEPEST)
    except (ValueError, RecursionError):
        return None


def _word(name: Any) -> str:
    return re.sub(r"[^a-z0-9]+", "", name[:_LONGEST].lower()) if isinstance(name, str) else ""


def _answer(value: Any) -> bool | None:
    return _ANSWERS.get(_word(str(value))) if isinstance(value, (str, bool, int)) else None


def _of_answers(answers: dict[str, Any]) -> Consent | None:
    said: dict[str, bool] = {}
    for name, value in answers.items():
        purpose, allowed = _PURPOSES.get(_word(name)), _answer(value)
        if purpose and allowed is not None:
            said[purpose] = said.get(purpose, True) and allowed
    return Consent(**said) if said else None


def _of_list(names: Iterable[Any]) -> Consent | None:
    """None unless each word is one that is known: a list of anything else is no consent."""
    words = [word for name in list(names)[:_MOST_WORDS] if (word := _word(name) or str(name))]
    if not words or not all(word in _PURPOSES or word in _NECESSARY for word in words):
        return None
    allowed = {_PURPOSES.get(word) for word in words}
    return Consent(**{purpose: purpose in allowed for purpose in Consent.__struct_fields__})


def _of_tcf(written: str) -> Consent | None:
    packed = written.partition(".")[0]
    core = urlsafe_b64decode(packed + "=" * (-len(packed) % 4))[:_TCF_BYTES] if len(packed) % 4 != 1 else b""
    if len(core) < _TCF_BYTES:
        return None
    bits = int.from_bytes(core)
    granted = {purpose for purpose in range(1, 12) if bits >> (8 * _TCF_BYTES - _TCF_AT - purpose) & 1}
    return Consent(**{name: granted.issuperset(wanted) for name, wanted in _TCF_PURPOSES.items()})
