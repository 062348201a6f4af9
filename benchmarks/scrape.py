"""The gateway's own counters."""

import re
import urllib.request

_LINE = re.compile(r'^fixgate_predictions_total\{.*cache="(\w+)".*\} ([0-9.e+]+)$', re.MULTILINE)
_FAILURE = re.compile(r'^fixgate_prediction_failures_total\{.*error="(\w+)".*\} ([0-9.e+]+)$', re.MULTILINE)


def outcomes(url: str) -> dict[str, int]:
    """Predictions so far, by where the fix came from: hit, miss, coalesced, bypass."""
    with urllib.request.urlopen(url + "/metrics") as answer:  # noqa: S310 - our own gateway
        return parse(answer.read().decode())


def parse(text: str) -> dict[str, int]:
    """The same, from the text of the metrics."""
    counted: dict[str, int] = {}
    for outcome, value in _LINE.findall(text):
        counted[outcome] = counted.get(outcome, 0) + int(float(value))
    return counted


def failures(url: str) -> dict[str, int]:
    """Recordings that got no prediction, by class of error."""
    with urllib.request.urlopen(url + "/metrics") as answer:  # noqa: S310 - our own gateway
        counted = _FAILURE.findall(answer.read().decode())
    return {error: int(float(value)) for error, value in counted}


def since(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What came on top."""
    return {outcome: count - before.get(outcome, 0) for outcome, count in after.items()}


def hit_rate(counted: dict[str, int]) -> float:
    """The part of predictions whose fix lay in the cache."""
    return counted.get("hit", 0) / max(1, sum(counted.values()))
