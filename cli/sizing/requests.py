"""Requests for a model, from what the gateway says of it (pure): every one another recording, none cached."""

from typing import Any

import numpy as np

from cli.client import OCTETS
from cli.load import message

DIFFERENT = 64
"""Recordings, sent in turn: enough that none is computed twice at once."""


class Unusable(ValueError):
    """The model takes something that cannot be made up; the message says what."""


def made_up(url: str, model: str, described: dict[str, Any], key: str | None) -> list[bytes]:
    """Whole HTTP requests with random input, as the version's contract wants it.

    Args:
        url: of the gateway.
        model: its name.
        described: the gateway's document of the version.
        key: an API key, or None.

    Raises:
        Unusable: the input's size is not known.
    """
    query, values = _input(described)
    headers = {"Content-Type": OCTETS, **({"Authorization": f"Bearer {key}"} if key else {})}
    path = f"{url.rstrip('/')}/models/{model}/predict?cache_enabled=false&{query}"
    draw = np.random.default_rng(1)
    bodies = ((draw.standard_normal(values) * 0.1).astype("<f4").tobytes() for _ in range(DIFFERENT))
    return [message.post(path, body, headers) for body in bodies]


def _input(described: dict[str, Any]) -> tuple[str, int]:
    """The query that says what the body is, and how many float32 values it has."""
    given = described["contract"]["input"]
    if given["kind"] == "mel":
        receivers, frontend = _count(given["receivers"]), given["frontend"]
        samples = frontend["hop"] * frontend["frames"] + frontend["n_fft"]
        return f"dtype=cf32_le&receivers={receivers}", receivers * samples * 2
    shape = next(one["shape"] for one in described["inputs"] if one["name"] == given["tensor"])
    if any(axis < 1 for axis in shape):
        raise Unusable(f"its input's shape is {shape}: name a recording with --recording")
    if given["kind"] == "iq":
        return f"dtype=cf32_le&receivers={shape[0]}", int(np.prod(shape))
    return "dtype=f32_le", int(np.prod(shape))


def _count(receivers: int | list[Any]) -> int:
    return receivers if isinstance(receivers, int) else len(receivers)
