"""Text that visitors and files wrote, for a terminal: none of it can steer one, or pass for a line of ours."""

import re
from typing import Final

_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters (C0, DEL, C1, with which every escape sequence begins), other line ends, what turns the direction of
writing, and halves of characters, which no terminal can be sent."""


def visible(text: object, keep: str = "") -> str:
    r"""`text` with each character that is not seen as Python writes it, but for those of `keep`.

    >>> print(visible("a\x1b]0;b\x07\x9b2J\nnextclick: c"))
    a\x1b]0;b\x07\x9b2J\nnextclick: c
    """
    return _UNSEEN.sub(lambda match: match[0] if match[0] in keep else ascii(match[0])[1:-1], str(text))


def visible_json(text: str) -> str:
    r"""JSON with each such character as its escape, which is the same JSON.

    >>> print(visible_json('["\x9b2J"]'))
    ["\u009b2J"]
    """
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
