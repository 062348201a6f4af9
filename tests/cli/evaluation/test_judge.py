"""Answers held against truths: as they are, and with a factor on σ fitted on half of them."""

import pytest

from cli.evaluation.judge import NothingToJudge, evaluate, evaluate_fit, fix_of, in_first_half, judge
from gateway.domain import Covariance, Fix, Options
from gateway.prediction import Prediction, derive
from gateway.wire.response import prediction_document
from tests.cli.evaluation.sets import as_fixes, drawn, labelled


def test_a_document_gives_its_fix_back() -> None:
    fix = Fix(45.0, 7.0, Covariance(4e4, 9e4, -3e4))
    derived = derive(fix, sigma_scale=1.0, level=0.68, radius_m=1000.0)
    prediction = Prediction(
        id="",
        model="m",
        version=1,
        derived=derived,
        options=Options(),
        cache="miss",
        inference_time_ms=1,
        at=0,
    )
    found = fix_of(prediction_document(prediction))
    assert (found.latitude, found.longitude) == (45.0, 7.0)
    assert found.covariance.cov == pytest.approx(-3e4)
    assert (found.covariance.var_east, found.covariance.var_north) == pytest.approx((4e4, 9e4))


def test_a_set_is_described_as_a_whole_and_by_region() -> None:
    answers, truths = drawn(2000)
    evaluation = evaluate(judge(labelled(truths), as_fixes(answers)), 1.25)
    assert evaluation.overall.calibrated
    assert evaluation.overall.count == 2000
    assert list(evaluation.regions) == ["north", "south"]
    assert sum(one.count for one in evaluation.regions.values()) == 2000
    assert evaluation.sigma_scale == 1.25
    assert evaluation.fit is None


def test_recordings_without_an_answer_are_counted_by_reason_and_left_out() -> None:
    answers, truths = drawn(100)
    given = as_fixes(answers)
    given[3] = given[50] = "too short (400)"
    given[7] = "unusable (502)"
    judged = judge(labelled(truths), given)
    assert judged.failures == {"too short (400)": 2, "unusable (502)": 1}
    assert len(judged.outcomes) == len(judged.sessions) == len(judged.regions) == 97
    assert judged.sessions[3] == "s4"
    whole = judge(labelled(truths), as_fixes(answers))
    assert judged.outcomes.error_m[3] == whole.outcomes.error_m[4]


def test_no_answer_at_all_is_nothing_to_judge() -> None:
    _, truths = drawn(3)
    with pytest.raises(NothingToJudge, match=r"none of 3 recordings got an answer: b \(400\)"):
        judge(labelled(truths), ["a (400)", "b (400)", "b (400)"])


def test_the_factor_is_fitted_on_one_half_and_reported_on_the_other() -> None:
    answers, truths = drawn(4000, off_by=2.5)
    judged = judge(labelled(truths), as_fixes(answers))
    evaluation = evaluate_fit(judged, 1.2)
    fit = evaluation.fit
    assert fit is not None
    assert fit.scale == pytest.approx(2.5, rel=0.05)
    assert evaluation.sigma_scale == pytest.approx(1.2 * fit.scale)
    assert fit.fitted_on + evaluation.overall.count == 4000
    assert 1800 < fit.fitted_on < 2200
    assert fit.before > 0.3
    assert fit.after < 0.03
    assert evaluation.overall.calibrated
    assert not evaluate(judged, 1.2).overall.calibrated


def test_the_half_that_is_reported_has_no_say_in_the_factor() -> None:
    answers, truths = drawn(400)
    judged = judge(labelled(truths), as_fixes(answers))
    unseen = [not in_first_half(session) for session in judged.sessions]
    spoilt = truths.copy()
    spoilt[unseen] += 1.0
    other = judge(labelled(spoilt), as_fixes(answers))
    first, second = evaluate_fit(judged, 1.0).fit, evaluate_fit(other, 1.0).fit
    assert first is not None
    assert second is not None
    assert first.scale == second.scale
    assert second.after > first.after


def test_a_session_is_never_split() -> None:
    answers, truths = drawn(300)
    evaluation = evaluate_fit(judge(labelled(truths, per_session=30), as_fixes(answers)), 1.0)
    assert evaluation.overall.count % 30 == 0


def test_halves_depend_on_the_sessions_name_alone() -> None:
    assert [in_first_half(f"s{index}") for index in range(8)] == [
        True, True, False, True, True, False, True, False,
    ]  # fmt: skip


def test_one_session_cannot_be_halved() -> None:
    answers, truths = drawn(50)
    with pytest.raises(NothingToJudge, match="halved"):
        evaluate_fit(judge(labelled(truths, per_session=50), as_fixes(answers)), 1.0)


def test_perfect_answers_tell_nothing_about_sigma() -> None:
    answers, truths = drawn(50, off_by=0.0)
    with pytest.raises(NothingToJudge, match="exactly on its fix"):
        evaluate_fit(judge(labelled(answers[:, :2].astype(float)), as_fixes(answers)), 1.0)
    assert evaluate(judge(labelled(truths), as_fixes(answers)), 1.0).overall.nees < 1e-6
