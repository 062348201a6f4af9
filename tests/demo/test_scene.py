"""The simulator is repeatable, and what the receivers hear follows the stated physics."""

from dataclasses import replace

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from numpy.typing import NDArray

from demo.scene import (
    CENTRE,
    RECEIVER_POSITIONS,
    RECEIVERS,
    SAMPLE_RATE_HZ,
    SAMPLES,
    SCENE,
    Capture,
    Scene,
    distances_m,
    expected_levels,
    offsets_m,
    simulate,
    to_degrees,
)

QUIET = replace(SCENE, transmit_sd_db=0.0, shadowing_sd_db=0.0, noise_sd_db=0.0)
WGS84 = Geodesic.WGS84


@pytest.fixture(scope="module")
def captures() -> list[Capture]:
    return [simulate(SCENE, 77, index) for index in range(200)]


def test_the_same_arguments_give_the_same_recording_whatever_was_drawn_before() -> None:
    first = simulate(SCENE, 7, 3)
    simulate(SCENE, 7, 4)
    again = simulate(SCENE, 7, 3)
    np.testing.assert_array_equal(first.iq, again.iq)
    np.testing.assert_array_equal(first.position, again.position)


@pytest.mark.parametrize(("seed", "index"), [(8, 3), (7, 4)])
def test_another_seed_or_index_gives_another_recording(seed: int, index: int) -> None:
    first, other = simulate(SCENE, 7, 3), simulate(SCENE, seed, index)
    assert not np.allclose(first.position, other.position)
    assert not np.allclose(first.iq, other.iq)


def test_a_recording_has_the_stated_shape_and_type(captures: list[Capture]) -> None:
    for capture in captures:
        assert capture.iq.shape == (len(RECEIVERS), SAMPLES) == (3, 17_920)
        assert capture.iq.dtype == np.complex64
        assert np.isfinite(capture.iq).all()


def test_sources_fill_the_square_and_stay_in_it(captures: list[Capture]) -> None:
    offsets = offsets_m(CENTRE, np.stack([capture.position for capture in captures]))
    assert np.abs(offsets).max() <= SCENE.half_width_m * (1 + 1e-9)
    for axis in offsets.T:  # uniform: each quarter of the side holds about a quarter
        counts, _ = np.histogram(axis, bins=4, range=(-SCENE.half_width_m, SCENE.half_width_m))
        assert counts.min() > 30


def test_distances_and_offsets_agree_with_another_geodesic_library(captures: list[Capture]) -> None:
    for capture in captures[:20]:
        latitude, longitude = capture.position
        for index, (lat, lon) in enumerate(RECEIVER_POSITIONS):
            line = WGS84.Inverse(lat, lon, latitude, longitude)
            assert distances_m(capture.position)[index] == pytest.approx(line["s12"], abs=1e-4)
            east, north = offsets_m(RECEIVER_POSITIONS[index], capture.position)
            azimuth = np.radians(line["azi1"])
            assert [east, north] == pytest.approx(
                [line["s12"] * np.sin(azimuth), line["s12"] * np.cos(azimuth)], abs=1e-3
            )


def test_degrees_and_metres_about_the_centre_are_inverse() -> None:
    metres = np.random.default_rng(0).uniform(-75_000, 75_000, (50, 2))
    np.testing.assert_allclose(offsets_m(CENTRE, to_degrees(metres)), metres, atol=1e-3)


def test_levels_fall_by_thirty_db_a_decade_from_full_scale_at_one_km() -> None:
    torino = offsets_m(CENTRE, RECEIVER_POSITIONS[0])
    for kilometres, level in [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (10.0, -30.0), (100.0, -60.0)]:
        there = WGS84.Direct(*RECEIVER_POSITIONS[0], 40.0, kilometres * 1000)
        got = expected_levels(SCENE, np.array([there["lat2"], there["lon2"]]))
        assert got[0] == pytest.approx(level, abs=1e-3)
    assert np.hypot(*torino) > 50_000


def test_levels_spread_as_transmitter_and_shadowing_say(captures: list[Capture]) -> None:
    deviations = np.stack([c.levels_dbfs - expected_levels(SCENE, c.position) for c in captures])
    assert np.abs(deviations.mean(axis=0)).max() < 0.5
    mean = deviations.mean(axis=1)  # shadowing is each receiver's own, the transmitter's level is common
    assert (deviations - mean[:, None]).var() * 3 / 2 == pytest.approx(2.0**2, rel=0.2)
    assert mean.var() == pytest.approx(1.0**2 + 2.0**2 / 3, rel=0.3)


def test_the_recorded_power_is_signal_plus_noise() -> None:
    for index in range(20):
        capture = simulate(QUIET, 5, index)
        np.testing.assert_allclose(capture.levels_dbfs, expected_levels(QUIET, capture.position))
        expected = 10 ** (capture.levels_dbfs / 10) + 10 ** (QUIET.noise_dbfs / 10)
        np.testing.assert_allclose(power(capture.iq), expected, rtol=0.06)


def test_the_signal_stands_out_less_the_farther_the_source() -> None:
    near_and_far = []
    for index in range(40):
        capture = simulate(QUIET, 9, index)
        ratio_db = 10 * np.log10(power(capture.iq) / 10 ** (QUIET.noise_dbfs / 10) - 1)
        near_and_far += list(zip(np.log10(distances_m(capture.position) / 1000), ratio_db, strict=True))
    distance, ratio_db = np.array([one for one in near_and_far if one[1] > 3]).T
    slope, at_one_km = np.polyfit(distance, ratio_db, 1)
    assert slope == pytest.approx(-30.0, abs=1.0)
    assert at_one_km == pytest.approx(66.0, abs=1.5)


def test_without_a_source_the_noise_is_white_and_as_loud_as_stated() -> None:
    silent = Scene(level_at_1km_dbfs=-300.0, noise_sd_db=0.0)
    iq = simulate(silent, 1, 0).iq
    np.testing.assert_allclose(10 * np.log10(power(iq)), -66.0, atol=0.2)
    spectrum = np.square(np.abs(np.fft.fft(iq))).reshape(3, 8, -1).mean(axis=-1)
    np.testing.assert_allclose(spectrum / spectrum.mean(axis=1, keepdims=True), 1.0, atol=0.1)


def test_receivers_noise_is_independent() -> None:
    iq = simulate(Scene(level_at_1km_dbfs=-300.0), 1, 0).iq
    assert (np.abs(np.corrcoef(iq) - np.eye(3)) < 0.03).all()


def test_sources_are_fm_or_am_with_their_carriers_near_zero() -> None:
    loud = replace(QUIET, noise_dbfs=-300.0)
    steady = 0
    for index in range(24):
        iq = simulate(loud, 2, index).iq.astype(np.complex128)
        envelope = np.abs(iq) / np.sqrt(power(iq))[:, None]
        if envelope.std() < 1e-3:
            steady += 1
            hertz = np.angle(iq[:, 1:] * iq[:, :-1].conj()).mean(axis=1) * SAMPLE_RATE_HZ / (2 * np.pi)
        else:
            assert envelope.min() >= 0.0
            assert 0.2 < envelope.std() < 0.5
            mean = (iq[:, 1:] * iq[:, :-1].conj()).mean(axis=1)
            hertz = np.angle(mean) * SAMPLE_RATE_HZ / (2 * np.pi)
        assert np.abs(hertz).max() < 6 * SCENE.carrier_sd_hz
        assert np.ptp(hertz) > 0.1  # every receiver has its own oscillator
    assert 6 <= steady <= 18


def power(iq: NDArray[np.complexfloating]) -> NDArray[np.float64]:  # type: ignore[type-arg]
    """Mean power of each receiver."""
    return np.asarray(np.square(np.abs(iq.astype(np.complex128))).mean(axis=1))
