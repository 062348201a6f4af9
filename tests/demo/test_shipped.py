"""What ships is complete, says what is true of it, and can be found without any library."""

import json
import subprocess
import sys

import pytest

import contract.model
from demo.contracts import model_contract
from demo.scene import RECEIVERS
from demo.shipped import FIGURES, SIGMF_SAMPLE, TRUTH, VERSIONS, ShippedVersion, sample_paths

each_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda one: f"version {one.number}")


def test_every_file_is_there() -> None:
    files = [one for version in VERSIONS for one in (version.model, version.contract)]
    for path in (*files, *sample_paths(), SIGMF_SAMPLE, TRUTH, FIGURES):
        assert path.is_file(), path


@each_version
def test_a_contract_is_valid_and_what_the_code_says_with_the_measured_scale(version: ShippedVersion) -> None:
    parsed = contract.model.parse(version.contract.read_bytes())
    measured = json.loads(FIGURES.read_text())["versions"][version.number - 1]["sigma_scale"]
    assert parsed == model_contract(measured)
    assert parsed.receiver_ids == tuple(receiver.id for receiver in RECEIVERS)


@each_version
def test_the_figures_describe_the_file_that_ships(version: ShippedVersion) -> None:
    described = json.loads(FIGURES.read_text())["versions"][version.number - 1]
    assert described["version"] == version.number
    assert described["model"] == version.model.name
    assert described["bytes"] == version.model.stat().st_size
    assert described["description"] == version.description


def test_the_champion_is_the_better_one_and_the_descriptions_are_true() -> None:
    first, second = json.loads(FIGURES.read_text())["versions"]
    assert [version.alias for version in VERSIONS] == ["champion", None]
    assert first["test"]["all"]["median_km"] < second["test"]["all"]["median_km"]
    assert round(first["parameters"], -3) == 117_000
    assert first["training_recordings"] == 40_000
    assert second["training_recordings"] == 20_000
    assert first["parameters"] > 5 * second["parameters"]


def test_finding_what_ships_imports_no_library() -> None:
    code = "import sys, demo.shipped; print({'numpy', 'torch', 'msgspec', 'pyproj'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
