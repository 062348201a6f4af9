"""Identifiers: UUIDv7 for what we make, and what we accept from clients."""

import re
import secrets
import time

_ACCEPTED = re.compile(r"[A-Za-z0-9._~:+/=-]{1,128}")


def uuid7() -> str:
    """A version 7 UUID (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def request_id(given: str | None) -> str:
    """The client's request id if it is one that cannot forge a log line, else a new one."""
    return given if given and _ACCEPTED.fullmatch(given) else uuid7()
