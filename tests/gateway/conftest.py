"""A gateway on real parts: tiny models in a real Triton, a catalogue in a real Redis, real HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession, web

from contract import catalog as catalogs
from gateway.app import make_runner
from gateway.config import Config
from gateway.keys import SERVICES
from gateway.services import Services
from tests.gateway import stand
from tests.gateway.waiting import until
from tests.launch import Triton, free_ports

MEL, IQ, ECHO = "gateway-mel", "gateway-iq", "gateway-echo"

UNHURRIED_MS = 60_000
"""The latency objective where it is not what is tested: a busy machine must not have requests refused."""


@dataclass(frozen=True)
class Gateway:
    """A gateway that is up, and a client for it."""

    client: ClientSession
    runner: web.AppRunner

    @property
    def services(self) -> Services:
        """Its parts."""
        return self.runner.app[SERVICES]

    async def ready(self, *, within_s: float = 60) -> None:
        """Wait until /ready is 200."""

        async def is_ready() -> bool:
            async with self.client.get("/ready") as response:
                return response.status == 200

        await until(is_ready, within_s=within_s)


StartGateway = Callable[[Config], Awaitable[Gateway]]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def models(triton: Triton) -> dict[str, stand.Model]:
    """The tiny models, served by Triton; `…:2` is the mel model's second version."""
    first, second = stand.mel_model(MEL, 1), stand.mel_model(MEL, 2)
    iq, echo = stand.iq_model(IQ), stand.echo_model(ECHO)
    stand.publish(triton, first, second)
    stand.publish(triton, iq)
    stand.publish(triton, echo)
    return {MEL: first, f"{MEL}:2": second, IQ: iq, ECHO: echo}


@pytest.fixture
def config(empty_redis: str, triton: Triton, tmp_path: Path) -> Config:
    """Options of a gateway on the real parts."""
    return Config(
        redis_url=empty_redis,
        triton_grpc=(triton.grpc,),
        home=tmp_path / "home",
        objective_ms=UNHURRIED_MS,
    )


@pytest.fixture
def alone(tmp_path: Path) -> Config:
    """Options of a gateway with neither Redis nor Triton, that knows from its snapshot what is served."""
    nowhere = f"127.0.0.1:{free_ports(1)[0]}"
    config = Config(
        redis_url=f"redis://{nowhere}",
        triton_grpc=(nowhere,),
        home=tmp_path / "home",
        objective_ms=UNHURRIED_MS,
    )
    served = stand.served_model(stand.echo_model(ECHO).served(), name=ECHO)
    config.snapshot.parent.mkdir(parents=True)
    config.snapshot.write_bytes(catalogs.dump(stand.catalogue(served)))
    return config


@pytest.fixture
async def start_gateway() -> AsyncIterator[StartGateway]:
    """Starts gateways, and stops them at the end."""
    started: list[Gateway] = []

    async def start(config: Config) -> Gateway:
        runner = make_runner(config)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        gateway = Gateway(ClientSession(f"http://{host}:{port}"), runner)
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        await gateway.client.close()
        await gateway.runner.cleanup()


@pytest.fixture
async def gateway(start_gateway: StartGateway, config: Config, models: dict[str, stand.Model]) -> Gateway:
    """A gateway that serves the tiny models."""
    announce(config, models)
    running = await start_gateway(config)
    await running.ready()
    return running


def announce(config: Config, models: dict[str, stand.Model]) -> None:
    """Put all tiny models into the catalogue, the mel model as the default."""
    mel = stand.served_model(models[MEL].served(), models[f"{MEL}:2"].served(), name=MEL)
    others = [stand.served_model(models[name].served(), name=name) for name in (IQ, ECHO)]
    stand.announce(config.redis_url, stand.catalogue(mel, *others))


def changed(config: Config, **changes: object) -> Config:
    """The options with some changed."""
    return msgspec.structs.replace(config, **changes)
