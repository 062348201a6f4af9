"""Sides that take turns, and what their rounds come to (pure but for the turns)."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Side(Generic[T]):
    """One of those compared; `measure` starts what it needs, warms it up, and measures once."""

    name: str
    measure: Callable[[], T]


def alternate(
    sides: Sequence[Side[T]], rounds: int, told: Callable[[str, T], None] = lambda *_: None
) -> dict[str, list[T]]:
    """Every side once a round, each round beginning with the next side, so that drift hurts all alike."""
    taken: dict[str, list[T]] = {side.name: [] for side in sides}
    for number in range(rounds):
        first = number % len(sides)
        for side in (*sides[first:], *sides[:first]):
            measured = side.measure()
            taken[side.name].append(measured)
            told(side.name, measured)
    return taken


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def spread(values: Sequence[float]) -> str:
    """The median, and the range in brackets."""
    middle = number(statistics.median(values))
    return f"{middle} ({number(min(values))}-{number(max(values))})" if len(values) > 1 else middle


def number(value: float) -> str:
    """Three figures that count, or all that stand before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
