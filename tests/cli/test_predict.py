"""`fixgate predict` against a real gateway and Triton."""

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.conftest import ECHO, MEL, Run
from tests.gateway import stand
from tests.launch import free_ports

pytestmark = pytest.mark.stack


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """IQ of three receivers."""
    path = tmp_path / "a.npy"
    np.save(path, stand.iq(1))
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """What the echo model is to answer: 45.5, 7.5, σ 300 m north, 400 m east, uncorrelated."""
    path = tmp_path / "place.npy"
    np.save(path, np.array([45.5, 7.5, 300, 400, 0], np.float32))
    return path


def only(text: str) -> dict[str, Any]:
    """The one JSON line."""
    (line,) = text.splitlines()
    document = json.loads(line)
    assert isinstance(document, dict)
    return document


def test_the_default_model_answers(run: Run, recording: Path, cli_models: dict[str, stand.Model]) -> None:
    result = run("predict", recording, "--format", "json")
    assert result.exit_code == 0, result.output
    answer = only(result.stdout)
    assert answer["file"] == "a.npy"
    assert answer["model"] == MEL
    assert answer["ellipse"]["confidence_level"] == 0.68


def test_every_form_of_a_recording_has_the_same_answer(run: Run, recording: Path, tmp_path: Path) -> None:
    iq = np.load(recording)
    raw, archive = tmp_path / "b.cf32", tmp_path / "c.sigmf"
    raw.write_bytes(iq.tobytes())
    meta = {
        "core:datatype": "cf32_le",
        "core:version": "1.2.0",
        "core:num_channels": 3,
        "core:sample_rate": 48000,
    }
    files = {
        "c.sigmf-meta": json.dumps(
            {"global": meta, "captures": [{"core:sample_start": 0}], "annotations": []}
        ),
        "c.sigmf-data": iq.T.tobytes(),
    }
    with tarfile.open(archive, "w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(f"c/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    result = run("predict", recording, raw, archive, "--receivers", 3, "--format", "json", "--no-cache")
    assert result.exit_code == 0, result.output
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["file"] for one in answers] == ["a.npy", "b.cf32", "c.sigmf"]
    assert len({json.dumps(one["position"]) for one in answers}) == 1
    assert not any(one["_cache_hit"] for one in answers)


def test_a_version_an_alias_and_a_level_can_be_asked_for(run: Run, place: Path) -> None:
    for pin in (["--version", "1"], ["--alias", "champion"], []):
        answer = only(run("predict", place, "--model", ECHO, *pin, "--level", 0.9, "--format", "json").stdout)
        assert (answer["model"], answer["model_version"]) == (ECHO, "1")
        assert answer["position"] == pytest.approx({"latitude": 45.5, "longitude": 7.5})
        assert answer["uncertainty"]["sigma_x"] == pytest.approx(400 * 1.25)
        assert answer["ellipse"]["confidence_level"] == 0.9


def test_the_table_is_plain_where_it_is_no_terminal(run: Run, place: Path) -> None:
    result = run("predict", place, "--model", ECHO, "--level", 0.95)
    source, header, row = result.stdout.splitlines()
    assert source == f"{ECHO} version 1, ellipses at 95 %"
    assert header.startswith("file")
    assert row.split()[:3] == ["place.npy", "45.50000", "7.50000"]
    assert "1.22 km × 918 m" in row


def test_geojson_kml_and_csv_come_out_whole(run: Run, place: Path) -> None:
    collection = json.loads(run("predict", place, "--model", ECHO, "--geojson").stdout)
    assert [one["geometry"]["type"] for one in collection["features"]] == ["Point", "Polygon"]
    assert run("predict", place, "--model", ECHO, "--format", "kml").stdout.endswith("</kml>\n")
    text = run("predict", place, "--model", ECHO, "--format", "csv").stdout
    (row,) = csv.DictReader(io.StringIO(text))
    assert float(row["latitude"]) == 45.5


def test_a_file_without_an_answer_is_named_and_the_others_are_answered(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    short = tmp_path / "short.npy"
    np.save(short, stand.iq(2, samples=5))
    unknown = tmp_path / "x.wav"
    unknown.write_bytes(b"RIFF")
    result = run("predict", short, unknown, recording, "--format", "json")
    assert result.exit_code == 1
    assert only(result.stdout)["file"] == "a.npy"
    assert "short.npy: " in result.stderr
    assert "(400)" in result.stderr
    assert "x.wav" in result.stderr


def test_an_unknown_model_is_the_gateways_to_refuse(run: Run, recording: Path) -> None:
    result = run("predict", recording, "--model", "nonsense")
    assert result.exit_code == 1
    assert "nonsense" in result.stderr
    assert "(404)" in result.stderr


def test_without_a_gateway_it_is_said_once(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIXGATE_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    result = CliRunner().invoke(app, ["predict", str(recording), str(recording)])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("no gateway answers") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--version", "1"], "--model"),
        (["--model", "m", "--version", "1", "--alias", "a"], "not both"),
        (["--format", "xml"], "--format"),
        (["--receivers", "0"], "--receivers"),
    ],
)
def test_options_that_make_no_sense_are_refused(recording: Path, arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(app, ["predict", str(recording), *arguments])
    assert result.exit_code == 2
    assert told in result.stderr
