"""Access logs of Amazon's classic (ELB) and application (ALB) load balancers: columns of fixed order.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/access-log-collection.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
"""

import re
from collections.abc import Callable
from typing import Final

from collector.access_logs.values import Format, Names, Reader, request, unescaped
from collector.imports.cells import Row
from collector.request.errors import Unmappable
from collector.request.times import parser

_ELB: Final = [
    "time", "elb", "client", "backend", "request_processing_time", "backend_processing_time",
    "response_processing_time", "elb_status_code", "backend_status_code", "received_bytes", "sent_bytes",
    "request", "user_agent", "ssl_cipher", "ssl_protocol",
]  # fmt: skip
_ALB: Final = [
    "type", "time", "elb", "client", "target_address", "request_processing_time", "target_processing_time",
    "response_processing_time", "elb_status_code", "target_status_code", "received_bytes", "sent_bytes",
    "request", "user_agent", "ssl_cipher", "ssl_protocol", "target_group_arn", "trace_id", "domain_name",
    "chosen_cert_arn", "matched_rule_priority", "request_creation_time", "actions_executed", "redirect_url",
    "error_reason", "target_port_list", "target_status_code_list", "classification",
    "classification_reason", "conn_trace_id",
]  # fmt: skip
_NAMES: Final[Names] = {
    "time": ("request_creation_time", "time"),
    "address": ("client",),
    "request": ("request",),
    "status": ("elb_status_code",),
    "bytes": ("sent_bytes",),
    "agent": ("user_agent",),
}
_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"|(\S+)')
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_time: Final = parser("iso8601")


def _reader(columns: list[str], least: int) -> Callable[[], Reader]:
    """`least`: the columns that the first version of the format had; later ones are added at the end."""

    def read(line: str) -> Row:
        values = [unescaped(quoted or plain) for quoted, plain in _TOKEN.findall(line)]
        fields: Row = dict(zip(columns, values, strict=False))
        if len(values) < least or not _TIME.fullmatch(fields["time"]):
            raise Unmappable("malformed_line", "the line is not of the file's format")
        if more := values[len(columns) :]:
            fields["tail"] = " ".join(more)
        fields["client"] = fields["client"].rpartition(":")[0].strip("[]")
        return request(fields, _NAMES, _time)

    return lambda: read


FORMATS: Final = (
    Format("alb", "Amazon's application load balancer", _reader(_ALB, 17)),
    Format("elb", "Amazon's classic load balancer", _reader(_ELB, 12)),
)
