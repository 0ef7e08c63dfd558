"""What the shipped domains declare, read as plain data, and transforms called as the runtime calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from omnibachi_capabilities.catalogue import CATALOGUE as CAPABILITIES
from omnibachi_model.checks import conform, filler, link
from omnibachi_model.digests import encode
from omnibachi_model.values import admit
from omnibachi_policy.catalogue import CATALOGUE as POLICIES

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE: dict[str, Any] = {**CAPABILITIES, **POLICIES}


def documents() -> list[tuple[str, dict[str, Any]]]:
    """Return every declaration that ships as plain data, each with its domain."""
    protocols = ROOT / "protocols"
    files = sorted(file for file in protocols.rglob("*.yaml") if not file.name.endswith(".test.yaml"))
    return [
        (file.relative_to(protocols).parts[0], document)
        for file in files
        for document in yaml.safe_load_all(file.read_text("utf-8"))
    ]


DOCUMENTS = documents()
TRANSFORMS = {f"{domain}::{item['transform']}": item for domain, item in DOCUMENTS if "transform" in item}
OPERATIONS = {
    f"{domain}::{item['side_effect']}.{name}": operation
    for domain, item in DOCUMENTS
    if "side_effect" in item
    for name, operation in item["operations"].items()
}
EXAMPLES = [(address, example) for address, item in TRANSFORMS.items() for example in item["examples"]]


def object_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the object schema that lists of fields stand for."""
    required = [name for name, schema in fields.items() if "default" not in schema]
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


def transform(address: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Call a transform as the runtime does: inputs through the door, filled and checked."""
    schema = object_of(TRANSFORMS[address]["inputs"])
    fill = filler(schema)
    given: Any = admit(inputs)
    ready = fill(given) if fill else given
    assert conform(link(schema), ready)[1] == []
    before = encode(ready)
    function: Any = CATALOGUE[address]
    answer: tuple[str, dict[str, Any]] = function(ready)
    assert encode(ready) == before, "inputs are read-only"
    return answer
