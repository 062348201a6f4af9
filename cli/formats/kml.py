"""Predictions as KML 2.2 (OGC 07-147r2), for Google Earth and its like."""

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET  # nosec B405

from cli.formats.answer import Answer
from cli.formats.units import degrees, metres, percent

NAMESPACE = "http://www.opengis.net/kml/2.2"
LINE, FILL = "ff1e64ff", "401e64ff"  # aabbggrr
Ring = list[list[float]]


def kml(answers: Sequence[Answer]) -> bytes:
    """A document, in UTF-8, with a folder per prediction: its position and its ellipse on the ground."""
    root = ET.Element("kml", xmlns=NAMESPACE)
    document = ET.SubElement(root, "Document")
    _text(document, "name", "fixgate")
    style = ET.SubElement(document, "Style", id="ellipse")
    line = ET.SubElement(style, "LineStyle")
    _text(line, "color", LINE)
    _text(line, "width", "2")
    _text(ET.SubElement(style, "PolyStyle"), "color", FILL)
    for answer in answers:
        _folder(document, answer)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written + b"\n"


def _folder(document: ET.Element, answer: Answer) -> None:
    position, ellipse = answer.features
    folder = ET.SubElement(document, "Folder")
    _text(folder, "name", answer.name)
    point = _placemark(folder, answer.name, _description(answer.document), answer.document)
    _data(point, position["properties"])
    _text(ET.SubElement(point, "Point"), "coordinates", _coordinates([position["geometry"]["coordinates"]]))
    level = percent(answer.document["ellipse"]["confidence_level"])
    if ellipse["geometry"] is None:
        _placemark(
            folder, f"{level} ellipse", f"not drawn: {ellipse['properties']['reason']}", answer.document
        )
        return
    about = f"holds the source with probability {level}"
    outline = _placemark(folder, f"{level} ellipse", about, answer.document, style="#ellipse")
    _data(outline, ellipse["properties"])
    rings = _rings(ellipse["geometry"])
    parent = ET.SubElement(outline, "MultiGeometry") if len(rings) > 1 else outline
    for ring in rings:
        _polygon(parent, ring)


def _placemark(
    parent: ET.Element, name: str, about: str, document: dict[str, Any], style: str | None = None
) -> ET.Element:
    placemark = ET.SubElement(parent, "Placemark")
    _text(placemark, "name", name)
    _text(placemark, "description", about)
    _text(ET.SubElement(placemark, "TimeStamp"), "when", document["timestamp"])
    if style is not None:
        _text(placemark, "styleUrl", style)
    return placemark


def _data(placemark: ET.Element, properties: dict[str, Any]) -> None:
    extended = ET.SubElement(placemark, "ExtendedData")
    for name, value in properties.items():
        _text(ET.SubElement(extended, "Data", name=name), "value", str(value))


def _polygon(parent: ET.Element, ring: Ring) -> None:
    polygon = ET.SubElement(parent, "Polygon")
    _text(polygon, "tessellate", "1")
    boundary = ET.SubElement(polygon, "outerBoundaryIs")
    _text(ET.SubElement(boundary, "LinearRing"), "coordinates", _coordinates(ring))


def _rings(geometry: dict[str, Any]) -> list[Ring]:
    if geometry["type"] == "Polygon":
        return [geometry["coordinates"][0]]
    return [polygon[0] for polygon in geometry["coordinates"]]


def _coordinates(ring: Ring) -> str:
    return " ".join(f"{longitude:.9f},{latitude:.9f}" for longitude, latitude in ring)


def _description(document: dict[str, Any]) -> str:
    place, ellipse = document["position"], document["ellipse"]
    return (
        f"{degrees(place['latitude'])}, {degrees(place['longitude'])}; "
        f"95 % within {metres(ellipse['r95_m'])}, 50 % within {metres(ellipse['cep50_m'])}; "
        f"{document['model']} version {document['model_version']}"
    )


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = "".join(one for one in text if one.isprintable() or one in "\n\t")
