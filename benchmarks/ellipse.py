"""What uncertainty costs: one prediction's derived numbers, outlines, a hundred of both.

    python -m benchmarks.ellipse [--rounds 30]

Prints the median of the rounds and the fastest, with the bounds that the project has set itself.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from gateway.domain import Covariance, Fix
from gateway.prediction import derive
from gateway.uncertainty.ellipse import (
    cep50,
    confidence,
    each,
    r95,
    scale_at,
    standard_ellipse,
    standard_ellipses,
)
from gateway.uncertainty.footprint import footprint, footprints

BATCH = 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    fixes = sample_fixes(BATCH)
    covariances = [fix.covariance for fix in fixes]
    one, two_sigma = fixes[0], standard_ellipse(fixes[0].covariance).scaled(2)
    pole, cut = Fix(89.5, 7.0, one.covariance), Fix(45.0, 179.999, one.covariance)

    def hundred() -> None:
        standard = standard_ellipses(covariances)
        ellipses = standard.scaled(scale_at(0.95))
        each(ellipses), cep50(standard), r95(standard), confidence(standard, 1000.0)
        footprints(fixes, ellipses)

    table: list[tuple[str, Callable[[], object], float | None]] = [
        ("one ellipse (axes, direction)", lambda: standard_ellipse(one.covariance), None),
        (
            "one ellipse with CEP50, R95, confidence",
            lambda: derive.__wrapped__(one, sigma_scale=1.1, level=0.68, radius_m=1000.0),
            100.0,
        ),
        ("the same, asked again", lambda: derive(one, sigma_scale=1.1, level=0.68, radius_m=1000.0), None),
        ("one outline", lambda: footprint(one, two_sigma), None),
        ("one outline cut by the antimeridian", lambda: footprint(cut, two_sigma), None),
        ("one outline with a pole inside", lambda: footprint(pole, two_sigma.scaled(100)), None),
        (f"{BATCH} ellipses with CEP50, R95, confidence and outlines", hundred, 5000.0),
    ]
    print("| what | median µs | fastest µs | bound µs |\n|---|---|---|---|")
    for name, work, bound in table:
        median, fastest = measure(work, rounds)
        print(f"| {name} | {median:,.1f} | {fastest:,.1f} | {f'{bound:,.0f}' if bound else ''} |")


def sample_fixes(count: int) -> list[Fix]:
    """Fixes over Europe with σ from 50 m to 5 km."""
    rng = np.random.default_rng(1)
    east, north = 10 ** rng.uniform(1.7, 3.7, (2, count))
    cov = rng.uniform(-0.9, 0.9, count) * east * north
    places = zip(rng.uniform(36, 60, count), rng.uniform(-9, 30, count), east**2, north**2, cov, strict=True)
    return [Fix(float(lat), float(lon), Covariance(*map(float, rest))) for lat, lon, *rest in places]


def measure(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median and fastest round, µs per call."""
    calls = 1
    while _seconds(work, calls) < 0.01:
        calls *= 2
    each_round = [_seconds(work, calls) / calls * 1e6 for _ in range(rounds)]
    return statistics.median(each_round), min(each_round)


def _seconds(work: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
