"""Records of versions: merging, reading, where they lie."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.histogram import Histogram
from contract.version_record import (
    COARSE,
    FINE,
    OWN_DEADLINE,
    VersionRecord,
    dump,
    field_name,
    merge,
    merge_windows,
    parse,
    window_keys,
)

NAMES = st.sampled_from(["InvalidInput", "Unavailable", "BadAnswer"])
COUNTS = st.integers(0, 1000)


def histogram(values: list[float]) -> Histogram:
    """Their histogram."""
    made = Histogram()
    for value in values:
        made.add(value)
    return made


# Powers of two, whose sums are exact.
HISTOGRAMS = st.lists(st.sampled_from([0.0, 0.5, 2.0, 64.0]), max_size=5).map(histogram)
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    int: COUNTS,
    dict: st.dictionaries(NAMES, st.integers(1, 9)),
    Histogram: HISTOGRAMS,
}
RECORDS = st.builds(
    VersionRecord,
    **{
        name: BY_TYPE[type(getattr(VersionRecord(), name))]  # every field takes part, new ones as well
        for name in VersionRecord.__struct_fields__
    },
)


@given(RECORDS, RECORDS, RECORDS)
def test_merging_does_not_depend_on_order_or_grouping(
    a: VersionRecord, b: VersionRecord, c: VersionRecord
) -> None:
    assert merge([a, b, c]) == merge([merge([c, a]), b])


@given(RECORDS)
def test_merging_with_nothing_changes_nothing(record: VersionRecord) -> None:
    assert merge([record, VersionRecord()]) == record
    assert merge([]) == VersionRecord()


@given(RECORDS)
def test_a_record_travels_as_json(record: VersionRecord) -> None:
    assert parse(dump(record)) == record


def test_what_a_newer_gateway_adds_is_passed_over() -> None:
    assert parse(b'{"answered":3,"new":[1]}') == VersionRecord(answered=3)


@pytest.mark.parametrize("document", [b"", b"x", b"[]", b'{"answered":-1}', b'{"hits":"1"}'])
def test_garbage_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(document)


def test_the_clients_errors_do_not_count_against_a_version() -> None:
    errors = {"InvalidInput": 40, OWN_DEADLINE: 10, "BadAnswer": 6, "DeadlineExceeded": 4}
    record = VersionRecord(answered=90, errors=errors)
    assert (record.requests, record.faults, record.error_rate) == (150, 10, 0.1)


def test_what_another_version_had_to_answer_counts_against_a_version() -> None:
    """A version that is away altogether must not look faultless because nobody noticed."""
    record = VersionRecord(fell_back=8, answered=2)
    assert (record.requests, record.faults, record.error_rate) == (10, 8, 0.8)


def test_shares_of_nothing_are_unknown() -> None:
    record = VersionRecord(errors={"InvalidInput": 1})
    assert (record.error_rate, record.hit_rate, record.relative_shift) == (None, None, None)


def test_a_shift_is_measured_in_the_champions_own_uncertainty() -> None:
    record = VersionRecord(
        shift_m=histogram([100.0, 300.0, 900.0]), champion_semi_major_m=histogram([600.0] * 3)
    )
    assert record.relative_shift == pytest.approx(0.5, rel=0.05)


def test_windows_cover_the_span_and_no_more() -> None:
    assert window_keys("m", 1005.0, 1029.9) == [
        f"fixgate:record:10:{start}:m" for start in (1000, 1010, 1020)
    ]
    assert window_keys("m", 1000.0, 1000.0) == ["fixgate:record:10:1000:m"]


def test_a_long_span_is_read_from_the_coarse_series() -> None:
    day = window_keys("m", 0.0, 86_399.0)
    assert len(day) == 86_400 / COARSE.window_s
    assert day[-1] == "fixgate:record:600:85800:m"
    almost = FINE.keep_s - FINE.window_s
    assert window_keys("m", 0.0, almost)[0] == "fixgate:record:10:0:m"


@given(st.floats(0, 4e9))
def test_a_window_holds_its_moment(at: float) -> None:
    for series in (FINE, COARSE):
        assert series.start(at) <= at < series.start(at) + series.window_s


def test_versions_are_merged_over_windows_and_processes() -> None:
    def document(answered: int) -> bytes:
        return dump(VersionRecord(answered=answered))

    windows = [
        {field_name(1, "a").encode(): document(1), field_name(1, "b").encode(): document(2)},
        {field_name(1, "a").encode(): document(4), field_name(2, "a").encode(): document(8)},
        {b"x/a": document(1), b"3/a": b"garbage", field_name(2, "b").encode(): b""},
    ]
    found = merge_windows(windows)
    assert {version: record.answered for version, record in found.items()} == {1: 7, 2: 8}
