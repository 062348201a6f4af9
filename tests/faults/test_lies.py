"""Triton answers with what is no answer: never a fix from it, and well again as soon as it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from contract import catalog as catalogs
from stack.part import LOOPBACK
from tests import launch
from tests.faults.liar import LIES, Liar, Lie, honest
from tests.faults.load import load
from tests.faults.threads import in_thread
from tests.faults.world import MODEL
from tests.gateway import stand
from tests.gateway.gateway_process import gateway_process

SOON_S = 10.0


@dataclass(frozen=True)
class Deceived:
    """A gateway that asks the liar."""

    url: str
    liar: Liar


@pytest.fixture(scope="module")
def deceived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deceived]:
    """It knows from its snapshot what is served."""
    home, liar = tmp_path_factory.mktemp("lies"), Liar()
    snapshot = home / "gateway" / "catalog.json"
    snapshot.parent.mkdir()
    served = stand.served_model(stand.echo_model(MODEL).served(), name=MODEL)
    snapshot.write_bytes(catalogs.dump(stand.catalogue(served)))
    with in_thread(liar):
        options = {
            "FIXGATE_TRITON_GRPC": f"{LOOPBACK}:{liar.port}",
            "FIXGATE_TRITON_SHM": "off",
            "FIXGATE_REDIS_URL": f"redis://{LOOPBACK}:{launch.free_ports(1)[0]}",
        }
        with gateway_process(home, options) as url:
            yield Deceived(url, liar)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_what_is_no_answer_is_a_502_and_never_a_fix(deceived: Deceived, lie: Lie) -> None:
    async with load(deceived.url, allowed={502, 503}) as clients:
        await clients.recovered(within_s=SOON_S)
        deceived.liar.lie = lie
        await clients.answered(502)
        deceived.liar.lie = honest
        await clients.recovered(within_s=SOON_S)


async def test_while_nothing_is_answered_no_request_outlives_its_deadline(deceived: Deceived) -> None:
    async with load(deceived.url, allowed={503, 504}) as clients:
        await clients.recovered(within_s=SOON_S)
        deceived.liar.lie = None
        await clients.answered(504, 10)
        deceived.liar.lie = honest
        await clients.recovered(within_s=SOON_S)
