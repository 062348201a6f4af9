"""The check by bits says what a walk over the parsed array says."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.wire import json_fast
from gateway.wire.json_pairs import only_pairs

NUMBERS = st.sampled_from(["1", "-0.25", "3e-9", " 7 ", "1234567890.123456789", " " * 70 + "5"])
PAIRS = st.tuples(NUMBERS, NUMBERS).map(lambda pair: f"[{pair[0]},{pair[1]}]")
TREES = st.recursive(
    st.one_of(PAIRS, PAIRS, PAIRS, NUMBERS),
    lambda inner: st.lists(inner, max_size=5).map(lambda parts: f"[{','.join(parts)}]"),
    max_leaves=60,
)
REGULAR = st.lists(PAIRS, min_size=1, max_size=80).map(lambda pairs: f"[{' , '.join(pairs)}]")


def walk(array: list[Any]) -> tuple[bool, int]:
    """Whether all numbers are in pairs and other arrays hold arrays; how many arrays."""
    if not any(isinstance(part, list) for part in array):
        return len(array) == 2, 1
    if not all(isinstance(part, list) for part in array):
        return False, 0
    below = [walk(part) for part in array]
    return all(good for good, _ in below), 1 + sum(count for _, count in below)


@given(st.one_of(TREES, REGULAR))
@example("[[1,2],3,4]")
@example("[3,[1,2]]")
@example("[[1,2],[]]")
@example("[[],[1,2]]")
@example("[[1,2,3],[4]]")
@example("[[[1,2],[3,4]],[5,6]]")
def test_it_says_what_a_walk_says(text: str) -> None:
    if not text.startswith("["):
        return
    good, count = walk(json.loads(text))
    raw = np.frombuffer(text.encode(), np.uint8)
    words = [text[start : start + 64] for start in range(0, len(text), 64)]
    tellable = all(set(word) & set("[],") for word in words)
    assert only_pairs(raw, count) == (good and tellable)
    assert not only_pairs(raw, count + 1)


@pytest.mark.parametrize("length", [2, 63, 64, 65, 127, 128, 20_000, 40_000])
def test_gaps_across_words_and_blocks_are_followed(length: int) -> None:
    text = f"[{' ' * 9}{','.join(f'[{i}.5,-{i}]' for i in range(length))}]"
    assert only_pairs(np.frombuffer(text.encode(), np.uint8), length + 1)
    for old, new in (("-", "],["), ("-", ","), (".5,-", ""), (",[", ",")):
        at = text.rindex(old)
        broken = text[:at] + new + text[at + len(old) :]
        assert not only_pairs(np.frombuffer(broken.encode(), np.uint8), broken.count("["))


@pytest.mark.parametrize(
    "array",
    [
        "[[5,[3,[1,2]]]]",
        "[[[1,2],[3,4]],[5,6],[[[7,8],[9,10]],[11,12]]]",
        "[[[1,2],[3,4]],[[5,6],[[7,8],[9,10]]],[1,2]]",
        "[[1,2],[[3,4],[5,6]]]",
        "[[[1,2]],[[3,4],[5,6]],[[7,8]]]",
    ],
)
def test_pairs_in_the_wrong_places_are_left_to_the_exact_way(
    array: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_fast, "_FEW", 0)
    assert json_fast.load(f'{{"iq_data":{array}}}'.encode()) is None
