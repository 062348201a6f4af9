"""One operation: a method on a path, what it takes, what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.access.key_file import Scope
from gateway.openapi import parameters
from gateway.openapi.parameters import Reference
from gateway.openapi.schema import ref

JSON = "application/json"

Answer = dict[str, Any]

SECURITY: dict[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "`Authorization: Bearer KEY`, where the gateway asks for API keys.",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key in a header of its own.",
    },
}
_ALWAYS = (400, 431)
"""What any path may answer: the request was no proper HTTP."""
_GUARDS = (401, 403, 429, 503)
"""What a guarded path may answer before its handler runs."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An entry of `paths.OPERATIONS`.

    scope: what an API key must be good for, where the gateway asks for keys; None = open to everyone.
    answers: by status, the good ones.
    problems: statuses of `problems.responses` that it may answer with.
    takes: parameters besides those in the path's braces.
    body: media type to schema and examples.
    """

    method: str
    path: str
    summary: str
    tag: str
    scope: Scope | None
    answers: Mapping[int, Answer]
    problems: tuple[int, ...] = ()
    description: str = ""
    takes: tuple[Reference, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As OpenAPI has it."""
        document: dict[str, Any] = {"operationId": self._id(), "summary": self.summary, "tags": [self.tag]}
        scope = f"Scope `{self.scope}`." if self.scope else ""
        if described := " ".join(filter(None, [self.description, scope])):
            document["description"] = described
        document["parameters"] = [*parameters.of_path(self.path), *self.takes]
        if self.body:
            document["requestBody"] = {"required": True, "content": dict(self.body)}
        document["responses"] = self._responses()
        document["security"] = [{name: [str(self.scope)]} for name in SECURITY] + [{}] if self.scope else []
        return document

    def _responses(self) -> dict[str, Any]:
        problems = sorted({*_ALWAYS, *self.problems, *(_GUARDS if self.scope else ())} - set(self.answers))
        return {str(status): answer for status, answer in self.answers.items()} | {
            str(status): {"$ref": f"#/components/responses/{status}"} for status in problems
        }

    def _id(self) -> str:
        words = self.path.replace("{", "by_").replace("}", "").replace(".", "_").strip("/").split("/")
        return "_".join([self.method.lower(), *(words if words != [""] else ["root"])])


def answer(
    description: str,
    schema: str,
    example: Any = None,
    *,
    media_type: str = JSON,
    headers: tuple[str, ...] = (),
) -> Answer:
    """A response of one media type.

    Args:
        schema: a component's name.
        example: one such answer.
        headers: of the answer, besides X-Request-Id.
    """
    return {
        "description": description,
        "headers": parameters.header_references("X-Request-Id", *headers),
        "content": {media_type: content(schema, example)},
    }


def content(schema: str, example: Any = None) -> dict[str, Any]:
    """One media type of a response."""
    return {"schema": ref(schema)} | ({} if example is None else {"example": example})
