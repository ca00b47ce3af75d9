"""Labeled tab-separated values: `time:[…]\thost:203.0.113.9\treq:GET / HTTP/1.1…`, as nginx, Apache and H2O are told to write them.

http://ltsv.org; besides the labels that it recommends, nginx's variables are known, and names that are usual for them.
"""

from typing import Final

from collector.access_logs.formats.json_objects import NGINX
from collector.access_logs.values import Format, Names, any_time, missing, request, unescaped
from collector.imports.cells import Row
from collector.request.errors import Unmappable

_LABELS: Final[Names] = {
    "forwarded": ("forwardedfor",),
    "address": ("host",),
    "request": ("req",),
    "agent": ("ua",),
    "host": ("vhost",),
}
_NAMES: Final[Names] = {
    name: (*_LABELS.get(name, ()), *(label for label in labels if name != "host" or label != "host"))
    for name, labels in NGINX.items()
}
"""`host` is the remote host here, where others mean the site's."""
_LEAST: Final = 3
"""Fields of a line that is one."""


def _read(line: str) -> Row:
    parts = [part.partition(":") for part in line.split("\t") if part]
    if len(parts) < _LEAST or not all(label and mark for label, mark, _ in parts):
        raise Unmappable("malformed_line", "the line is not of the file's format")
    fields: Row = {label: unescaped(value) for label, _, value in parts}
    if not all(missing(fields.get(name)) for name in NGINX["address"]):  # so `host` is the site's after all
        fields["vhost"] = fields.pop("host", None) or fields.get("vhost")
    return request(fields, _NAMES, any_time)


FORMATS: Final = (Format("ltsv", "labeled tab-separated values", lambda: _read),)
