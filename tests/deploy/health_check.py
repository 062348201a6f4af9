"""The health checks of docker-compose.yml, as Docker runs them."""

import re
import subprocess
from pathlib import Path

import yaml

from tests.deploy.conftest import ROOT


def healthy(service: str, python: Path, port: int) -> bool:
    """Whether a service's own check holds, with this port in the place of the one that its image exposes."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    how, command, *words = services[service]["healthcheck"]["test"]
    assert (how, command) == ("CMD", "python")
    dockerfile = (ROOT / f"deploy/docker/{service}.Dockerfile").read_text()
    (exposed,) = re.findall(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE)
    there = [word.replace(f"127.0.0.1:{exposed}/", f"127.0.0.1:{port}/") for word in words]
    assert there != words, f"{service} does not ask port {exposed}"
    checked = subprocess.run([python, *there], env={}, capture_output=True, check=False, timeout=60)
    return checked.returncode == 0
