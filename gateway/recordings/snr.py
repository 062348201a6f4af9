"""How far a recording's signal stands above its noise, from the averaged spectrum alone. Pure.

Per receiver: Welch's spectrum (Hann, half overlapping), its central 80 %. The lower quartile gives the floor:
the bins of noise are gamma-distributed about it with shape K, the number of segments that were averaged
(P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 1967), so that the quartile is a known part of their mean.
SNR = (power in the band - floor's power) / floor's power.
"""

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.special import gammaincinv

from gateway.recordings.window import window

LONGEST, SHORTEST = 256, 64
"""Samples in a segment."""

SEGMENTS = 256
"""At most, spread over the recording."""

LEAST_LENGTHS = 8
"""A recording holds this many segments side by side, or is too short to tell."""

CENTRE = 0.8
FALSE_ALARM = 1e-5
"""Probability that a bin of noise counts as signal."""

LEAST = 0.2
"""Excess over the floor's power (-7 dB) below which the floor is not known well enough to tell."""


def snr_db(iq: NDArray[np.complex64]) -> float | None:
    """The mean of the receivers' SNR in dB, over those that have one.

    Args:
        iq: (receivers, samples).

    Returns:
        None when no receiver has one: too short, nothing clear above the noise, silence, or a signal that
        fills more than half of the band, so that the lower quartile is no floor.
    """
    found = [one for receiver in iq if (one := _receiver_snr_db(receiver)) is not None]
    return sum(found) / len(found) if found else None


def _receiver_snr_db(iq: NDArray[np.complex64]) -> float | None:
    length = 1 << min(LONGEST, max(len(iq) // LEAST_LENGTHS, 1)).bit_length() - 1
    if length < SHORTEST:
        return None
    spectrum, segments = _spectrum(iq, length)
    quartile = float(np.percentile(spectrum, 25))
    if quartile <= 0:
        return None
    reach = quartile * float(gammaincinv(segments, 1 - FALSE_ALARM) / gammaincinv(segments, 0.25))
    filled = float((spectrum > reach).mean())
    if filled > 0.5:
        return None
    floor = quartile * segments / float(gammaincinv(segments, 0.25 / (1 - filled)))
    excess = float(spectrum.mean()) / floor - 1
    return 10 * math.log10(excess) if excess > LEAST else None


def _spectrum(iq: NDArray[np.complex64], length: int) -> tuple[NDArray[np.float64], int]:
    """Power in each bin of the central band, and how many segments it is the average of."""
    count = min(SEGMENTS, 2 * (len(iq) // length) - 1)
    starts = np.linspace(0, len(iq) - length, count).astype(int)
    hann = window("hann", length).astype(np.float32)
    segments = np.stack([iq[start : start + length] for start in starts]) * hann
    power = np.abs(scipy.fft.fft(segments, axis=-1)).astype(np.float64) ** 2
    central = np.abs(scipy.fft.fftfreq(length)) <= CENTRE / 2
    return power.mean(axis=0)[central], count
