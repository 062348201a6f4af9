"""The cache of raw fixes: keys that no two different questions share, memory first, Redis second.

What is kept is the fix before `sigma_scale`: changing that scale, the confidence level or the session never
serves stale numbers. Any failure is a miss.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from gateway.cache.memory import MemoryCache
from gateway.domain import Covariance, Fix

_KEY_SCHEMA = b"fixgate key 1"
_KINDS = 64
"""Types and shapes whose hash so far is kept: recordings may have any length."""

_FIX = struct.Struct("<2s5d")
_FIX_SCHEMA = b"F1"


class KeyMaker:
    """Keys for one version's inputs: BLAKE3 of (artifact digest, contract digest, dtype, shape, bytes)."""

    def __init__(self, artifact_digest: str, contract_digest: str) -> None:
        self._prefix = blake3()
        for part in (_KEY_SCHEMA, artifact_digest.encode(), contract_digest.encode()):
            self._prefix.update(_framed(part))
        self._begun: dict[tuple[np.dtype[Any], tuple[int, ...]], blake3] = {}

    def key(self, canonical: NDArray[Any]) -> bytes:
        """32 bytes for a parsed input in the contract's receiver order, before the front-end.

        Every part is preceded by its length, so that no two different inputs are the same byte string.
        """
        kind = (canonical.dtype, canonical.shape)
        begun = self._begun.get(kind)
        if begun is None:
            begun = self._begin(canonical)
            if len(self._begun) < _KINDS:
                self._begun[kind] = begun
        hasher = begun.copy()
        hasher.update(np.ascontiguousarray(canonical).reshape(-1).view(np.uint8).data)
        return hasher.digest()

    def _begin(self, canonical: NDArray[Any]) -> blake3:
        hasher = self._prefix.copy()
        hasher.update(_framed(canonical.dtype.str.encode()))
        hasher.update(_framed(np.asarray(canonical.shape, "<u8").tobytes()))
        return hasher


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(8, "little") + part


def dump_fix(fix: Fix) -> bytes:
    """A raw fix as 42 bytes."""
    covariance = fix.covariance
    return _FIX.pack(
        _FIX_SCHEMA, fix.latitude, fix.longitude, covariance.var_east, covariance.var_north, covariance.cov
    )


def parse_fix(value: bytes) -> Fix | None:
    """The fix, or None when the bytes are not one: what lies in a shared Redis is not trusted."""
    if len(value) != _FIX.size or not value.startswith(_FIX_SCHEMA):
        return None
    _, latitude, longitude, var_east, var_north, cov = _FIX.unpack(value)
    on_earth = -90 <= latitude <= 90 and -180 <= longitude < 180
    definite = 0 < var_east < np.inf and 0 < var_north < np.inf and cov * cov < var_east * var_north
    return Fix(latitude, longitude, Covariance(var_east, var_north, cov)) if on_earth and definite else None


class SharedCache(Protocol):
    """The second level: shared by every gateway, possibly away."""

    async def get(self, model: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values found, within a few dozen milliseconds whatever happens."""

    def put(self, model: str, values: Mapping[bytes, bytes]) -> None:
        """Keep the values some time soon, or drop them."""

    def forget_pending(self) -> None:
        """Drop those that are not kept yet."""


class FixCache:
    """Both levels; how often each was asked for a fix, and had it."""

    def __init__(self, memory: MemoryCache[Fix], shared: SharedCache) -> None:
        self._memory = memory
        self._shared = shared
        self.memory_asked = self.memory_hits = self.shared_asked = self.shared_hits = 0

    def recent(self, key: bytes) -> Fix | None:
        """The fix from memory, or None."""
        self.memory_asked += 1
        fix = self._memory.get(key)
        if fix is not None:
            self.memory_hits += 1
        return fix

    async def find(self, model: str, keys: Sequence[bytes]) -> dict[bytes, Fix]:
        """Those of `keys` that the shared level has; memory keeps them from now on."""
        found: dict[bytes, Fix] = {}
        self.shared_asked += len(keys)
        for key, value in zip(keys, await self._shared.get(model, keys), strict=True):
            if value is not None and (fix := parse_fix(value)) is not None:
                found[key] = fix
                self._memory.put(key, fix)
        self.shared_hits += len(found)
        return found

    def forget(self) -> None:
        """Forget what memory has and what is on its way to the shared level, which was cleared."""
        self._memory.clear()
        self._shared.forget_pending()

    def keep(self, model: str, fixes: Mapping[bytes, Fix]) -> None:
        """Keep new fixes in both levels."""
        for key, fix in fixes.items():
            self._memory.put(key, fix)
        self._shared.put(model, {key: dump_fix(fix) for key, fix in fixes.items()})
