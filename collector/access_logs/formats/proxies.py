"""Access logs of Envoy, also as Istio's, and Squid's native log.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#default-format-string,
https://istio.io/latest/docs/tasks/observability/logs/access-log/, https://wiki.squid-cache.org/Features/LogFormat.
"""

import re
from collections.abc import Callable
from typing import Final

from collector.access_logs.values import QUOTED, Format, Names, Reader, any_time, request, unescaped
from collector.imports.cells import Row
from collector.request.errors import Unmappable

_ENVOY: Final = re.compile(
    rf"\[(?P<time>[^\]\s]++)\] {QUOTED.format('request')} (?P<status>\d{{1,3}}) (?P<response_flags>\S++) "
    r'(?:(?P<details>[^\d\s]\S*+) (?P<termination>\S++) "(?P<failure>[^"]*+)" )?'  # Istio's
    r"(?P<bytes_received>\d++) (?P<bytes>\d++) (?P<duration>\d++|-) (?P<upstream_time>\S++) "
    rf"{QUOTED.format('forwarded')} {QUOTED.format('agent')} {QUOTED.format('request_id')} {QUOTED.format('host')} "
    r'"(?P<upstream>[^"]*+)"(?: (?P<cluster>\S++) \S++ (?P<local>\S++) (?P<client>\S++) (?P<tail>.*+))?'
)
_SQUID: Final = re.compile(
    r"(?P<time>\d{9,11}\.\d{3}) ++(?P<elapsed>-?\d++) (?P<client>\S++) (?P<result>[A-Z_]++)/(?P<status>\d{3}) (?P<bytes>\d++) "
    r"(?P<method>\S++) (?P<target>\S++) (?P<user>\S++) (?P<hierarchy>\S++) (?P<content_type>\S++)(?: (?P<tail>.*+))?"
)
_NAMES: Final[Names] = {
    name: (name,)
    for name in ("time", "forwarded", "user", "request", "method", "target", "status", "bytes", "agent", "host", "content_type")
} | {"address": ("client",)}  # fmt: skip


def _reader(pattern: re.Pattern[str]) -> Callable[[], Reader]:
    def read(line: str) -> Row:
        match = pattern.fullmatch(line)
        if match is None:
            raise Unmappable("malformed_line", "the line is not of the file's format")
        return request({name: unescaped(value or "") for name, value in match.groupdict().items()}, _NAMES, any_time)

    return lambda: read


FORMATS: Final = (
    Format("envoy", "Envoy's default format, and Istio's", _reader(_ENVOY)),
    Format("squid", "Squid's native log", _reader(_SQUID)),
)
