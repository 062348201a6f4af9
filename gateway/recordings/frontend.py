"""IQ to the mel spectrogram a model was trained on: pure numpy and SciPy, float64 inside.

The result equals, to 1e-5 (absolute + relative), what `scipy.signal.stft`, a mel filter bank and numpy
give when they are composed as docs/contract.md says.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import NDArray

from contract.model import ContractError, Frontend
from gateway.errors import InvalidInput
from gateway.recordings.window import window

Float64 = NDArray[np.float64]
Iq = NDArray[np.complex64] | NDArray[np.complex128]
Frames = NDArray[Any]  # float64 of the magnitude, or complex128

# Values per block of frames that are transformed together: 1 MB of float64 stays in a core's cache, and
# the working memory beyond input and output does not grow with the recording.
_BLOCK = 1 << 17
_MIN_STD = 1e-8


class MelFrontend:
    """One contract's front-end with its window and filter bank at hand; safe to call from many threads.

    Args:
        frontend: the contract's front-end, already checked by `contract.model.parse`.

    Raises:
        ContractError: the mel bands are too narrow for float64.
    """

    def __init__(self, frontend: Frontend) -> None:
        self.frontend = frontend
        shape = window(frontend.window, frontend.n_fft)
        # scaling="spectrum" divides the STFT by the window's sum: once here instead of in every frame.
        self._window = shape / abs(shape.sum())
        self._bank = scipy.sparse.csr_array(_filter_bank(frontend))

    def __call__(self, iq: Iq) -> NDArray[np.float32]:
        """The model's input, without the batch axis.

        Args:
            iq: complex (receivers, samples), finite, 1.0 = full scale; at least `n_fft` samples.

        Returns:
            float32 (receivers, n_mels, frames).

        Raises:
            InvalidInput: fewer than `n_fft` samples.
        """
        frontend = self.frontend
        if iq.shape[-1] < frontend.n_fft:
            raise InvalidInput(
                f"{iq.shape[-1]} samples per receiver are too few: this model needs at least {frontend.n_fft}"
            )
        mel = np.stack([self._mel_power(receiver) for receiver in iq])
        mel += frontend.floor
        if frontend.log == "db":
            np.log10(mel, out=mel)
            mel *= 10.0
        else:
            np.log(mel, out=mel)
        _normalise(mel, frontend.normalize)
        return _fit(mel, frontend.frames).astype(np.float32)

    def _mel_power(self, iq: Iq) -> Float64:
        """(samples) to (n_mels, T): power of every STFT frame in every mel band."""
        frames = _frames(iq, self.frontend)
        per_block = max(1, _BLOCK // self.frontend.n_fft)
        mel = np.empty((self.frontend.n_mels, len(frames)))
        for start in range(0, len(frames), per_block):
            block = slice(start, start + per_block)
            mel[:, block] = self._bank @ _power(frames[block] * self._window).T
        return mel


@lru_cache(maxsize=1024)
def mel_frontend(frontend: Frontend) -> MelFrontend:
    """The front-end of a contract, made once and shared.

    Raises:
        ContractError: as `MelFrontend`.
    """
    return MelFrontend(frontend)


def _filter_bank(frontend: Frontend) -> Float64:
    """(n_mels, bins): HTK triangles of peak 1 at the exact frequencies of the FFT's bins, in its order."""
    rate, n_fft = frontend.sample_rate_hz, frontend.n_fft
    if frontend.signal == "magnitude":
        bins = scipy.fft.rfftfreq(n_fft, 1 / rate)
    else:
        bins = scipy.fft.fftfreq(n_fft, 1 / rate) + rate / 2
    low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (frontend.f_min_hz, frontend.f_max_hz))
    edges = 700.0 * (10.0 ** (np.linspace(low, high, frontend.n_mels + 2) / 2595.0) - 1.0)
    widths = np.diff(edges)[:, None]
    if not (widths > 0).all():
        raise ContractError(
            f"input.frontend.n_mels: {frontend.n_mels} bands do not fit between f_min_hz "
            f"({frontend.f_min_hz:g}) and f_max_hz ({frontend.f_max_hz:g})"
        )
    rising = (bins - edges[:-2, None]) / widths[:-1]
    falling = (edges[2:, None] - bins) / widths[1:]
    bank: Float64 = np.maximum(0.0, np.minimum(rising, falling))
    return bank


def _frames(iq: Iq, frontend: Frontend) -> Frames:
    """(samples) to overlapping frames (T, n_fft), a view: zero-extended at both ends, then padded to fit."""
    n_fft, hop = frontend.n_fft, frontend.hop
    edge = n_fft // 2
    length = len(iq) + 2 * edge
    length += -(length - n_fft) % hop
    magnitude = frontend.signal == "magnitude"
    extended = np.zeros(length, dtype=np.float64 if magnitude else np.complex128)
    middle = extended[edge : edge + len(iq)]
    if magnitude:
        np.abs(iq.astype(np.complex128, copy=False), out=middle)
    else:
        middle[:] = iq
    frames: Frames = np.lib.stride_tricks.sliding_window_view(extended, n_fft)[::hop]
    return frames


def _power(windowed: Frames) -> Float64:
    """(T, n_fft) to |FFT|² (T, bins), one-sided for real input."""
    transform = scipy.fft.fft if np.iscomplexobj(windowed) else scipy.fft.rfft
    parts = transform(windowed, overwrite_x=True).view(np.float64)
    np.square(parts, out=parts)
    power: Float64 = parts[:, ::2] + parts[:, 1::2]
    return power


def _normalise(mel: Float64, over: str) -> None:
    """In place: zero mean and unit population deviation, over all frames of one or of all receivers."""
    if over == "none":
        return
    axes = (-2, -1) if over == "receiver" else None
    mel -= mel.mean(axis=axes, keepdims=True)
    mel /= np.maximum(np.sqrt(np.square(mel).mean(axis=axes, keepdims=True)), _MIN_STD)


def _fit(mel: Float64, frames: int) -> Float64:
    """(…, T) to (…, frames): the centre, or reflected at both ends."""
    missing = frames - mel.shape[-1]
    if missing <= 0:
        start = -missing // 2
        return mel[..., start : start + frames]
    left = missing // 2
    return np.pad(mel, ((0, 0), (0, 0), (left, missing - left)), mode="reflect")
