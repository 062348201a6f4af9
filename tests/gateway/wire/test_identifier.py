"""Identifiers."""

import time
import uuid

import pytest

from gateway.wire.identifier import made_at, request_id, uuid7


def test_a_uuid7_holds_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    identifier = uuid.UUID(uuid7())
    after = time.time_ns() // 1_000_000
    assert (identifier.version, identifier.variant) == (7, uuid.RFC_4122)
    assert before <= identifier.int >> 80 <= after


def test_no_two_are_the_same() -> None:
    assert len({uuid7() for _ in range(10_000)}) == 10_000


def test_a_request_keeps_its_id_if_that_is_harmless() -> None:
    assert request_id("abc-123") == "abc-123"
    assert uuid.UUID(request_id(None)).version == 7
    assert uuid.UUID(request_id("a\nb")).version == 7


def test_a_uuid7_tells_when_it_was_made_and_nothing_else_does() -> None:
    assert made_at(uuid7()) == pytest.approx(time.time(), abs=60)
    assert made_at(str(uuid.uuid4())) == 0
    assert made_at("no identifier") == 0
