"""Who goes first. Pure."""

from enum import IntEnum

BATCH_SHARE = 1 / 8
"""Of the rows that leave while single requests wait as well: batches are slow then, but never starved."""


class Priority(IntEnum):
    """Lowest first: single requests, then batches, then mirrored traffic, which nobody waits for."""

    INTERACTIVE = 0
    BATCH = 1
    SHADOW = 2
