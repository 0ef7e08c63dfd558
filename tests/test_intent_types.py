"""Types of intent are declared: another one is another file, and what it asks for is what admission asks for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from governing import ROOT, gateway
from omnibachi import Workspace
from omnibachi.governing import CLOSE, GOVERN, open_gateway
from omnibachi.intent_types import GATES, intent_types
from omnibachi_transport.admission import admit

NOTES = """
intent: IN_NOTE_KEEP_LONG_V{version}
summary: Something is to be kept.
payload:
  type: object
  properties:
    {field}: {{type: string, maxLength: 5}}
  required: [{field}]
"""


def test_what_ships() -> None:
    assert intent_types(Workspace(ROOT).load()) == {
        "chat.message": {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
    }
    with gateway(None) as door:
        assert list(door.intent_types()) == ["chat.message"]


def test_the_gates_are_those_of_the_workflows() -> None:
    folder = ROOT / "protocol_snapshot" / "dbl"
    sealed = [json.loads((folder / f"{address.split('::')[1]}.json").read_bytes()) for address in (GOVERN, CLOSE)]
    assert {item["intent"] for item in sealed} == GATES


def test_another_type_is_another_declaration(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "protocols", tmp_path / "protocols")
    for version, field in ((0, "old"), (9, "less"), (10, "note")):
        place = tmp_path / "protocols" / "dbl" / f"note{version}.yaml"
        place.write_text(NOTES.format(version=version, field=field).lstrip(), "utf-8")
    found = Workspace(tmp_path).compile()
    assert found.ok, found.diagnostics
    with open_gateway(Workspace(tmp_path), None) as door:
        types = door.intent_types()
    assert list(types) == ["chat.message", "note.keep_long"] and types["note.keep_long"]["required"] == ["note"]
    body = {"intent_type": "note.keep_long", "payload": {"note": "six", "more": 1.5}}
    draw = {"draw": lambda: "c", "intent_types": types}
    who = {"principal": "local"}
    admitted = admit(json.dumps(body).encode(), None, who, **draw)
    assert not isinstance(admitted, list) and admitted.anchors["intent_type"] == "note.keep_long"
    for payload, reason, pointer in (
        ({"note": "longer"}, "admission.invalid_field", "/payload/note"),
        ({"old": "x"}, "admission.missing_field", "/payload/note"),
    ):
        refused = admit(json.dumps({**body, "payload": payload}).encode(), None, who, **draw)
        assert isinstance(refused, list)
        assert [(item.reason_code, item.pointer) for item in refused] == [(reason, pointer)]
