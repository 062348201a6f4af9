"""What is said of a capacity that was found."""

from cli.load.figures import Figures
from cli.load.trials import Trial
from cli.sizing.report import Capacity, curve, page, rows, sentences


def trial(rate: float, p95_ms: float, *, borne: bool = True, lag_ms: float = 1.0) -> Trial:
    figures = Figures(100, {}, p95_ms / 2, p95_ms / 2, p95_ms, p95_ms * 1.2, p95_ms * 2)
    return Trial(rate, borne, False, figures, lag_ms)


GIVEN_UP = Trial(128.0, False, True, None, 0.0)
REFUSED = Trial(100.0, False, True, Figures(10, {503: 1}, 1, 1, 1, 1, 1), 0.0)
FOUND = Capacity("m", 500.0, 10.0, [trial(16, 40), trial(64, 300), GIVEN_UP, REFUSED], 64.0, [64, 300])


def test_rates_stand_in_order_with_what_came_of_them() -> None:
    assert [(row[0], row[2], row[5]) for row in rows(FOUND)] == [
        ("16.0", "40.0", "borne"),
        ("64.0", "300.0", "borne"),
        ("100.0", "", "a request failed: 503"),
        ("128.0", "", "too many over 500 ms"),
    ]


def test_the_replicas_come_with_their_assumption() -> None:
    told = "\n".join(sentences(FOUND))
    assert "m bears 64 requests/s" in told
    assert "64/s: 1 replica, 2 to lose one." in told
    assert "300/s: 5 replicas, 6 to lose one." in told
    assert "Poisson" in told
    assert "Careful" not in told


def test_a_generator_that_was_late_is_named() -> None:
    late = Capacity("m", 500.0, 10.0, [trial(16, 40, lag_ms=60)], 16.0, [])
    assert "60 ms late" in "\n".join(sentences(late))


def test_nothing_borne_is_said() -> None:
    none = Capacity("m", 500.0, 10.0, [trial(0.5, 900, borne=False)], None, [10])
    assert sentences(none) == ["Not even 0.5/s was borne (95 % within 500 ms, none failed or refused)."]
    assert curve(none).endswith("</svg>\n")


def test_the_page_has_the_table_and_the_picture() -> None:
    text = page(FOUND, "m.svg", "a machine")
    assert "](m.svg)" in text
    assert "| 64.0 | 150.0 | 300.0 | 360.0 | 600.0 | borne |" in text
    drawn = curve(FOUND)
    assert drawn.count("<circle") == 4
    assert "objective 500 ms" in drawn
