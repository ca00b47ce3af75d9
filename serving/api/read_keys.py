"""Who may ask, and for whom: read keys, the secret key, and users that are signed."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from nextclick.settings import Settings
from nextclick.web import signatures
from nextclick.web.answers import Refused
from nextclick.web.secret import Secret
from nextclick.web.site_keys import SiteKeys
from serving.metrics import ServingMetrics
from serving.schema.requests import NextBestActionRequest

Question = TypeVar("Question", bound=msgspec.Struct)


class Access:
    """Checks the keys of a request, and whose answer it may have."""

    def __init__(self, settings: Settings, metrics: ServingMetrics) -> None:
        serving = settings.serving
        self._site = settings.site
        self._keys = SiteKeys(serving.read_keys, "serving.read_keys", serving.requests_per_second, settings.lake.rates)
        self._secret = Secret(serving.secret_key, "serving.secret_key", settings.lake.rates)
        self._signs_with = serving.signs_with
        self._metrics = metrics

    def require_site(self, key: str | None, headers: Mapping[str, str]) -> None:
        """Count the request. Refused 401, 403 or 429 unless `key`, or without one the secret key, opens the site that is served."""
        if key is None and self._keys and self._secret.brought(headers.get("authorization", "")):
            return
        known = self._keys.use(key, headers.get("origin"))
        if known and known.site != self._site:
            raise Refused(
                403, "other_site", f"This key reads site {known.site!r}, and here only site {self._site!r} is served."
            )

    def count_unread(self) -> None:
        """Count a request that could not be read, before its key was known. Refused 429."""
        self._keys.count(None)

    def require_operator(self, headers: Mapping[str, str]) -> None:
        """Refused 401, 403 or 429 where keys are set and the Authorization header does not bring the secret key."""
        if self._keys:
            self.require_secret(headers)

    def require_secret(self, headers: Mapping[str, str]) -> None:
        """Refused 401, 403 or 429 unless the Authorization header brings the secret key."""
        self._secret.require(headers.get("authorization", ""))

    def seen(self, question: Question, headers: Mapping[str, str]) -> Question:
        """The question as it may be answered to whom it came from: what actions earn is for who brings the secret key alone.

        A read key stands in pages; without read keys nobody else asks.
        """
        if not self._keys or not isinstance(question, NextBestActionRequest):
            return question
        brief = question.brief or not self._secret.brought(headers.get("authorization", ""))
        return msgspec.structs.replace(question, brief=brief)

    def proven(self, question: Question, headers: Mapping[str, str]) -> Question:
        """The question without a user whom nothing but its word names: it is answered as the visitor's.

        A read key stands in pages, so a user counts with the secret key or a signature; without read keys, as it says.
        """
        user: str | None = getattr(question, "user_id", None)
        if user is None or not self._keys:
            return question
        signature = getattr(question, "user_signature", None) or headers.get(signatures.HEADER, "")
        if signatures.is_signed(self._signs_with, self._site, user, signature):
            return question
        if self._secret.brought(headers.get("authorization", "")):
            return question
        self._metrics.unproven.labels("wrong" if signature else "missing").inc()
        return msgspec.structs.replace(question, user_id=None)
