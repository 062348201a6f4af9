"""python -m benchmarks.dashboards: the dashboards in deploy/grafana as pictures of a stack that really ran.

    python -m benchmarks.dashboards [--minutes 12] [--out docs/images]

Starts everything on free ports, lets a real Prometheus scrape it under mixed traffic, asks the query of every
panel and draws one PNG for each dashboard. Prometheus is Debian's
(`sh deploy/test-tools.sh .cache/deploy/debian`). Ends with status 1 when a panel stays empty.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from benchmarks.dashboards.board import boards
from benchmarks.dashboards.draw import save
from benchmarks.dashboards.series import Page, page
from benchmarks.dashboards.story import SECRET_OPTION, Story, webhook_secret
from benchmarks.dashboards.traffic import Traffic
from benchmarks.service import leave_nothing_behind
from benchmarks.soak.stack import Stack, running
from stack.part import LOOPBACK
from tests.planes import REPOSITORY
from tests.prometheus_server import Prometheus, prometheus_server

PROMETHEUS = REPOSITORY / ".cache/deploy/debian/usr/bin/prometheus"
SCRAPE_S = 2


def main() -> int:
    """Run it, draw, say which panels stayed empty."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboards", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--minutes", type=float, default=12.0, help="how long (default 12)")
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "docs/images", help="folder for the pictures"
    )
    parser.add_argument("--prometheus", type=Path, default=PROMETHEUS, help="its executable")
    given = parser.parse_args()
    if not given.prometheus.exists():
        parser.error(f"no {given.prometheus}: sh deploy/test-tools.sh .cache/deploy/debian")
    leave_nothing_behind()
    secret = webhook_secret()
    with running({SECRET_OPTION: secret}) as stack:
        jobs = {"fixgate-gateway": "port", "fixgate-sync": "sync-port"}
        targets = {job: f"{LOOPBACK}:{stack.ports[port]}" for job, port in jobs.items()}
        with prometheus_server(given.prometheus, stack.home / "prometheus", targets, SCRAPE_S) as prometheus:
            pages = asyncio.run(watch(stack, prometheus, given.minutes * 60, secret))
    given.out.mkdir(parents=True, exist_ok=True)
    for one in pages:
        save(one, given.out / f"dashboard-{one.board.name}.png")
        for title in one.empty:
            print(f"{one.board.name}: {title}: no data", file=sys.stderr)
    return 1 if any(one.empty for one in pages) else 0


async def watch(stack: Stack, prometheus: Prometheus, seconds: float, secret: str) -> list[Page]:
    """Traffic and story together; afterwards what Prometheus has of them."""
    traffic, stop = Traffic(stack.gateway), asyncio.Event()
    begun = time.time()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(traffic.run(stop))
        await Story(stack, traffic, seconds, secret).run()
        stop.set()
    print("answers by status:", dict(sorted(traffic.answered.items())), flush=True)
    return [page(board, prometheus, begun, time.time()) for board in boards()]


if __name__ == "__main__":
    sys.exit(main())
