"""Answers held to the OpenAPI document that the very server shows."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import jsonschema_rs


def as_declared(document: dict[str, Any], found: httpx2.Response) -> Any:
    """Return the JSON of an answer, which has a status, a type and a shape that the document declares for its route.

    What no route is asked for is answered in the error shape.
    """
    body = found.json()
    path, method = found.request.url.path, found.request.method.lower()
    places = [item for item in document["paths"] if re.fullmatch(re.sub(r"\\\{\w+\\\}", ".*", re.escape(item)), path)]
    operation = document["paths"][places[0]].get(method) if places else None
    schema: dict[str, Any] = {"$ref": "#/components/schemas/Refusal"}
    if operation is not None:
        declared = operation["responses"][str(found.status_code)]["content"]
        schema = declared[found.headers["content-type"]]["schema"]
    jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]}).validate(body)
    return body
