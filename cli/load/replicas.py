"""How many replicas a rate needs (pure).

Assumption: arrivals are Poisson, and each of n equal replicas gets its share at random, so that it sees
Poisson arrivals at 1/n of the rate and keeps the objective up to the rate that one replica was measured to
bear. Sending each call where least is in flight does better than that.
"""

from math import ceil, isfinite

ASSUMPTION = (
    "Poisson arrivals, shared out at random among equal replicas, each of which bears what one was measured "
    "to bear"
)


def replicas(rate: float, capacity: float) -> int:
    """The fewest replicas that bear `rate`, each bearing `capacity`; both in requests a second.

    Raises:
        ValueError: nothing bears it, or the rate is no positive number.
    """
    if not (isfinite(rate) and rate > 0):
        raise ValueError(f"a rate must be a positive number, got {rate:g}")
    if capacity <= 0:
        raise ValueError("no rate was borne, so no number of replicas would do")
    return ceil(rate / capacity - 1e-9)
