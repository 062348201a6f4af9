"""Holds answers to the document."""

import copy
from typing import Any

from jsonschema import Draft202012Validator


class Answers:
    """Checks answers against a document; a field that it does not describe is an error here."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._components = copy.deepcopy(document["components"])
        for schema in self._components["schemas"].values():
            _close(schema)

    def check(self, schema: dict[str, Any], value: Any) -> None:
        """Raises jsonschema's ValidationError when the value is not what the schema says."""
        whole = {**schema, "components": self._components}
        Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)

    def check_answer(self, method: str, path: str, status: int, media_type: str, value: Any) -> None:
        """The same for an answer; `path` as in the document. KeyError: it is not described at all."""
        response = self._document["paths"][path][method.lower()]["responses"][str(status)]
        if "$ref" in response:
            response = self._components["responses"][str(status)]
        self.check(response["content"][media_type]["schema"], value)


def _close(schema: Any) -> None:
    """Let every described object have the described fields only."""
    if isinstance(schema, dict):
        if "properties" in schema and "required" in schema and schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
        for one in schema.values():
            _close(one)
    elif isinstance(schema, list):
        for one in schema:
            _close(one)
