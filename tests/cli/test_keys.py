"""`fixgate keys`, and the commands that send a key."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from gateway.access import key_file
from gateway.access.key_file import Scope
from stack import process
from stack.part import Part, http_ok
from tests.cli.test_main import CONTROL_PLANE, run_without
from tests.launch import free_ports

Fixgate = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the keys go."""
    return tmp_path / "keys"


@pytest.fixture
def fixgate(file: Path, monkeypatch: pytest.MonkeyPatch) -> Fixgate:
    """Runs `fixgate` with that file."""
    monkeypatch.setenv("FIXGATE_API_KEYS_FILE", str(file))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, arguments, env=environment, catch_exceptions=False)

    return run


def test_a_key_is_printed_once_and_kept_as_a_hash(fixgate: Fixgate, file: Path) -> None:
    """The key alone goes to standard output, so that a script can take it."""
    made = fixgate("keys", "add", "laptop", "--scope", "predict", "--scope", "read")
    assert made.exit_code == 0
    key = made.stdout.removesuffix("\n")
    (stored,) = key_file.load(file).values()
    assert stored.matches(key)
    assert (stored.name, stored.scopes) == ("laptop", (Scope.PREDICT, Scope.READ))
    assert key not in file.read_text()
    assert key not in made.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    listed = fixgate("keys", "list")
    assert listed.stdout.split()[:1] == ["laptop"]
    assert "predict, read" in listed.stdout
    assert key not in listed.stdout


def test_a_removed_key_is_gone(fixgate: Fixgate, file: Path) -> None:
    for name in ("one", "two"):
        fixgate("keys", "add", name, "--scope", "read")
    assert fixgate("keys", "remove", "one").exit_code == 0
    assert [key.name for key in key_file.load(file).values()] == ["two"]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("add", "one", "--scope", "read"), 1, "there is a key one in"),
        (("remove", "none"), 1, "there is no key none in"),
        (("add", "a b", "--scope", "read"), 2, "1 to 64 letters"),
        (("add", "two", "--scope", "root"), 2, "'predict', 'read', 'admin'"),
        (("add", "two"), 2, "--scope"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    arguments: tuple[str, ...], status: int, told: str, fixgate: Fixgate, file: Path
) -> None:
    fixgate("keys", "add", "one", "--scope", "read")
    before = file.read_bytes()
    ended = fixgate("keys", *arguments)
    assert ended.exit_code == status
    assert told in ended.stderr
    assert ended.stdout == ""
    assert file.read_bytes() == before


def test_a_malformed_file_is_named_with_its_line(fixgate: Fixgate, file: Path) -> None:
    file.write_text("\nno key\n")
    for arguments in (("list",), ("remove", "one"), ("add", "one", "--scope", "read")):
        ended = fixgate("keys", *arguments)
        assert ended.exit_code == 1
        assert f"fixgate: {file}: line 2: JSON is malformed" in ended.stderr
    assert file.read_text() == "\nno key\n"


def test_without_a_file_the_option_is_named(fixgate: Fixgate) -> None:
    ended = fixgate("keys", "list", FIXGATE_API_KEYS_FILE="")
    assert ended.exit_code == 2
    assert "FIXGATE_API_KEYS_FILE" in ended.stderr


def test_help_is_there_where_only_the_gateway_is_installed() -> None:
    ended = run_without(CONTROL_PLANE, "keys", "--help")
    assert ended.returncode == 0
    assert "fixgate keys" in ended.stdout


def test_a_gateway_knows_the_key_that_predict_sends(fixgate: Fixgate, file: Path, tmp_path: Path) -> None:
    """A key that may only read is told what it lacks, which shows that it arrived and was known."""
    key = fixgate("keys", "add", "reader", "--scope", "read").stdout.strip()
    recording = tmp_path / "recording.npy"
    recording.write_bytes(b"\x93NUMPY")
    port, nowhere = free_ports(2)
    part = Part(
        name="gateway",
        command=(sys.executable, "-m", "gateway"),
        folder=Path.cwd(),
        address="",
        ready=lambda: http_ok(port, "/health"),
        environment={
            "FIXGATE_PORT": str(port),
            "FIXGATE_HOME": str(tmp_path),
            "FIXGATE_REDIS_URL": f"redis://127.0.0.1:{nowhere}",
            "FIXGATE_API_KEYS_FILE": str(file),
        },
    )
    running = process.start(part, tmp_path / "gateway.log")
    try:
        process.wait_until_ready(part, running, tmp_path / "gateway.log")
        ask = ("predict", str(recording), "--url", f"http://127.0.0.1:{port}")
        answers = {
            "an API key is needed": fixgate(*ask),
            "this API key is not known here": fixgate(*ask, "--api-key", "wrong"),
            "this needs the scope predict; the API key reader has read": fixgate(*ask, FIXGATE_API_KEY=key),
        }
    finally:
        process.stop(running, 30)
    for told, answer in answers.items():
        assert answer.exit_code == 1
        assert told in answer.stderr
    log = (tmp_path / "gateway.log").read_text()
    assert key not in log + "".join(answer.output for answer in answers.values())
    assert f"listening on http://127.0.0.1:{port}" in log
