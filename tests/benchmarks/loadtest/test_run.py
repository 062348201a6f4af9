"""A very small load test against a real gateway and Triton."""

from pathlib import Path

import pytest

from benchmarks.loadtest.run import Target, profile
from benchmarks.loadtest.traffic import KINDS, KNOWN
from benchmarks.processes import of_gateway, rss_mb
from benchmarks.scrape import outcomes
from cli.client import GatewayClient
from tests.gateway import stand
from tests.launch import Triton
from tests.planes import Parts, gateway_plane

pytestmark = pytest.mark.stack

NAME = "loadtest-mel"
PATIENCE_S = 60


def test_users_send_the_mix_and_the_gateway_counts_the_hits(
    redis_url: str, triton: Triton, tmp_path: Path
) -> None:
    model = stand.mel_model(NAME, 1)
    stand.publish(triton, model)
    stand.announce(redis_url, stand.catalogue(stand.served_model(model.served(), name=NAME)))
    parts = Parts(redis_url, "http://127.0.0.1:9", triton, tmp_path)
    with gateway_plane(parts, {"FIXGATE_OBJECTIVE_MS": "60000"}) as url:
        GatewayClient(url, patience_s=PATIENCE_S).get("/ready")
        outcome = profile(Target(url, NAME, "iq"), users=3, warm_s=0.5, seconds=4.0)
        assert {one.status for one in outcome.requests} == {200}
        assert {one.kind for one in outcome.requests} <= set(KINDS)
        assert 0.5 < outcome.hit_rate < 1
        assert outcomes(url)["miss"] >= KNOWN
        assert 20 < rss_mb(of_gateway(int(url.rpartition(":")[2]))) < 2000
