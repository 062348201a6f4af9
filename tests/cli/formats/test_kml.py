"""Predictions as KML, read back by another KML library against the OGC's schema."""

import io
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from fastkml import KML
from fastkml.features import Placemark
from fastkml.utils import find_all
from shapely.geometry import MultiPolygon, Point, shape

from cli.formats.kml import NAMESPACE, kml
from tests.cli.formats.answers import answer


def read(text: bytes) -> list[Placemark]:
    """The placemarks, after the whole has been checked against the schema."""
    document = KML.parse(io.BytesIO(text))
    assert document.validate()
    found = [one for one in find_all(document, of_type=Placemark) if isinstance(one, Placemark)]
    assert found
    return found


def geometry(placemark: Placemark) -> Any:
    """As shapely has it."""
    return shape(placemark.geometry)


def test_position_and_ellipse_are_placemarks_of_the_files_folder() -> None:
    position, ellipse = read(kml([answer()]))
    assert position.name == "one.npy"
    assert ellipse.name == "90 % ellipse"
    assert geometry(position) == Point(7.6, 45.1)
    assert geometry(ellipse).contains(geometry(position))
    assert len(geometry(ellipse).exterior.coords) == 65
    assert position.time_stamp is not None


def test_the_description_says_where_how_sure_and_by_which_model() -> None:
    position, _ = read(kml([answer()]))
    assert position.description is not None
    assert position.description.startswith("45.100000°, 7.600000°; 95 % within ")
    assert position.description.endswith("; localization version 3")


def test_the_predictions_numbers_come_along() -> None:
    one = answer()
    _, ellipse = read(kml([one]))
    data = {item.name: item.value for item in ellipse.extended_data.elements}  # type: ignore[union-attr]
    assert data["semi_major_m"] == str(one.document["ellipse"]["semi_major_m"])
    assert data["id"] == "0197c2d4"


def test_an_ellipse_across_the_antimeridian_has_two_polygons() -> None:
    _, ellipse = read(kml([answer(longitude=-179.999)]))
    assert isinstance(geometry(ellipse), MultiPolygon)


def test_an_ellipse_that_cannot_be_drawn_says_why() -> None:
    _, ellipse = read(kml([answer(sigma_m=9e6)]))
    assert ellipse.geometry is None
    assert "over 10,000 km" in str(ellipse.description)


def test_several_files_have_a_folder_each() -> None:
    root = ET.fromstring(kml([answer("a.npy"), answer("b.npy")]))  # noqa: S314 our own text
    names = [one.text for one in root.iterfind(f".//{{{NAMESPACE}}}Folder/{{{NAMESPACE}}}name")]
    assert names == ["a.npy", "b.npy"]


@pytest.mark.parametrize("name", ["<&>\"'.npy", "bell\x07.npy", "lone\udc80.npy", "日本.npy"])
def test_any_file_name_gives_wellformed_kml(name: str) -> None:
    position, _ = read(kml([answer(name)]))
    assert position.name == "".join(one for one in name if one.isprintable())


def test_nothing_is_an_empty_document() -> None:
    assert KML.parse(io.BytesIO(kml([]))).validate()
