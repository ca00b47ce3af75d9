"""What came a short time ago: counts resends as they come. Silver alone decides what is a duplicate."""

from collections.abc import Iterable


class Recent:
    """Remembers the last `size` to 2 × `size` identities, in two generations."""

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._young: set[int] = set()
        self._old: set[int] = set()

    def count_known(self, identities: Iterable[int]) -> int:
        """How many of them were here before; all of them are remembered."""
        known = 0
        for identity in identities:
            if identity in self._young or identity in self._old:
                known += 1
            else:
                self._young.add(identity)
        if len(self._young) >= self._size:
            self._young, self._old = set(), self._young
        return known
