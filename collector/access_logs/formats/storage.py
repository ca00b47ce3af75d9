"""Access logs of stores of files: Amazon S3's server access log, Google Cloud Storage's usage logs, and Bunny's CDN.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html, https://cloud.google.com/storage/docs/access-logs,
https://docs.bunny.net/docs/cdn-logging.
Who signed a request to S3 is an account, which may have signed it for many, so it is a property, not the user.
"""

import csv
import re
from typing import Final

from collector.access_logs.values import Format, Names, any_time, clf_time, request, unescaped
from collector.imports.cells import Row
from collector.request.errors import Unmappable

_S3: Final = [
    "owner", "bucket", "time", "remote_ip", "requester", "request_id", "operation", "object", "request", "status",
    "error_code", "bytes_sent", "object_size", "total_time", "turn_around_time", "referrer", "user_agent",
    "version_id", "host_id", "signature_version", "cipher_suite", "authentication_type", "host_header", "tls_version",
    "access_point_arn", "acl_required",
]  # fmt: skip
_BUNNY: Final = [
    "cache_status", "status", "time", "bytes_sent", "zone", "remote_ip", "referrer", "url", "edge_location", "user_agent",
    "request_id", "country",
]  # fmt: skip
_GOOGLE: Final = [
    "time_micros", "c_ip", "c_ip_type", "c_ip_region", "cs_method", "cs_uri", "sc_status", "cs_bytes", "sc_bytes", "time_taken_micros",
    "cs_host", "cs_referer", "cs_user_agent", "s_request_id", "cs_operation", "cs_bucket", "cs_object",
]  # fmt: skip
_FIRST_COLUMNS: Final = 17
"""Of S3's first logs; later columns are added at the end."""
_NAMES: Final[Names] = {
    "time": ("time", "time_micros"),
    "address": ("remote_ip", "c_ip"),
    "request": ("request",),
    "method": ("cs_method",),
    "target": ("url", "cs_uri"),
    "status": ("status", "sc_status"),
    "bytes": ("bytes_sent", "sc_bytes"),
    "referrer": ("referrer", "cs_referer"),
    "agent": ("user_agent", "cs_user_agent"),
    "host": ("host_header", "site", "cs_host"),
}
_TOKEN: Final = re.compile(r'\[([^\]]{0,64})\]|"((?:[^"\\]|\\.)*+)"|(\S+)')
_OPERATION: Final = re.compile(r"[A-Z0-9]+(\.[A-Z0-9_-]+)+")


def _read_s3(line: str) -> Row:
    values = ["".join(token) for token in _TOKEN.findall(line)]
    fields: Row = {name: unescaped(value) for name, value in zip(_S3, values, strict=False)}
    if len(values) < _FIRST_COLUMNS or not _OPERATION.fullmatch(fields["operation"]):
        raise Unmappable("malformed_line", "the line is not of the file's format")
    if "." in fields["bucket"]:  # a website's bucket has its name
        fields["site"] = fields["bucket"]
    row = request(fields, _NAMES, clf_time)
    row["scheme"] = "https" if "tls_version" in row["more"] else None
    return row


def _read_bunny(line: str) -> Row:
    before, after = line.split("|", 9), line.rsplit("|", 2)
    if len(before) < 10 or line.count("|") < len(_BUNNY) - 1:
        raise Unmappable("malformed_line", "the line is not of the file's format")
    agent = before[9].rsplit("|", 2)[0]
    fields: Row = dict(zip(_BUNNY, [*before[:9], agent, *after[1:]], strict=True))
    row = request(fields, _NAMES, any_time)
    row["method"] = "GET"
    return row


def _read_google(line: str) -> Row | None:
    try:
        values = next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise Unmappable("malformed_line", f"the line is not of the file's format: {error}") from None
    if values == _GOOGLE:  # each file begins with it
        return None
    if len(values) != len(_GOOGLE):
        raise Unmappable("wrong_column_count", f"{len(values)} columns instead of {len(_GOOGLE)}")
    return request(dict(zip(_GOOGLE, values, strict=True)), _NAMES, any_time)


FORMATS: Final = (
    Format("gcs", "Google Cloud Storage's usage logs", lambda: _read_google),
    Format("s3", "Amazon S3's server access log", lambda: _read_s3),
    Format("bunny", "Bunny's CDN", lambda: _read_bunny),
)
