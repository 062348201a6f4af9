"""A real Prometheus with the repository's rules, that scrapes what a test or a benchmark has started."""

import contextlib
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stack.part import LOOPBACK, Part, http_ok
from tests import launch
from tests.planes import REPOSITORY

FOLDER = REPOSITORY / "deploy/prometheus"
RULES = FOLDER / "rules.yml"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Where it answers."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        return self._ask("query", query=expression)

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series between two times, unix seconds."""
        return self._ask("query_range", query=expression, start=start, end=end, step=step)

    def _ask(self, what: str, **values: str | float) -> list[dict[str, Any]]:
        data = urllib.parse.urlencode(values).encode()
        with urllib.request.urlopen(f"{self.url}/api/v1/{what}", data, timeout=60) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found


@contextlib.contextmanager
def prometheus_server(
    executable: Path, home: Path, targets: Mapping[str, str], every_s: int = 1
) -> Iterator[Prometheus]:
    """Scrape these: job of deploy/prometheus/prometheus.yml to host:port."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    every = f"{every_s}s"
    config["global"] = {"scrape_interval": every, "evaluation_interval": every, "scrape_timeout": every}
    config["rule_files"] = [str(RULES)]
    config["scrape_configs"] = [
        {"job_name": job["job_name"], "static_configs": [{"targets": [targets[job["job_name"]]]}]}
        for job in config["scrape_configs"]
        if job["job_name"] in targets
    ]
    home.mkdir(parents=True, exist_ok=True)
    (home / "prometheus.yml").write_text(yaml.safe_dump(config))

    def part(ports: list[int]) -> Part:
        return Part(
            name="prometheus",
            command=(
                str(executable),
                f"--config.file={home / 'prometheus.yml'}",
                f"--storage.tsdb.path={home / 'tsdb'}",
                f"--web.listen-address={LOOPBACK}:{ports[0]}",
            ),
            folder=home,
            address=f"http://{LOOPBACK}:{ports[0]}",
            ready=lambda: http_ok(ports[0], "/-/ready"),
        )

    with launch.running(home, part) as (running, _):
        yield Prometheus(running.address)
