"""The shipped models run in ONNX Runtime and answer as their contracts say."""

import json

import numpy as np
import onnx
import pytest

import contract.model
from demo.contracts import INPUT, POSITIONS, UNCERTAINTIES
from demo.dataset import Features, features
from demo.inference import predict, predict_each
from demo.shipped import TRUTH, VERSIONS, ShippedVersion, sample_paths
from gateway.domain import Fix
from gateway.uncertainty.covariance import fixes
from gateway.uncertainty.ellipse import mahalanobis, scale_at, standard_ellipse
from gateway.uncertainty.geodesy import offset

each_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda one: f"version {one.number}")


@pytest.fixture(scope="module")
def batch() -> Features:
    """The ten samples through the front-end."""
    return np.stack([features(np.load(path)) for path in sample_paths()])


def answers(version: ShippedVersion, batch: Features) -> list[Fix]:
    """The gateway's own reading of the model's output."""
    output = contract.model.parse(version.contract.read_bytes()).output
    found = [one for one in fixes(*predict(version.model, batch), output) if isinstance(one, Fix)]
    assert len(found) == len(batch)
    return found


@each_version
def test_every_sample_gets_a_usable_fix_near_the_scene(version: ShippedVersion, batch: Features) -> None:
    for fix in answers(version, batch):
        assert 44 < fix.latitude < 46
        assert 7.3 < fix.longitude < 9.9
        ellipse = standard_ellipse(fix.covariance)
        assert 500 < ellipse.semi_minor_m <= ellipse.semi_major_m < 100_000


@each_version
def test_at_least_eight_of_ten_truths_lie_in_the_95_percent_ellipse(
    version: ShippedVersion, batch: Features
) -> None:
    scale = contract.model.parse(version.contract.read_bytes()).output.uncertainty.sigma_scale
    truths = json.loads(TRUTH.read_text()).values()
    inside = 0
    for fix, truth in zip(answers(version, batch), truths, strict=True):
        ellipse = standard_ellipse(fix.covariance.scaled(scale))
        inside += mahalanobis(ellipse, *offset(fix.latitude, fix.longitude, *truth)) <= scale_at(0.95)
    assert inside >= 8


@each_version
def test_a_batch_answers_as_its_recordings_do_alone(version: ShippedVersion, batch: Features) -> None:
    together = predict(version.model, batch)
    for index in range(len(batch)):
        alone = predict(version.model, batch[index : index + 1])
        for joint, single in zip(together, alone, strict=True):
            np.testing.assert_allclose(joint[index], single[0], rtol=1e-5)


@each_version
def test_the_fix_follows_the_recording(version: ShippedVersion, batch: Features) -> None:
    positions, _ = predict(version.model, batch)
    swapped, _ = predict(version.model, batch[:, [1, 0, 2]])
    assert np.ptp(positions, axis=0).min() > 0.3
    assert np.abs(positions - swapped).max() > 0.1


@each_version
def test_silence_and_noise_still_give_finite_numbers(version: ShippedVersion) -> None:
    noise = np.random.default_rng(0).standard_normal((4, 3, 128, 32)).astype(np.float32)
    for odd in (np.zeros_like(noise), noise, 30 * noise):
        assert all(np.isfinite(output).all() for output in predict(version.model, odd))


@each_version
def test_the_file_is_small_self_contained_and_old_enough_for_tritons_containers(
    version: ShippedVersion,
) -> None:
    content = version.model.read_bytes()
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert len(content) <= 1_000_000
    assert not any(one.HasField("data_location") and one.data_location for one in model.graph.initializer)
    assert model.ir_version <= 10
    assert [(one.domain, one.version <= 21) for one in model.opset_import] == [("", True)]
    assert b"site-packages" not in content


@each_version
def test_the_graphs_names_and_shapes_are_the_contracts(version: ShippedVersion) -> None:
    graph = onnx.load(version.model).graph
    shapes = {
        one.name: [axis.dim_param or axis.dim_value for axis in one.type.tensor_type.shape.dim]
        for one in (*graph.input, *graph.output)
    }
    assert shapes == {
        INPUT: ["batch", 3, 128, 32],
        POSITIONS: ["batch", 2],
        UNCERTAINTIES: ["batch", 3],
    }


def test_the_versions_are_different_models(batch: Features) -> None:
    both = predict_each(tuple(version.model for version in VERSIONS), batch)
    assert both.shape == (10, len(VERSIONS), 5)
    assert np.abs(both[:, 0] - both[:, 1]).max() > 0.01
