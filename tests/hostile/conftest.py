"""A gateway process that knows what is served, without Redis or Triton: nothing hostile gets that far."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from contract import catalog as catalogs
from stack import process
from stack.part import http_ok
from tests import launch
from tests.gateway import stand
from tests.gateway.gateway_process import gateway_part
from tests.hostile.client import ENDED_S, Answer, exchange

MODEL, ECHO = "hostile-mel", "hostile-echo"
BODY_BYTES = 2 << 20
GROWTH_MIB = 160
"""Nine bodies in each thread that parses, what requests under way hold, as much for the allocator."""

OPTIONS = {
    "FIXGATE_MAX_BODY_BYTES": str(BODY_BYTES),
    "FIXGATE_MAX_QUEUED_BYTES": str(16 << 20),
    "FIXGATE_PREDICT_TIMEOUT_MS": "1500",
    "FIXGATE_KEEPALIVE_S": "1.5",
    "FIXGATE_SEND_TIMEOUT_S": "1.5",
    "FIXGATE_SIGNAL_THREADS": "2",
    "FIXGATE_LOG_LEVEL": "debug",
}


@dataclass(frozen=True)
class Target:
    """The process; `log` is all that it has written."""

    host: str
    port: int
    pid: int
    log: Path

    def send(self, data: bytes | Iterator[bytes], *, within_s: float = ENDED_S) -> list[Answer]:
        """What comes back until the gateway closes the connection, by then at the latest."""
        return exchange((self.host, self.port), data, within_s=within_s)

    def post(self, body: bytes, headers: str = "", path: str = "/predict") -> Answer:
        """The answer to one POST on a connection of its own."""
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        (answer,) = self.send((head + headers + "\r\n").encode("latin-1") + body)
        return answer

    def healthy(self) -> bool:
        """Whether it still answers."""
        (answer,) = self.send(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return answer.status == 200

    def peak_mib(self) -> float:
        """The most memory that it ever held."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.fixture(scope="session")
def process_under_attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One process for all of these tests; what it wrote and held is judged at the end."""
    home = tmp_path_factory.mktemp("hostile")
    nowhere, port = launch.free_ports(2)
    mel, echo = stand.mel_model(MODEL, 1), stand.echo_model(ECHO)
    served = stand.catalogue(
        stand.served_model(mel.served(), name=MODEL), stand.served_model(echo.served(), name=ECHO)
    )
    snapshot = home / "gateway" / "catalog.json"
    snapshot.parent.mkdir()
    snapshot.write_bytes(catalogs.dump(served))
    away = {
        "FIXGATE_REDIS_URL": f"redis://127.0.0.1:{nowhere}",
        "FIXGATE_TRITON_GRPC": f"127.0.0.1:{nowhere}",
    }
    part = gateway_part(home, {**OPTIONS, **away}, port)
    part = dataclasses.replace(part, ready=lambda: http_ok(port, "/health"))
    log = home / "gateway.log"
    running = process.start(part, log)
    try:
        process.wait_until_ready(part, running, log)
        split = urlsplit(part.address)
        target = Target(split.hostname or "", split.port or 0, running.pid, log)
        before = target.peak_mib()
        yield target
        assert running.poll() is None, log.read_text()[-3000:]
        assert target.peak_mib() - before < GROWTH_MIB
    finally:
        process.stop(running, part.stop_timeout_s)
    assert "Traceback" not in log.read_text()


@pytest.fixture
def target(process_under_attack: Target) -> Iterator[Target]:
    """The same, which must be as healthy after each test as before."""
    yield process_under_attack
    assert process_under_attack.healthy()


def refused(answer: Answer) -> bool:
    """Whether it is a problem document that blames the client."""
    if not 400 <= answer.status < 500:
        return False
    document = json.loads(answer.body)
    return bool(document["status"] == answer.status and document["detail"])
