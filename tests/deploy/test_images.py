"""The images, without Docker: their files in an empty folder, their pip command, their entry point."""

import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack.part import LOOPBACK, Part, http_ok
from tests import launch
from tests.deploy.conftest import ROOT, run, tool
from tests.deploy.health_check import healthy


@dataclass(frozen=True)
class Image:
    """A built one: the environment of its Dockerfile's build stage, and how it starts."""

    python: Path
    entry: list[str]
    environment: dict[str, str]


def build(name: str, folder: Path) -> Image:
    """What the Dockerfile's two stages would make."""
    lines = (ROOT / f"deploy/docker/{name}.Dockerfile").read_text().replace("\\\n", " ").splitlines()
    context = folder / "context"
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            *sources, target = line.split()[1:]
            for source in sources:
                _copy(ROOT / source, context / target / ("" if target.endswith(source) else source))
    environment = folder / "environment"
    run(tool("uv"), "venv", "--quiet", "--python", "3.11", str(environment))
    install = next(line for line in lines if "pip install" in line)
    arguments = shlex.split(install.partition("pip install")[2])
    words = [word for word in arguments if word not in {"--no-cache-dir", "--disable-pip-version-check"}]
    run(tool("uv"), "pip", "install", "--quiet", "--python", environment / "bin/python", *words, cwd=context)
    shutil.rmtree(context)
    entry = next(json.loads(line.partition(" ")[2]) for line in lines if line.startswith("ENTRYPOINT"))
    variables = " ".join(line[4:] for line in lines if line.startswith("ENV "))
    return Image(environment / "bin/python", entry, dict(re.findall(r"(\w+)=(\S+)", variables)))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def imports(image: Image, module: str) -> bool:
    """Whether a module can be imported in it."""
    command = [str(image.python), "-I", "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build("gateway", tmp_path_factory.mktemp("gateway"))


@pytest.fixture(scope="module")
def sync(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build("sync", tmp_path_factory.mktemp("sync"))


@pytest.fixture
def started(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> Iterator[str]:
    """The entry point of the image that the test names, as a process; its address."""
    name: str = request.param
    image: Image = request.getfixturevalue(name)
    secret = tmp_path / "redis_url"
    secret.write_text(redis_url)
    prefix = {"gateway": "FIXGATE_", "sync": "FIXGATE_SYNC_"}[name]

    def part(ports: list[int]) -> Part:
        return Part(
            name=name,
            command=(str(image.python), *image.entry[1:]),
            folder=tmp_path,
            address=f"http://{LOOPBACK}:{ports[0]}",
            ready=lambda: http_ok(ports[0], "/health"),
            environment={
                **image.environment,
                "PATH": os.environ["PATH"],
                "PYTHONPATH": None,
                "FIXGATE_HOME": str(tmp_path / "home"),
                "FIXGATE_MODEL_REPOSITORY": str(tmp_path / "models/model_repository"),
                "FIXGATE_STAGING": str(tmp_path / "models/staging"),
                "FIXGATE_REDIS_URL_FILE": str(secret),
                f"{prefix}HOST": LOOPBACK,
                f"{prefix}PORT": str(ports[0]),
            },
        )

    with launch.running(tmp_path / "run", part) as (running, _):
        yield running.address


def test_the_gateways_image_has_no_mlflow_and_no_model_runtime(gateway: Image) -> None:
    assert imports(gateway, "gateway")
    assert imports(gateway, "cli.keys")
    for module in ("mlflow", "onnx", "onnxruntime", "pandas", "sync", "torch"):
        assert not imports(gateway, module), module


def test_syncs_image_has_no_gateway(sync: Image) -> None:
    for module in ("sync", "mlflow.onnx", "onnxruntime", "cli.register"):
        assert imports(sync, module), module
    assert not imports(sync, "gateway")


@pytest.mark.parametrize("started", ["gateway", "sync"], indirect=True)
def test_the_entry_point_serves(started: str) -> None:
    with urllib.request.urlopen(f"{started}/metrics", timeout=10) as answer:
        assert b"fixgate_" in answer.read()


@pytest.mark.parametrize(
    ("name", "started"), [("gateway", "gateway"), ("sync", "sync")], indirect=["started"]
)
def test_composes_health_check_holds_while_it_answers(
    request: pytest.FixtureRequest, name: str, started: str
) -> None:
    image: Image = request.getfixturevalue(name)
    assert healthy(name, image.python, int(started.rpartition(":")[2]))
    (nobodys,) = launch.free_ports(1)
    assert not healthy(name, image.python, nobodys)


def test_keys_are_made_in_the_gateways_image(gateway: Image, tmp_path: Path) -> None:
    made = run(
        gateway.python.with_name("fixgate"), "keys", "add", "prometheus", "--scope", "read",
        "--file", tmp_path / "api-keys",
    )  # fmt: skip
    assert made.startswith("fixgate_")


def sbom(image: Image, file: Path) -> set[str]:
    """What `make sbom` finds in an image's environment: a valid CycloneDX list; the names on it."""
    options = ("--pyproject", "pyproject.toml", "--output-reproducible", "--validate", "--output-file", file)
    run(tool("cyclonedx-py"), "environment", *options, image.python)
    listed = json.loads(file.read_text())
    assert listed["bomFormat"] == "CycloneDX"
    return {one["name"].lower() for one in listed["components"] if one["version"]}


def test_the_list_of_what_an_image_holds_is_whole(gateway: Image, sync: Image, tmp_path: Path) -> None:
    of_gateway, of_sync = sbom(gateway, tmp_path / "gateway.json"), sbom(sync, tmp_path / "sync.json")
    assert {"aiohttp", "numpy", "tritonclient"} <= of_gateway
    assert not {"mlflow", "mlflow-skinny", "onnxruntime"} & of_gateway
    assert {"mlflow-skinny", "onnxruntime", "boto3"} <= of_sync
