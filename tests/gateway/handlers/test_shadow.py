"""A shadow and a rival over real HTTP, with a real Triton: what is recorded, and that no answer waits."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families

from contract.catalog import RoutePolicy, ServedModel
from contract.version_record import VersionRecord
from gateway.config import Config
from gateway.domain import Fix
from gateway.recordings.frontend import mel_frontend
from gateway.uncertainty.covariance import fixes
from gateway.versions import shadow as mirror
from gateway.versions.comparison import compare
from tests.gateway import stand
from tests.gateway.conftest import ECHO, MEL, Gateway, StartGateway, changed
from tests.gateway.triton.holding_triton import holding_triton
from tests.gateway.waiting import until

NPY = {"Content-Type": "application/x-npy"}
RECORDINGS = [stand.iq(seed) for seed in range(5)]


def with_aliases(
    models: dict[str, stand.Model], policy: RoutePolicy | None = None, **aliases: int
) -> ServedModel:
    """The mel model's two versions."""
    versions = tuple(models[name].served() for name in (MEL, f"{MEL}:2"))
    return ServedModel(MEL, versions, aliases, policy)


async def predict(gateway: Gateway, recording: NDArray[np.complex64], session: str = "s") -> str:
    """Who answered."""
    path = f"/predict?session_id={session}"
    async with gateway.client.post(path, data=stand.npy(recording), headers=NPY) as response:
        assert response.status == 200, await response.text()
        return response.headers["X-Model-Version"]


async def record(gateway: Gateway, version: int, *, compared: int) -> VersionRecord:
    """A version's record, once so many comparisons are in Redis."""
    found = VersionRecord()

    async def enough() -> bool:
        nonlocal found
        found = (await gateway.services.records.read(MEL, 600.0)).get(version, VersionRecord())
        return found.mirrored >= compared

    await until(enough)
    return found


def expected(model: stand.Model, recordings: Sequence[NDArray[np.complex64]]) -> list[Fix]:
    """The fixes, by onnxruntime alone."""
    frontend = mel_frontend(model.contract.input.frontend)  # type: ignore[union-attr]
    positions, uncertainties = model.run(np.stack([frontend(one) for one in recordings]))
    found = fixes(positions, uncertainties, model.contract.output)
    return [one for one in found if isinstance(one, Fix)]


async def test_a_shadow_is_compared_on_everything_that_the_champion_answers(
    start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]
) -> None:
    """Once for each recording, though the second time its answer comes from the cache; never answering."""
    stand.announce(config.redis_url, stand.catalogue(with_aliases(models, champion=1, shadow=2)))
    gateway = await start_gateway(config)
    await gateway.ready()
    for recording in RECORDINGS:
        assert await predict(gateway, recording) == "1"
    found = await record(gateway, 2, compared=len(RECORDINGS))
    for recording in RECORDINGS:
        assert await predict(gateway, recording) == "1"
    truths = [
        compare(first, second)
        for first, second in zip(
            expected(models[MEL], RECORDINGS), expected(models[f"{MEL}:2"], RECORDINGS), strict=True
        )
    ]
    assert (found.answered, found.mirrored, found.mirror_latency_ms.count) == (0, 5, 5)
    assert found.shift_m.mean == pytest.approx(np.mean([one.distance_m for one in truths]), rel=1e-3)
    assert found.overlap.mean == pytest.approx(np.mean([one.overlap for one in truths]), abs=1e-4)
    assert gateway.services.shadow.queued == 0
    async with gateway.client.get("/metrics") as response:
        families = {one.name: one for one in text_string_to_metric_families(await response.text())}
    (count,) = (
        sample
        for sample in families["fixgate_shadow_distance_metres"].samples
        if sample.name.endswith("_count")
    )
    assert (count.labels, count.value) == ({"model": MEL, "version": "2"}, 5)


async def test_a_rival_is_compared_on_what_either_side_answers(
    start_gateway: StartGateway,
    config: Config,
    models: dict[str, stand.Model],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mirror, "PAIRS_PER_S", 1e9)
    policy = RoutePolicy({"champion": 1, "candidate": 1})
    stand.announce(config.redis_url, stand.catalogue(with_aliases(models, policy, champion=1, candidate=2)))
    gateway = await start_gateway(config)
    await gateway.ready()
    answered = [await predict(gateway, stand.iq(seed), f"s{seed}") for seed in range(100, 112)]
    assert set(answered) == {"1", "2"}
    found = await record(gateway, 2, compared=len(answered))
    assert found.relative_shift is not None
    assert (found.mirrored, found.answered) == (12, answered.count("2"))
    assert found.champion_semi_major_m.count == found.shift_m.count == 12


async def test_no_answer_waits_for_a_shadow_that_hangs(start_gateway: StartGateway, config: Config) -> None:
    """Hundreds of answers come while its own never does; what it cannot keep up with is dropped."""
    versions = [stand.echo_model(ECHO).served(version=number, digest=str(number) * 64) for number in (1, 2)]
    model = ServedModel(ECHO, tuple(versions), {"champion": 1, "shadow": 2})
    async with holding_triton(1) as held:
        stand.announce(config.redis_url, stand.catalogue(model))
        slow = {"objective_ms": 30_000, "predict_timeout_ms": 30_000}  # the machine may be, and no matter
        held_off = {"triton_grpc": (held.address,), "triton_shm": "off"}
        gateway = await start_gateway(changed(config, **slow, **held_off))
        await gateway.ready()
        headers = {"Content-Type": "application/octet-stream"}

        async def ask(latitude: float) -> int:
            body = np.array([latitude, 9, 100, 100, 0], np.float32).tobytes()
            async with gateway.client.post("/predict?dtype=f32_le", data=body, headers=headers) as response:
                return response.status

        assert await ask(0.5) == 200
        await until(lambda: held.held == 1)
        for start in range(1, 4):
            statuses = await asyncio.gather(*(ask(start + place / 100) for place in range(100)))
            assert set(statuses) == {200}
        assert held.held == 1
        assert gateway.services.shadow.queued == mirror.WAITING
        held.release.set()
