"""Who is compared with the champion, and on what."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from contract.catalog import RoutePolicy, ServedModel
from contract.model import ModelContract, parse
from contract.rollout import Plan, Rollout
from gateway.domain import Options, PredictRequest, Recording
from gateway.errors import InvalidInput
from gateway.recordings.conform import conform, tensor_shape
from gateway.versions.routing import route
from gateway.versions.shadow_plan import restated, shadow_plan
from tests.gateway import stand

NOW = 1_000.0


def model(*, aliases: dict[str, int], weights: dict[str, float] | None = None, **changes: Any) -> ServedModel:
    """Versions 1 to 4 with these aliases."""
    versions = tuple(stand.echo_model("m").served(version=number) for number in (1, 2, 3, 4))
    routing = RoutePolicy(weights) if weights else None
    return replace(ServedModel("m", versions, aliases, routing), **changes)


def compared(given: ServedModel) -> dict[int, list[tuple[int, bool]]]:
    """By the version that answered: who is compared, and whether on samples only."""
    plan = shadow_plan(route(given, NOW))
    return {
        number: [(one.version.version, one.sampled) for one in candidates]
        for number, candidates in (plan.candidates if plan else {}).items()
    }


def test_without_a_shadow_and_rivals_nobody_is_compared() -> None:
    assert compared(model(aliases={"champion": 1, "candidate": 2})) == {}
    assert compared(model(aliases={"shadow": 2})) == {}


def test_the_shadow_sees_what_the_champion_answers() -> None:
    assert compared(model(aliases={"champion": 1, "shadow": 3})) == {1: [(3, False)]}


def test_a_champion_is_not_its_own_shadow() -> None:
    assert compared(model(aliases={"champion": 1, "shadow": 1})) == {}


def test_a_shadow_that_is_not_served_is_passed_over() -> None:
    assert compared(model(aliases={"champion": 1, "shadow": 9})) == {}


def test_rivals_are_sampled_both_ways_and_the_shadow_sees_their_answers_too() -> None:
    given = model(
        aliases={"champion": 1, "candidate": 2, "shadow": 3},
        weights={"champion": 8, "candidate": 1, "4": 1},
    )
    assert compared(given) == {
        1: [(3, False), (2, True), (4, True)],
        2: [(3, False), (2, True)],
        4: [(3, False), (4, True)],
    }


@pytest.mark.parametrize(("phase", "found"), [("running", {1: [(2, True)], 2: [(2, True)]}), ("aborted", {})])
def test_a_rollouts_version_is_compared_before_it_has_a_share(phase: Any, found: Any) -> None:
    rollout = Rollout(
        id="r", version=2, champion=1, plan=Plan(), by="somebody", started_at=0.0, phase=phase, paused=True
    )
    assert compared(model(aliases={"champion": 1}, rollout=rollout)) == found


FRONTEND = stand.FRONTEND


def mel(receivers: Any = 2, **frontend: Any) -> ModelContract:
    """A contract for IQ of some receivers through a front-end."""
    return parse(
        {
            "schema": 1,
            "input": {
                "tensor": "x", "kind": "mel", "receivers": receivers, "frontend": {**FRONTEND, **frontend},
            },
            "output": stand.OUTPUT,
        }
    )  # fmt: skip


def named(*ids: str) -> list[dict[str, str]]:
    """Receivers of these names."""
    return [{"id": one} for one in ids]


TENSOR = stand.echo_model("m").contract
IQ = PredictRequest(Recording(iq=stand.iq(1, receivers=2)), Options())
FEATURES = PredictRequest(Recording(features=np.zeros((2, 8, 4), np.float32)), Options())


def fits(request: PredictRequest, other: ModelContract) -> Any:
    """The canonical input under the other contract."""
    shape = tensor_shape(other, stand.mel_model("m", 1).served().inputs)
    return conform(request.recording, request.options, other, shape)


def test_an_unstated_sample_rate_is_the_one_of_the_contract_that_took_it() -> None:
    """Else a recording of one rate would be given to a model of another, and their distance mean nothing."""
    other = mel(sample_rate_hz=96_000)
    assert fits(IQ, other) is not None
    with pytest.raises(InvalidInput, match="sample_rate_hz"):
        fits(restated(IQ, mel(), other), other)


def test_unstated_receivers_are_those_of_the_contract_that_took_them() -> None:
    first, second = mel(named("a", "b")), mel(named("b", "a"))
    found = fits(restated(IQ, first, second), second)
    assert IQ.recording.iq is not None
    np.testing.assert_array_equal(found, IQ.recording.iq[::-1])


def test_one_receiver_that_is_repeated_has_no_order() -> None:
    single = PredictRequest(Recording(iq=stand.iq(1, receivers=1)), Options())
    second = mel(named("b", "a"))
    assert fits(restated(single, mel(named("a", "b")), second), second).shape[0] == 2


def test_features_are_for_the_front_end_that_made_them() -> None:
    with pytest.raises(InvalidInput, match="another front-end"):
        restated(FEATURES, mel(), mel(hop=16))
    assert restated(FEATURES, mel(), mel(3)).recording is FEATURES.recording


def test_a_model_that_takes_its_tensor_is_not_asked_for_a_rate() -> None:
    stated = PredictRequest(FEATURES.recording, Options(sample_rate_hz=48_000))
    assert restated(stated, mel(), TENSOR).options.sample_rate_hz is None
