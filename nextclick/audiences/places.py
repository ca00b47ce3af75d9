"""Where a unit stands among all: what decides variants and hold-outs, alike in every process, and stored nowhere."""

import hashlib


def place(*words: str) -> float:
    """Where a unit stands among all, uniform in [0, 1): a hash of the words, their lengths included."""
    salted = b"".join(
        len(part).to_bytes(4, "big") + part for part in (word.encode("utf-8", "surrogatepass") for word in words)
    )
    return (int.from_bytes(hashlib.blake2b(salted, digest_size=8).digest(), "big") >> 11) / 2**53
