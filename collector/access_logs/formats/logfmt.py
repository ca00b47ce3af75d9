"""Lines of `name=value`: Heroku's router, Ruby's lograge, Grafana, and what else writes logfmt.

https://devcenter.heroku.com/articles/http-routing#heroku-router-log-format. Heroku's lines and Ruby's tell the time in what stands in
front of them (envelopes.py).
"""

import re
from typing import Final

from collector.access_logs.formats.json_objects import ANY
from collector.access_logs.values import Format, Names, any_time, missing, request, unescaped
from collector.imports.cells import Row
from collector.request.errors import Unmappable

_PAIR: Final = r'([^\s="]++)=("(?:[^"\\]|\\.)*+"|[^\s"]*+)'
_LINE: Final = re.compile(rf"(?:{_PAIR} ++)*+{_PAIR}")
_PAIRS: Final = re.compile(_PAIR)
_NAMES: Final[Names] = {
    **ANY,
    "time": ("time", "ts", "t", *ANY["time"]),
    "forwarded": ("fwd", *ANY["forwarded"]),
}
_SCHEMES: Final = ("http", "https")


def _read(line: str) -> Row:
    if not _LINE.fullmatch(line.rstrip()):
        raise Unmappable("malformed_line", "the line is not of the file's format")
    fields: Row = {name: unescaped(value.strip('"')) for name, value in _PAIRS.findall(line)}
    if all(missing(fields.get(name)) for of in ("method", "request") for name in _NAMES[of]):
        raise Unmappable("malformed_line", "the line tells of no request")
    row = request(fields, _NAMES, any_time)
    if row["protocol"] in _SCHEMES:
        row["scheme"], row["protocol"] = row["protocol"], None
    return row


FORMATS: Final = (Format("logfmt", "Heroku's router, and others that write name=value", lambda: _read),)
