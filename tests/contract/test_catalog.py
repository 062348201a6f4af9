"""The catalogue: round trip, revisions that only grow, and how far apart the planes' schemas may be."""

import json

import msgspec
import pytest

from contract import catalog
from contract.model import infer

VERSION = catalog.ServedVersion(
    version=3,
    digest="ab" * 32,
    contract=infer({"x": "float"}, {"positions", "uncertainties"}),
    sigma_scale=1.2,
    max_batch_size=32,
    inputs=(catalog.TensorSpec("x", "FP32", (3, 128, 32)),),
    outputs=(
        catalog.TensorSpec("positions", "FP32", (2,)),
        catalog.TensorSpec("uncertainties", "FP32", (2,)),
    ),
    served_since=1.0,
    created_at=0.5,
)
CATALOG = catalog.Catalog(
    schema="1.0",
    revision=7,
    written_at=2.0,
    default_model="localization",
    models={
        "localization": catalog.ServedModel(
            name="localization",
            versions=(VERSION,),
            aliases={"champion": 3},
            routing=catalog.RoutePolicy(weights={"champion": 90.0, "2": 10.0}),
        )
    },
)


def test_a_catalogue_survives_dump_and_parse() -> None:
    assert catalog.parse(catalog.dump(CATALOG)) == CATALOG


def test_equal_catalogues_are_equal_bytes() -> None:
    assert catalog.dump(catalog.parse(catalog.dump(CATALOG))) == catalog.dump(CATALOG)


def test_a_version_is_found_by_its_number() -> None:
    model = CATALOG.models["localization"]
    assert model.version(3) is VERSION
    assert model.version(4) is None


def test_an_edition_is_of_files_contract_and_sigma_scale() -> None:
    """What truths say of σ in wrong units says nothing of σ in right ones."""
    change, output = msgspec.structs.replace, VERSION.contract.output
    other = {"degrees": "metres", "metres": "degrees"}[output.uncertainty.units]
    corrected = change(output, uncertainty=change(output.uncertainty, units=other))
    versions = [
        VERSION,
        change(VERSION, digest="cd" * 32),
        change(VERSION, contract=change(VERSION.contract, output=corrected)),
        change(VERSION, sigma_scale=1.3),
    ]
    assert len({one.edition for one in versions}) == len(versions)
    assert change(VERSION, stage="x", served_since=9.0).edition == VERSION.edition


def test_an_edition_that_was_asked_for_is_no_part_of_the_catalogue() -> None:
    before = catalog.dump(CATALOG)
    assert VERSION.edition
    assert catalog.dump(CATALOG) == before
    assert catalog.parse(before) == CATALOG


@pytest.mark.parametrize(
    ("last", "now_s", "expected"), [(0, 1.5, 1501), (5000, 1.5, 5001), (1500, 1.5, 1501)]
)
def test_a_revision_only_grows(last: int, now_s: float, expected: int) -> None:
    assert catalog.next_revision(last, now_s) == expected


def test_one_minor_newer_is_read_and_its_unknown_fields_passed_over() -> None:
    document = json.loads(catalog.dump(CATALOG))
    document["schema"] = f"{catalog.MAJOR}.{catalog.MINOR + 1}"
    document["news"] = {"later": True}
    document["models"]["localization"]["news"] = 1
    assert catalog.parse(json.dumps(document).encode()).models == CATALOG.models


@pytest.mark.parametrize(
    ("written", "read_by", "fits"), [(0, 1, True), (1, 0, True), (1, 2, True), (0, 2, False)]
)
def test_planes_one_minor_apart_read_each_other(
    written: int, read_by: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of them is upgraded first."""
    document = {**json.loads(catalog.dump(CATALOG)), "schema": f"{catalog.MAJOR}.{written}"}
    monkeypatch.setattr(catalog, "MINOR", read_by)
    if fits:
        assert catalog.parse(json.dumps(document).encode()).models == CATALOG.models
    else:
        with pytest.raises(
            catalog.CatalogError, match=f"schema {catalog.MAJOR}.{written}; this program reads"
        ):
            catalog.parse(json.dumps(document).encode())


@pytest.mark.parametrize(
    "schema", [f"{catalog.MAJOR}.{catalog.MINOR + 2}", f"{catalog.MAJOR + 1}.0", "0.9", "x", "1"]
)
def test_a_schema_too_far_away_is_refused(schema: str) -> None:
    document = {**json.loads(catalog.dump(CATALOG)), "schema": schema}
    with pytest.raises(catalog.CatalogError, match="schema"):
        catalog.parse(json.dumps(document).encode())


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"schema": 1}',
        b'{"schema": "1.0"}',
        b'{"schema": "1.0", "revision": "x"}',
    ],
)
def test_garbage_is_refused(document: bytes) -> None:
    with pytest.raises(catalog.CatalogError):
        catalog.parse(document)


def test_a_negative_weight_is_refused() -> None:
    document = json.loads(catalog.dump(CATALOG))
    document["models"]["localization"]["routing"]["weights"]["champion"] = -1
    with pytest.raises(catalog.CatalogError, match="weights"):
        catalog.parse(json.dumps(document).encode())


def test_after_a_policy_has_expired_what_was_before_it_is_in_force() -> None:
    before = catalog.RoutePolicy({"champion": 1.0})
    policy = catalog.RoutePolicy({"candidate": 1.0}, expires_at=10.0, then=before)
    assert policy.in_force(9.9) is policy
    assert policy.in_force(10.0) is before
    assert catalog.RoutePolicy({"candidate": 1.0}, expires_at=10.0).in_force(10.0) is None
