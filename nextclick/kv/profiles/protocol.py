"""Where live profiles are kept: one protocol, LMDB (embedded) and Redis.

An environment, or a prefix, of its own: an export of lists never stalls a merge.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from nextclick.profile.profile import Action, Profile

NONE_MERGED: Final[Mapping[str, int]] = MappingProxyType({})


class Profiles(Protocol):
    """Profiles by key (nextclick.profile.visitor_key, person_key); any number of processes. Errors of the store are ModelError."""

    @property
    def place(self) -> str:
        """What tells this store from every other, the same wherever it is opened; without passwords, and nothing is connected."""
        ...

    def get_many(self, keys: Sequence[bytes]) -> list[Profile]:
        """The profiles of `keys` in their order; empty ones where nothing is known."""
        ...

    def merge(
        self,
        updates: Mapping[bytes, Sequence[Action]],
        segments: Sequence[str] = (),
        offsets: Mapping[str, int] = NONE_MERGED,
    ) -> dict[bytes, Profile]:
        """Merge actions into the profiles of their keys, each atomically; no update of another process is lost. The profiles after it.

        `segments` of the landing log are marked as merged with, or after, the actions: never before. So are `offsets`: up to
        where (exclusive) the partitions of Kafka are merged, in place of what was known of them.
        """
        ...

    def began(self) -> int:
        """When this store was first written (ms): what arrived before is in it because somebody brought it anew."""
        ...

    def standings(self, keys: Sequence[bytes]) -> list[bytes]:
        """What was kept beside the profiles of `keys` (nextclick/audiences/standing.py), in their order; empty where nothing was."""
        ...

    def replace_standings(self, changes: Mapping[bytes, tuple[bytes, bytes]]) -> list[bytes]:
        """Of each key what is to stand in place of what is known to stand; an empty one removes it.

        Returns the keys at which something else stands by now: nothing was changed there.
        """
        ...

    def merged_offsets(self) -> dict[str, int]:
        """Of each partition that something was merged from (TOPIC-NUMBER): the offset of the first record that is not."""
        ...

    def merged_segments(self) -> tuple[str, set[str]]:
        """A name up to which all segments of the landing log are merged, and the names after it that are, too."""
        ...

    def settle_segments(self, upto: str) -> None:
        """All segments named up to `upto` are merged: forget their single marks."""
        ...

    def expire(self, before: int, most: int) -> int:
        """Remove profiles whose newest action is older than `before` (ms), and standings that were written before it.

        Looks at `most` of each, and goes on there next time.
        """
        ...
