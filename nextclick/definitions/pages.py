"""What a page is."""

from typing import Final

PAGE: Final = "^[^?#]*(?:#[/!][^?]*)?"
"""Regular expression: the part of an address that names the page, without query and fragment; a fragment that is a route of an app stays.

`/a?b#c` → `/a`, `/a#/b?c` → `/a#/b`
"""
HOST: Final = "^[a-z][a-z0-9+.-]*://[^/?#]*"
"""Regular expression: what stands before a page's path."""
