"""When to try and when to leave it alone."""

from gateway.circuit import Circuit


def tripped(at: float = 0.0) -> Circuit:
    """A breaker after three failures."""
    circuit = Circuit(failures=3, pause_s=1.0, longest_s=4.0)
    for _ in range(3):
        circuit.failed(at)
    return circuit


def test_a_few_failures_change_nothing() -> None:
    circuit = Circuit(failures=3)
    circuit.failed(0.0)
    circuit.failed(0.0)
    assert circuit.allows(0.0)
    assert not circuit.open


def test_failures_must_be_in_a_row() -> None:
    circuit = Circuit(failures=2)
    for _ in range(5):
        circuit.failed(0.0)
        circuit.succeeded()
    assert circuit.allows(0.0)


def test_it_opens_for_a_pause() -> None:
    circuit = tripped()
    assert circuit.open
    assert not circuit.allows(0.99)
    assert circuit.allows(1.0)


def test_after_the_pause_one_may_try_and_the_rest_wait() -> None:
    circuit = tripped()
    assert [circuit.allows(1.0) for _ in range(3)] == [True, False, False]


def test_a_probe_that_never_reports_does_not_keep_it_open() -> None:
    circuit = tripped()
    assert circuit.allows(1.0)
    assert not circuit.allows(1.9)
    assert circuit.allows(2.0)


def test_a_good_probe_closes_it() -> None:
    circuit = tripped()
    assert circuit.allows(1.0)
    circuit.succeeded()
    assert all(circuit.allows(1.0) for _ in range(3))
    assert not circuit.open


def test_each_bad_probe_doubles_the_pause_up_to_the_longest() -> None:
    circuit = tripped()
    now, pauses = 0.0, []
    for _ in range(4):
        start = now
        while not circuit.allows(now):
            now += 0.5
        pauses.append(now - start)
        circuit.failed(now)
    assert pauses == [1.0, 2.0, 4.0, 4.0]


def test_after_recovery_the_first_pause_is_short_again() -> None:
    circuit = tripped()
    for now in (1.0, 3.0):
        assert circuit.allows(now)
        circuit.failed(now)
    circuit.succeeded()
    for _ in range(3):
        circuit.failed(10.0)
    assert circuit.allows(11.0)
