"""The OpenAPI document of a server, made of the very schemas that judge requests and describe answers.

An operation is one row: a route with its method, its query, its body, its answers by status, and the role that it
needs. The document and the routes of a server are made of the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .reasons import REASONS, REFUSAL

Schema: TypeAlias = "dict[str, Any]"

VERSION = "3.1.0"
_ERROR = "Refusal"
_ALWAYS = (401, 403, 413, 422, 500)  # what any route may answer


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: `answers` are JSON by status unless `media_type` says otherwise for the first of them; `refusals` are
    the other statuses, in the error shape; `role` is None where no identity is needed."""

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Schema]
    refusals: tuple[int, ...] = ()
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    role: str | None = "read"
    media_type: str = "application/json"
    path_parameters: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, Schema] = field(default_factory=dict)


def document(title: str, version: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document (3.1) of a server."""
    paths: dict[str, dict[str, Any]] = {}
    for item in operations:
        paths.setdefault(item.path.replace(":path}", "}"), {})[item.method.lower()] = _operation(item)
    return {
        "openapi": VERSION,
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": {_ERROR: REFUSAL},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(item: Operation) -> dict[str, Any]:
    query = item.query.items()
    parameters = [
        *(_parameter(name, "path", schema, required=True) for name, schema in item.path_parameters.items()),
        *(_parameter(name, "query", schema) for name, schema in query),
        *(_parameter(name, "header", schema) for name, schema in item.headers.items()),
    ]
    statuses = sorted({*item.refusals, *(status for status in _ALWAYS if item.role or status not in (401, 403))})
    told: dict[str, Any] = {
        "operationId": item.name,
        "summary": item.summary,
        "responses": {
            **{str(status): _answer("as asked", schema, item.media_type) for status, schema in item.answers.items()},
            **{
                str(status): _answer(_reasons(status), {"$ref": f"#/components/schemas/{_ERROR}"}, "application/json")
                for status in statuses
            },
        },
        # Without a token file none is asked for.
        "security": [{"token": []}, {}] if item.role else [],
    }
    if parameters:
        told["parameters"] = parameters
    if item.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": item.body}}}
    return told


def _parameter(name: str, place: str, schema: Schema | Mapping[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": dict(schema)}


def _answer(description: str, schema: Schema, media_type: str) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _reasons(status: int) -> str:
    return ", ".join(f"`{reason}`" for reason, (number, _) in REASONS.items() if number == status)
