"""SNR of synthetic signals whose SNR is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.recordings.snr import snr_db

RATE = 192_000
SAMPLES = 96_000


def noise(seed: int, *, receivers: int = 1, samples: int = SAMPLES) -> NDArray[np.complex128]:
    """White, of power 1."""
    rng = np.random.default_rng(seed)
    both = rng.normal(size=(2, receivers, samples)) * np.sqrt(0.5)
    return np.asarray(both[0] + 1j * both[1])


def band(seed: int, width: float, power: float, *, samples: int = SAMPLES) -> NDArray[np.complex128]:
    """Noise that fills this share of the sampled band about its centre, of this power."""
    spectrum = np.fft.fft(noise(seed, samples=samples)[0])
    spectrum[np.abs(np.fft.fftfreq(samples)) > width / 2] = 0
    signal = np.fft.ifft(spectrum)
    return np.asarray(signal * np.sqrt(power / np.mean(np.abs(signal) ** 2)))


def single(iq: NDArray[np.complex128]) -> NDArray[np.complex64]:
    """As recordings are kept."""
    return np.atleast_2d(iq).astype(np.complex64)


@pytest.mark.parametrize("known_db", [-5.0, 0.0, 10.0, 30.0])
@pytest.mark.parametrize("width", [0.05, 0.2, 0.35])
def test_a_band_of_known_power_is_measured(known_db: float, width: float) -> None:
    """The central 80 % of the band holds 80 % of the noise."""
    signal = band(1, width, power=0.8 * 10 ** (known_db / 10))
    assert snr_db(single(noise(2) + signal)) == pytest.approx(known_db, abs=0.5 if known_db >= 0 else 1.0)


@pytest.mark.parametrize("offset_hz", [-60_000, 0, 12_345])
def test_a_carrier_is_measured_wherever_it_is(offset_hz: int) -> None:
    carrier = np.sqrt(0.8) * np.exp(2j * np.pi * offset_hz / RATE * np.arange(SAMPLES))
    assert snr_db(single(noise(3) + carrier)) == pytest.approx(0.0, abs=0.5)


def test_the_scale_does_not_matter() -> None:
    iq = noise(4) + band(5, 0.2, power=0.8)
    assert snr_db(single(iq * 1e-4)) == pytest.approx(snr_db(single(iq)), abs=1e-3)


def test_receivers_are_averaged_in_db() -> None:
    iq = noise(6, receivers=2)
    iq[0] += band(7, 0.2, power=0.8 * 10)
    iq[1] += band(8, 0.2, power=0.8 * 1000)
    assert snr_db(single(iq)) == pytest.approx(20.0, abs=0.5)


def test_a_receiver_without_an_snr_is_passed_over() -> None:
    iq = noise(9, receivers=2)
    iq[0] += band(10, 0.2, power=0.8 * 10)
    assert snr_db(single(iq)) == pytest.approx(10.0, abs=0.5)


@pytest.mark.parametrize(
    "iq",
    [
        single(noise(11)),
        single(noise(16) + band(17, 0.2, power=0.8 * 0.01)),
        single(noise(12) + band(13, 0.5, power=8.0)),
        np.zeros((1, SAMPLES), np.complex64),
        single(noise(14, samples=511) + band(15, 0.2, power=100.0, samples=511)),
    ],
    ids=["noise alone", "20 dB below the noise", "over half of the band", "silence", "too short"],
)
def test_nothing_is_invented(iq: NDArray[np.complex64]) -> None:
    assert snr_db(iq) is None
