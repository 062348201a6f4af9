"""The highest rate that a service bears, found by doubling and then halving the bracket (pure)."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Search:
    """Ask `rate` what to try next, `tell` what came of it; done when `rate` is None.

    `held` is the highest rate that was borne, `missed` the lowest that was not. The rates of the bracket
    differ by the factor 1 + `precision` at most when the search is done. None is found when even `lowest` is
    missed, and none above `highest` is tried.
    """

    start: float
    precision: float = 0.05
    lowest: float = 0.5
    highest: float = 100_000.0
    held: float | None = None
    missed: float | None = None
    tried: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def rate(self) -> float | None:
        """What to try next."""
        if self.held is None and self.missed is None:
            return min(max(self.start, self.lowest), self.highest)
        if self.held is None:
            assert self.missed is not None  # noqa: S101
            return max(self.missed / 2, self.lowest) if self.missed > self.lowest else None
        if self.missed is None:
            return min(self.held * 2, self.highest) if self.held < self.highest else None
        if self.missed <= self.held * (1 + self.precision):
            return None
        return float((self.held * self.missed) ** 0.5)

    def tell(self, rate: float, borne: bool) -> None:
        """The outcome of one trial."""
        self.tried.append((rate, borne))
        if borne:
            self.held = max(rate, self.held or 0.0)
        else:
            self.missed = min(rate, self.missed or rate)

    @property
    def trials_left(self) -> int:
        """How many more trials it takes at most, once there is a bracket."""
        if self.held is None or self.missed is None:
            return 8
        ratio, count = self.missed / self.held, 0
        while ratio > 1 + self.precision:
            ratio, count = ratio**0.5, count + 1
        return count
