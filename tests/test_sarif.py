"""SARIF: the log of a compilation is what the standard asks for, and says all that the diagnostics say.

The schema below is written from SARIF 2.1.0 (OASIS) for the properties that are used, and closed: any other property
fails, so nothing can be written that was not held against the standard.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator

from front_door import Call, call, workspace
from omnibachi.sarif import sarif
from omnibachi_model.codes import table
from omnibachi_model.diagnostics import Diagnostic, Fix, Span
from test_cases import CASE_LIST, _compiled

__all__ = ["call", "workspace"]

Schema = dict[str, Any]


def record(required: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def listed(items: Schema, least: int = 0, unique: bool = False) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "uniqueItems": unique}


TEXT: Schema = {"type": "string"}
INDEX: Schema = {"type": "integer", "minimum": -1}
FROM_ONE: Schema = {"type": "integer", "minimum": 1}
# 3.11 message, 3.12 multiformatMessageString: a text at least
MESSAGE = record("text", text=TEXT)
# 3.4 artifactLocation: a URI reference, here always relative to a base
ARTIFACT = record("uri uriBaseId", uri={"type": "string", "pattern": "^[A-Za-z0-9/_.%~-]+$"}, uriBaseId=TEXT)
# 3.30 region: all from 1
REGION = record("startLine", startLine=FROM_ONE, startColumn=FROM_ONE, endLine=FROM_ONE, endColumn=FROM_ONE)
PHYSICAL = record("artifactLocation region", artifactLocation=ARTIFACT, region=REGION)
# 3.28 location
LOCATION = record(
    "",
    id=INDEX,
    physicalLocation=PHYSICAL,
    logicalLocations=listed(record("", fullyQualifiedName=TEXT), unique=True),
    message=MESSAGE,
)
# 3.36 to 3.38: a flow has a thread at least, a thread a location at least
FLOW = record(
    "threadFlows", threadFlows=listed(record("locations", locations=listed(record("", location=LOCATION), 1)), 1)
)
# 3.55 to 3.57: a fix changes an artifact at least, with a replacement at least
FIX = record(
    "artifactChanges",
    description=MESSAGE,
    artifactChanges=listed(
        record(
            "artifactLocation replacements",
            artifactLocation=ARTIFACT,
            replacements=listed(
                record("deletedRegion", deletedRegion=REGION, insertedContent=record("", text=TEXT)), 1
            ),
        ),
        1,
        unique=True,
    ),
)
# 3.27 result
RESULT = record(
    "message ruleId ruleIndex level",
    ruleId=TEXT,
    ruleIndex=INDEX,
    level={"enum": ["none", "note", "warning", "error"]},
    message=MESSAGE,
    locations=listed(LOCATION),
    relatedLocations=listed(LOCATION, unique=True),
    codeFlows=listed(FLOW),
    fixes=listed(FIX, unique=True),
)
# 3.49 reportingDescriptor
RULE = record("id", id=TEXT, name=TEXT, shortDescription=MESSAGE, help=MESSAGE)
# 3.13 sarifLog, 3.14 run, 3.18 tool, 3.19 toolComponent
LOG = record(
    "version runs",
    **{"$schema": {"type": "string", "pattern": "^https://.*/sarif-schema-2\\.1\\.0\\.json$"}},
    version={"const": "2.1.0"},
    runs=listed(
        record(
            "tool",
            tool=record(
                "driver",
                driver=record("name", name=TEXT, semanticVersion=TEXT, rules=listed(RULE, unique=True)),
            ),
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
            originalUriBaseIds={"type": "object", "additionalProperties": record("", description=MESSAGE)},
            results=listed(RESULT),
        )
    ),
)
SOUND = Draft202012Validator(LOG)


def checked(data: bytes | str) -> dict[str, Any]:
    """Return the run of a log that keeps to the schema, and whose indices lead to what they name."""
    log = json.loads(data)
    assert [error.message for error in SOUND.iter_errors(log)] == []
    run: dict[str, Any] = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        for place in result.get("locations", []):
            assert place["physicalLocation"]["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
    return run


def test_the_schema_can_fail() -> None:
    log = json.loads(sarif([Diagnostic("OB305", "x", Span("a.yaml", 1, 1, 1, 2))]))
    result = log["runs"][0]["results"][0]
    for key, value in (("level", "fatal"), ("fixes", [{"artifactChanges": []}]), ("message", {}), ("helpUri", "x")):
        broken = {**log, "runs": [{**log["runs"][0], "results": [{**result, key: value}]}]}
        assert not SOUND.is_valid(broken), key


def test_the_corpus_of_mistakes_gives_sound_logs(tmp_path: Path) -> None:
    told: set[str] = set()
    for number, case in enumerate(CASE_LIST):
        # Every tenth, and what speaks of names and of paths through a graph.
        if not case.expected or (number % 10 and not case.name.startswith(("names", "dataflow"))):
            continue
        found, _ = _compiled(case, tmp_path / str(number))
        run = checked(sarif(found))
        assert len(run["results"]) == len(found)
        for item, result in zip(found, run["results"], strict=True):
            assert result["message"]["text"].startswith(item.message)
            assert len(result.get("relatedLocations", [])) == len(item.related)
            steps = result["codeFlows"][0]["threadFlows"][0]["locations"] if item.path else []
            assert [step["location"]["message"]["text"] for step in steps] == list(item.path)
            assert ("fixes" in result) == (item.fix is not None)
            told |= set(result)
    assert {"locations", "fixes", "relatedLocations", "codeFlows"} <= told


def test_every_code_is_a_rule() -> None:
    run = checked(sarif([Diagnostic(code, "x") for code in table()]))
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(table())


def test_odd_names_and_all_parts() -> None:
    place = Span("protocols/é 1/a#b.yaml", 3, 4, 3, 9)
    item = Diagnostic(
        "OB506", "y", place, help="z", related=[(place, "here")], path=["a SUCCESS", "b"], severity="warning",
        fix=Fix("write `c`", [(place, "c"), (Span("other.yaml", 1, 1, 2, 1), "")]),
    )  # fmt: skip
    result = checked(sarif([item]))["results"][0]
    assert unquote(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]) == place.file
    assert result["level"] == "warning" and result["message"]["text"] == "y\nz"
    changes = result["fixes"][0]["artifactChanges"]
    assert [change["replacements"][0]["insertedContent"]["text"] for change in changes] == ["c", ""]


def test_the_command_writes_a_file_or_standard_output(call: Call, workspace: Path) -> None:
    assert checked(call("compile", "--sarif", "-").out)["results"] == []
    place = workspace / "protocols/greeting/greet.yaml"
    place.write_text(place.read_text().replace("start: words", "start: wrds"))
    said = call("compile", "--sarif", "-")
    assert said.status == 3 and "OB305" in said.err
    assert [result["ruleId"] for result in checked(said.out)["results"]] == ["OB305"]
    told = call("compile", "--check", "--sarif", "log.sarif", "--json")
    assert told.status == 3 and told.json()["diagnostics"][0]["code"] == "OB305"
    assert checked((workspace / "log.sarif").read_bytes()) == checked(said.out)
    assert str(workspace) not in said.out
    assert call("compile", "--json", "--sarif", "-").status == 2
    assert call("compile", "--sarif", "no/such/folder").status == 6
