"""The simulated scene: one source, three receivers in northern Italy, what each of them records.

A receiver hears the source at `level = power - 10·exponent·log10(distance/1 km) + shadowing`, all in dB.
Not simulated, and so kinder than the field: multipath fading, antenna patterns, terrain, interference,
receivers whose gains drift apart, and converters that clip.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod

from contract.model import Receiver

Float64 = NDArray[np.float64]
Complex128 = NDArray[np.complex128]

RECEIVERS = (
    Receiver("torino", 45.0703, 7.6869),
    Receiver("genova", 44.4056, 8.9463),
    Receiver("milano", 45.4642, 9.1900),
)
RECEIVER_POSITIONS = np.array([(r.latitude, r.longitude) for r in RECEIVERS], dtype=np.float64)
CENTRE = RECEIVER_POSITIONS.mean(axis=0)

SAMPLE_RATE_HZ = 192_000.0
SAMPLES = 17_920
_SPEECH_HZ = (300.0, 3_400.0)
_FM_DEVIATION_HZ = 2_500.0
_AM_DEPTH = 0.35
_WGS84 = Geod(ellps="WGS84")


@dataclass(frozen=True, slots=True)
class Scene:
    """The scene's constants; `sd` values are standard deviations of normal distributions.

    A source is uniform in a square of ±`half_width_m` about the receivers' centre. Levels are mean powers
    in dBFS (1.0 = full scale); nearer than 1 km a source is heard as at 1 km.
    """

    half_width_m: float = 75_000.0
    level_at_1km_dbfs: float = 0.0
    transmit_sd_db: float = 1.0
    exponent: float = 3.0
    shadowing_sd_db: float = 2.0
    noise_dbfs: float = -66.0
    noise_sd_db: float = 1.0
    carrier_sd_hz: float = 50.0


SCENE = Scene()
HARDER_SCENE = Scene(transmit_sd_db=3.0, shadowing_sd_db=4.0)


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """One recording and what is true of it.

    position: latitude, longitude in degrees. levels_dbfs: (3,) the source's mean power at each receiver,
    without the noise. iq: complex64 (3, 17920).
    """

    position: Float64
    levels_dbfs: Float64
    iq: NDArray[np.complex64]


def simulate(scene: Scene, seed: int, index: int) -> Capture:
    """Recording `index` of a series: the same for the same arguments, whatever was drawn before."""
    rng = np.random.default_rng([seed, index])
    position = to_degrees(rng.uniform(-scene.half_width_m, scene.half_width_m, 2))
    levels = (
        expected_levels(scene, position)
        + rng.normal(0.0, scene.transmit_sd_db)
        + rng.normal(0.0, scene.shadowing_sd_db, len(RECEIVERS))
    )
    noise = rng.normal(scene.noise_dbfs, scene.noise_sd_db, len(RECEIVERS))
    source = _source(rng)
    offsets_hz = rng.normal(0.0, scene.carrier_sd_hz, len(RECEIVERS))
    phases = rng.uniform(0.0, 2 * np.pi, len(RECEIVERS))
    time = np.arange(SAMPLES) / SAMPLE_RATE_HZ
    carriers = np.exp(1j * (2 * np.pi * offsets_hz[:, None] * time + phases[:, None]))
    heard = _amplitude(levels)[:, None] * carriers * source
    iq = heard + _amplitude(noise)[:, None] * _white_noise(rng, len(RECEIVERS))
    return Capture(position, levels, iq.astype(np.complex64))


def expected_levels(scene: Scene, positions: Float64) -> Float64:
    """Degrees (..., 2) to dBFS (..., 3): the levels without shadowing and transmit spread."""
    kilometres = np.maximum(distances_m(positions) / 1000.0, 1.0)
    return np.asarray(scene.level_at_1km_dbfs - 10.0 * scene.exponent * np.log10(kilometres))


def distances_m(positions: Float64) -> Float64:
    """Degrees (..., 2) to geodesic distances from each receiver, metres (..., 3)."""
    return _azimuths_and_distances(RECEIVER_POSITIONS, positions[..., None, :])[1]


def to_degrees(east_north_m: Float64) -> Float64:
    """Metres east and north of the centre (..., 2), azimuthal equidistant, to latitude, longitude."""
    east, north = east_north_m[..., 0], east_north_m[..., 1]
    longitude, latitude, _ = _WGS84.fwd(
        _flat(np.full(east.shape, CENTRE[1])),
        _flat(np.full(east.shape, CENTRE[0])),
        _flat(np.degrees(np.arctan2(east, north))),
        _flat(np.hypot(east, north)),
    )
    return np.array([latitude, longitude]).T.reshape(east_north_m.shape)


def offsets_m(origins: Float64, positions: Float64) -> Float64:
    """Where positions lie as seen from origins, both degrees (..., 2): metres east and north (..., 2).

    Geodesic distance along the azimuth at the origin: exact on the tangent plane that ellipses live on.
    """
    azimuth, distance = _azimuths_and_distances(origins, positions)
    return np.stack([distance * np.sin(azimuth), distance * np.cos(azimuth)], axis=-1)


def _azimuths_and_distances(origins: Float64, positions: Float64) -> tuple[Float64, Float64]:
    """Radians clockwise from north at the origins, and metres."""
    origins, positions = np.broadcast_arrays(origins, positions)
    azimuth, _, distance = _WGS84.inv(
        _flat(origins[..., 1]), _flat(origins[..., 0]), _flat(positions[..., 1]), _flat(positions[..., 0])
    )
    shape = origins.shape[:-1]
    return np.radians(azimuth).reshape(shape), np.reshape(distance, shape)


def _flat(column: Float64) -> list[float]:
    """A list, because pyproj takes an array of one element for a scalar."""
    return list(column.ravel())


def _source(rng: np.random.Generator) -> Complex128:
    """(samples) at unit mean power: a carrier, FM or AM in equal parts, by a message with speech's band."""
    message = _message(rng)
    if rng.random() < 0.5:
        phase = 2 * np.pi * _FM_DEVIATION_HZ * np.cumsum(message) / SAMPLE_RATE_HZ
        return np.asarray(np.exp(1j * phase))
    envelope = np.maximum(1.0 + _AM_DEPTH * message, 0.0)
    return np.asarray(envelope / np.sqrt(np.mean(np.square(envelope))), dtype=np.complex128)


def _message(rng: np.random.Generator) -> Float64:
    """(samples) of noise in speech's band, at unit power."""
    spectrum = np.fft.rfft(rng.standard_normal(SAMPLES))
    frequency = np.fft.rfftfreq(SAMPLES, 1 / SAMPLE_RATE_HZ)
    spectrum[(frequency < _SPEECH_HZ[0]) | (frequency > _SPEECH_HZ[1])] = 0.0
    message = np.fft.irfft(spectrum, SAMPLES)
    return np.asarray(message / message.std())


def _white_noise(rng: np.random.Generator, receivers: int) -> Complex128:
    """(receivers, samples) at unit mean power."""
    parts = rng.standard_normal((receivers, SAMPLES, 2))
    return np.asarray(parts.view(np.complex128)[..., 0] * np.sqrt(0.5))


def _amplitude(dbfs: Float64) -> Float64:
    return np.asarray(10.0 ** (dbfs / 20.0))
