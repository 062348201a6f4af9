"""Identifiers: UUIDv7 for what we make, and what we accept from clients."""

import os
import re
import secrets
import time
import uuid

_DRAWN = 256
_ACCEPTED = re.compile(r"[A-Za-z0-9._~:+/=-]{1,128}")


_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class _Tails:
    """The random part of identifiers, made for many at once: each call of the system costs."""

    def __init__(self) -> None:
        self._left: list[str] = []
        os.register_at_fork(after_in_child=self._left.clear)

    def take(self) -> str:
        """One that was never given before; safe to call from many threads."""
        while True:
            try:
                return self._left.pop()
            except IndexError:
                drawn = secrets.token_hex(10 * _DRAWN)
                self._left += [_tail(drawn[place : place + 19]) for place in range(0, 20 * _DRAWN, 20)]


def _tail(digits: str) -> str:
    """Version, variant and 74 bits of these 19 random hexadecimal digits."""
    return f"7{digits[:3]}-{_VARIANTS[digits[3]]}{digits[4:7]}-{digits[7:]}"


_TAILS = _Tails()


def uuid7() -> str:
    """A version 7 UUID (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits."""
    moment = f"{time.time_ns() // 1_000_000:012x}"
    return f"{moment[:8]}-{moment[8:]}-{_TAILS.take()}"


def made_at(identifier: str) -> float:
    """Unix seconds at which a UUIDv7 was made; 0 for anything else."""
    try:
        value = uuid.UUID(identifier)
    except ValueError:
        return 0.0
    return (value.int >> 80) / 1e3 if value.version == 7 else 0.0


def request_id(given: str | None) -> str:
    """The client's request id if it is one that cannot forge a log line, else a new one."""
    return given if given and _ACCEPTED.fullmatch(given) else uuid7()
