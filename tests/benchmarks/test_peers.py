"""The peers."""

import re
from pathlib import Path

import pytest

from benchmarks.peers import environments
from benchmarks.peers.peer import PEERS, SERVED, fastapi_iq


@pytest.mark.parametrize("file", sorted(environments.REQUIREMENTS.glob("*.txt")), ids=lambda file: file.stem)
def test_every_requirement_is_pinned(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)] == []


def test_every_peer_has_an_environment_and_a_name_of_its_own() -> None:
    peers = [*(peer for group in PEERS.values() for peer in group), fastapi_iq(2)]
    assert len({peer.name for peer in peers}) == len(peers)
    for peer in peers:
        assert (environments.REQUIREMENTS / f"{peer.environment}.txt").exists()
        command = peer.command(Path("/env/bin/python"), 12345, Path("/home"))
        assert "12345" in command or peer.environment in {"litserve", "mlserver", "ray"}
        assert not peer.prepare or (SERVED / peer.prepare).exists()
