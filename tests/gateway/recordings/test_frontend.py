"""The front-end equals an independent composition of SciPy, numpy and a plainly written mel bank."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from contract.model import ContractError, Frontend, Window
from gateway.errors import InvalidInput
from gateway.recordings.frontend import MelFrontend, mel_frontend

HEIMDALL = Frontend()
SMALL: dict[str, Any] = {"n_fft": 256, "hop": 64, "n_mels": 24, "frames": 16, "f_max_hz": 90_000.0}


def reference(iq: NDArray[Any], f: Frontend) -> NDArray[Any]:
    """docs/contract.md, step by step, without regard to speed."""
    x = iq.astype(np.complex128)
    two_sided = f.signal == "complex"
    if not two_sided:
        x = np.abs(x)
    mel: NDArray[Any]
    freqs, _, spectrum = scipy.signal.stft(
        x,
        f.sample_rate_hz,
        window=f.window,
        nperseg=f.n_fft,
        noverlap=f.n_fft - f.hop,
        detrend=False,
        return_onesided=not two_sided,
    )
    if two_sided:
        freqs = np.fft.fftshift(freqs) + f.sample_rate_hz / 2
        spectrum = np.fft.fftshift(spectrum, axes=-2)
    mel = np.einsum("mf,rft->rmt", mel_bank(freqs, f), np.abs(spectrum) ** 2)
    mel = 10 * np.log10(mel + f.floor) if f.log == "db" else np.log(mel + f.floor)
    if f.normalize == "global":
        mel = (mel - mel.mean()) / max(mel.std(), 1e-8)
    if f.normalize == "receiver":
        mel = np.stack([(one - one.mean()) / max(one.std(), 1e-8) for one in mel])
    total = mel.shape[-1]
    if total >= f.frames:
        start = (total - f.frames) // 2
        return mel[..., start : start + f.frames].astype(np.float32)
    left = (f.frames - total) // 2
    pads = ((0, 0), (0, 0), (left, f.frames - total - left))
    return np.pad(mel, pads, mode="reflect").astype(np.float32)


def mel_bank(freqs: NDArray[Any], f: Frontend) -> NDArray[Any]:
    """One triangle at a time, one bin at a time."""
    mels = np.linspace(
        2595 * np.log10(1 + f.f_min_hz / 700), 2595 * np.log10(1 + f.f_max_hz / 700), f.n_mels + 2
    )
    edges = [700 * (10 ** (mel / 2595) - 1) for mel in mels]
    bank = np.zeros((f.n_mels, len(freqs)))
    for band in range(f.n_mels):
        left, centre, right = edges[band : band + 3]
        for bin_, hz in enumerate(freqs):
            if left < hz <= centre:
                bank[band, bin_] = (hz - left) / (centre - left)
            elif centre < hz < right:
                bank[band, bin_] = (right - hz) / (right - centre)
    return bank


def signal(samples: int, receivers: int = 3, seed: int = 0) -> NDArray[np.complex64]:
    """A modulated carrier in noise, at another level for every receiver."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / 192_000
    carrier = (1 + 0.5 * np.sin(2 * np.pi * 900 * time)) * np.exp(2j * np.pi * 7_300 * time)
    noise = rng.standard_normal((receivers, samples, 2)).view(np.complex128)[..., 0]
    levels = 10.0 ** -np.arange(receivers)[:, None]
    iq: NDArray[np.complex64] = (levels * (0.3 * carrier + 0.05 * noise)).astype(np.complex64)
    return iq


def assert_matches(iq: NDArray[Any], frontend: Frontend) -> None:
    got = MelFrontend(frontend)(iq)
    assert got.dtype == np.float32
    assert got.shape == (iq.shape[0], frontend.n_mels, frontend.frames)
    np.testing.assert_allclose(got, reference(iq, frontend), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("signal_kind", ["magnitude", "complex"])
@pytest.mark.parametrize("log", ["db", "ln"])
@pytest.mark.parametrize("normalize", ["receiver", "global", "none"])
def test_every_combination_of_signal_log_and_normalisation(
    signal_kind: Any, log: Any, normalize: Any
) -> None:
    frontend = Frontend(**SMALL, signal=signal_kind, log=log, normalize=normalize)
    assert_matches(signal(1_500), frontend)


@pytest.mark.parametrize("samples", [2048, 2049, 4_095, 17_920, 17_921, 192_000])
def test_the_preset_on_short_odd_and_long_recordings(samples: int) -> None:
    assert_matches(signal(samples), HEIMDALL)


@pytest.mark.parametrize(
    "changed",
    [
        {"hop": 50},
        {"hop": 256},
        {"hop": 1},
        {"n_fft": 255, "hop": 100},
        {"n_fft": 255, "hop": 100, "signal": "complex"},
        {"window": "hamming"},
        {"window": "boxcar"},
        {"window": "flattop"},
        {"floor": 1e-3},
        {"f_min_hz": 300.0, "f_max_hz": 3_400.0},
        {"f_min_hz": 60_000.0, "f_max_hz": 192_000.0, "signal": "complex"},
        {"n_mels": 1},
        {"frames": 1},
        {"frames": 24},
        {"frames": 25},
        {"frames": 500},
        {"sample_rate_hz": 1_000_000.0},
    ],
    ids=str,
)
def test_every_other_option(changed: dict[str, Any]) -> None:
    assert_matches(signal(1_500), Frontend(**{**SMALL, **changed}))


@pytest.mark.parametrize("samples", [256, 257])
@pytest.mark.parametrize("frames", [1, 2, 5, 6, 7, 300])
def test_the_shortest_recordings_are_cropped_or_reflected_as_numpy_does(samples: int, frames: int) -> None:
    assert_matches(signal(samples), Frontend(**{**SMALL, "frames": frames}))


@pytest.mark.parametrize("receivers", [1, 2, 7])
@pytest.mark.parametrize("normalize", ["receiver", "global"])
def test_any_number_of_receivers(receivers: int, normalize: Any) -> None:
    assert_matches(signal(5_000, receivers), Frontend(normalize=normalize))


@pytest.mark.parametrize("signal_kind", ["magnitude", "complex"])
@pytest.mark.parametrize("normalize", ["receiver", "global", "none"])
def test_silence_is_finite(signal_kind: Any, normalize: Any) -> None:
    frontend = Frontend(**SMALL, signal=signal_kind, normalize=normalize)
    silence = np.zeros((3, 1_500), np.complex64)
    assert np.isfinite(MelFrontend(frontend)(silence)).all()
    assert_matches(silence, frontend)


def test_a_silent_receiver_among_loud_ones() -> None:
    iq = signal(4_096)
    iq[1] = 0
    assert_matches(iq, HEIMDALL)


def test_the_loudest_and_faintest_float32_do_not_overflow() -> None:
    for level in (1e38, 1e-44):
        iq = np.full((1, 4_096), level, np.complex64)
        assert np.isfinite(MelFrontend(Frontend(normalize="none"))(iq)).all()


def test_complex128_and_any_memory_layout_give_the_same() -> None:
    iq = signal(4_096)
    front = MelFrontend(HEIMDALL)
    np.testing.assert_array_equal(front(iq), front(iq.astype(np.complex128)))
    np.testing.assert_array_equal(front(iq), front(np.asfortranarray(iq)))
    np.testing.assert_array_equal(front(iq[:, ::-1]), front(iq[:, ::-1].copy()))


def test_the_input_is_left_as_it_was_even_read_only() -> None:
    for frontend in (HEIMDALL, Frontend(signal="complex")):
        iq = signal(4_096).astype(np.complex128)
        before = iq.copy()
        iq.flags.writeable = False
        MelFrontend(frontend)(iq)
        np.testing.assert_array_equal(iq, before)


def test_the_empty_low_bands_of_the_preset_are_kept() -> None:
    bank = MelFrontend(HEIMDALL)._bank.toarray()
    assert np.flatnonzero(bank.sum(axis=1) == 0).tolist() == [0, 1, 4, 9]


def test_one_instance_serves_many_threads() -> None:
    front = MelFrontend(HEIMDALL)
    recordings = [signal(17_920, seed=seed) for seed in range(8)]
    expected = [front(iq) for iq in recordings]
    with ThreadPoolExecutor(4) as pool:
        for got, want in zip(pool.map(front, recordings), expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_contracts_front_end_is_made_once() -> None:
    assert mel_frontend(Frontend()) is mel_frontend(Frontend())
    assert mel_frontend(Frontend()) is not mel_frontend(Frontend(hop=256))


@pytest.mark.parametrize("samples", [0, 1, 2047])
def test_too_few_samples_says_how_many_are_needed(samples: int) -> None:
    with pytest.raises(InvalidInput, match=rf"^{samples} samples per receiver .* at least 2048$"):
        MelFrontend(HEIMDALL)(np.zeros((3, samples), np.complex64))


@pytest.mark.parametrize("window", get_args(Window))
def test_every_window_of_the_contract_is_known(window: Window) -> None:
    assert MelFrontend(Frontend(window=window))(np.ones((1, 2048), np.complex64)).shape == (1, 128, 32)


def test_bands_too_narrow_for_float64_are_refused() -> None:
    with pytest.raises(ContractError, match=r"input\.frontend\.n_mels: 128 bands"):
        MelFrontend(Frontend(f_min_hz=95_999.999_999_999_99, f_max_hz=96_000.0))


@st.composite
def frontends(draw: st.DrawFn) -> Frontend:
    n_fft = draw(st.integers(16, 300))
    kind: Any = draw(st.sampled_from(["magnitude", "complex"]))
    rate = draw(st.floats(8_000, 10_000_000))
    limit = rate / 2 if kind == "magnitude" else rate
    low, high = sorted(draw(st.tuples(st.floats(0, 0.49), st.floats(0.5, 1))))
    return Frontend(
        sample_rate_hz=rate,
        signal=kind,
        n_fft=n_fft,
        hop=draw(st.integers(max(1, n_fft // 16), n_fft)),
        window=draw(st.sampled_from(["hann", "hamming", "blackman", "boxcar", "triang", "tukey"])),
        n_mels=draw(st.integers(1, 40)),
        f_min_hz=low * limit,
        f_max_hz=high * limit,
        log=draw(st.sampled_from(["db", "ln"])),
        floor=draw(st.sampled_from([1e-12, 1e-9, 1e-3, 1.0])),
        normalize=draw(st.sampled_from(["receiver", "global", "none"])),
        frames=draw(st.integers(1, 60)),
    )


@settings(max_examples=150, deadline=None)
@given(frontend=frontends(), more=st.integers(0, 1_000), receivers=st.integers(1, 4), seed=st.integers(0, 99))
def test_any_valid_front_end(frontend: Frontend, more: int, receivers: int, seed: int) -> None:
    assert_matches(signal(frontend.n_fft + more, receivers, seed), frontend)
