"""What a Triton knows of shared memory, and the proof that it is ours."""

import mmap
import secrets
from typing import Protocol

from gateway.triton.shared_memory import PREFIX, Owner


class Refused(Exception):
    """Triton refused, with its words."""


class Away(Exception):
    """Triton did not answer."""


class Registry(Protocol):
    """What a Triton knows of shared memory. Every method raises Refused or Away."""

    async def supported(self) -> bool:
        """Whether it can do this, and refuses to let go of a region that a call still reads."""

    async def register(self, name: str, size: int) -> None:
        """Map the segment of that name."""

    async def unregister(self, name: str) -> None:
        """Unmap it; refused, or put off, while a call reads it."""

    async def registered(self) -> set[str]:
        """Every region's name."""


async def prove(registry: Registry, owner: Owner) -> None:
    """Triton maps a segment made this moment under a random name, and none that does not exist.

    A Triton on another host has no segment of that name, and never makes one: it could only be taken in by
    somebody who guessed 64 random bits in the meantime.

    Raises:
        Refused: it does not share our memory. Away: it did not answer. OSError: there is none to share.
    """
    segment = owner.segment(mmap.PAGESIZE)
    try:
        await registry.register(segment.name, segment.size)
    finally:
        segment.close()
    await registry.unregister(segment.name)
    absent = f"{PREFIX}{secrets.token_hex(16)}"
    try:
        await registry.register(absent, mmap.PAGESIZE)
    except Refused:
        return
    await registry.unregister(absent)
    raise Refused("it registers what does not exist")
