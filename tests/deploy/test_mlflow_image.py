"""The image of MLflow, without Docker: its environment, its two scripts."""

import http.server
import os
import re
import shlex
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import process
from stack.part import LOOPBACK, Part, http_ok
from tests import launch
from tests.deploy.conftest import ROOT, run, tool
from tests.deploy.health_check import healthy

DOCKERFILE = (ROOT / "deploy/docker/mlflow.Dockerfile").read_text().replace("\\\n", " ")
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OWNED = b"<Error><Code>BucketAlreadyOwnedByYou</Code></Error>"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build stage makes, with the scripts that are copied into it."""
    folder = tmp_path_factory.mktemp("mlflow") / "environment"
    run(tool("uv"), "venv", "--quiet", "--python", "3.11", folder)
    command = next(line for line in DOCKERFILE.splitlines() if "pip install" in line).partition(
        "pip install"
    )[2]
    words = [
        word for word in shlex.split(command) if word not in {"--no-cache-dir", "--disable-pip-version-check"}
    ]
    run(
        tool("uv"),
        "pip",
        "install",
        "--quiet",
        "--python",
        folder / "bin/python",
        *words,
        cwd=ROOT / "deploy/docker",
    )
    (copied,) = re.findall(r"^COPY (deploy/\S+) (deploy/\S+) /opt/mlflow/bin/$", DOCKERFILE, re.MULTILINE)
    for script in copied:
        (folder / "bin" / Path(script).name).write_bytes((ROOT / script).read_bytes())
    return folder


def server(environment: Path, home: Path, port: int) -> Part:
    """The entry point, with a database that needs no server."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "database").write_text(f"sqlite:///{home / 'mlflow.db'}")
    (home / "key").write_text(KEY)
    return Part(
        name="mlflow",
        command=("sh", str(environment / "bin/mlflow-start.sh")),
        folder=home,
        address=f"http://{LOOPBACK}:{port}",
        ready=lambda: http_ok(port, "/health"),
        environment={
            "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
            "PYTHONPATH": None,
            "HOME": str(home),
            "LISTEN": LOOPBACK,
            "PORT": str(port),
            "WORKERS": "1",
            "DATABASE_URI_FILE": str(home / "database"),
            "WEBHOOK_KEY_FILE": str(home / "key"),
            "ARTIFACTS": str(home / "artifacts"),
            "ALLOWED_HOSTS": f"mlflow:5000,{LOOPBACK}:*",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        start_timeout_s=180.0,
    )


def test_mlflow_answers_by_its_names_and_no_other_and_is_healthy(environment: Path, tmp_path: Path) -> None:
    with launch.running(tmp_path, lambda ports: server(environment, tmp_path / "home", ports[0])) as (
        part,
        _,
    ):
        assert _status(part.address, "mlflow:5000") == 200
        assert _status(part.address, "elsewhere:5000") == 403
        assert healthy("mlflow", environment / "bin/python", int(part.address.rpartition(":")[2]))
    (nobodys,) = launch.free_ports(1)
    assert not healthy("mlflow", environment / "bin/python", nobodys)


def _status(address: str, host: str) -> int:
    try:
        with urllib.request.urlopen(
            urllib.request.Request(
                f"{address}/api/2.0/mlflow/registered-models/search", headers={"Host": host}
            ),
            timeout=30,
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_without_a_secret_it_does_not_start(environment: Path, tmp_path: Path) -> None:
    part = server(environment, tmp_path, 0)
    (tmp_path / "key").write_text("")
    running = process.start(part, tmp_path / "log")
    try:
        with pytest.raises(process.StartFailed, match="key is missing or empty"):
            process.wait_until_ready(part, running, tmp_path / "log")
    finally:
        process.stop(running, 1.0)


@pytest.fixture
def store() -> Iterator[tuple[str, list[str]]]:
    """An S3 that knows one call: where it is, and the buckets that were made."""
    made: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            there = self.path in made
            made.append(self.path)
            body = OWNED if there else b""
            self.send_response(409 if there else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 its name
            pass

    with http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://{LOOPBACK}:{listening.server_port}", made
        listening.shutdown()
        thread.join()


def test_the_bucket_is_made_once(environment: Path, store: tuple[str, list[str]]) -> None:
    url, made = store
    where = {
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": "mlflow",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": "",
        "PATH": os.environ["PATH"],
    }
    for _ in range(2):
        run(environment / "bin/python", environment / "bin/mlflow-bucket.py", "mlflow", environment=where)
    assert made == ["/mlflow", "/mlflow"]


def test_the_drivers_of_its_stores_are_there(environment: Path) -> None:
    run(
        environment / "bin/python",
        "-I",
        "-c",
        "import boto3, psycopg2, sqlalchemy.dialects.postgresql.psycopg2",
    )
