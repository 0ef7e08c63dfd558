"""Every FAULT has a code of its own, says where in the YAML its node stands, and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handmade import TEXT, call, lay, leave, record_of, workflow
from omnibachi import RunResult, Workspace
from omnibachi.mishaps import HELP
from omnibachi_model.digests import digest, pretty
from omnibachi_model.faults import CODES

WF = "shop::WF_TEST_V0"
CAPS = """
def act(inputs):
    match inputs["do"]:
        case "raise":
            raise LookupError("nothing there")
        case "other":
            return "OTHER", {}
        case "misfit":
            return "SUCCESS", {"text": 1}
        case {"list": words}:
            words.pop()
    return "SUCCESS", {"text": "fine"}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """Return a workspace whose one transform misbehaves on request, with origins."""
    nodes = [
        {"kind": "DECIDE", "name": "may", "with": {"n": ["ref", "payload", ["n"]]},
         "rows": [{"when": ["lt", ["name", "n"], ["lit", 9]], "outcome": "YES", "because": None},
                  {"when": None, "outcome": "YES", "because": "many"}], "next": {"YES": 1, "FAULT": 3}},
        call("act", "shop::CT_ACT_V0", {"do": ["ref", "payload", ["do"]]}, {"SUCCESS": record_of({"text": TEXT})},
             {"SUCCESS": 2, "FAULT": 3}, check=record_of({"do": {"type": ["string", "object"]}})),
        leave("done", "COMPLETED"),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    lay(tmp_path, [workflow(nodes)], {"shop::CT_ACT_V0": "shop_mishaps.act:act"}, {"shop_mishaps.act": CAPS})
    origins = pretty({
        "format": "omnibachi.origins/1", "workflow": WF, "file": "protocols/shop/test.yaml", "sources": [],
        "nodes": {"may": {"span": [3, 3, 3, 6], "with": [5, 11, 5, 20]}, "act": {"span": [7, 3, 7, 6], "with": None}},
        "exits": {},
    })  # fmt: skip
    place = tmp_path / "protocol_snapshot"
    (place / "origins.json").write_bytes(origins)
    manifest = json.loads((place / "manifest.json").read_bytes())
    manifest["workflows"][WF].update(origins="origins.json", origins_sha256=digest(origins))
    (place / "manifest.json").write_bytes(pretty(manifest))
    (place / "manifest.sha256").write_text(digest(pretty(manifest)))
    return Workspace(tmp_path)


def run(shop: Workspace, payload: Any) -> RunResult:
    return shop.run(WF, payload, picture=False)


@pytest.mark.parametrize(
    ("payload", "code", "place", "says"),
    [
        (
            {"n": 1, "do": "raise"},
            "OB702",
            (7, 3),
            "raised `LookupError`: nothing there, at `shop_mishaps/act.py:5 act`",
        ),
        ({"do": "fine"}, "OB703", (5, 11), "node `may` read `$.payload.n`, which is not there"),
        ({"n": 1, "do": 2}, "OB704", (7, 3), "the inputs of `shop::CT_ACT_V0` do not fit: `/do` (type)"),
        ({"n": 1, "do": "misfit"}, "OB705", (7, 3), "breaks its schema: `/text` (type)"),
        ({"n": 1, "do": "other"}, "OB706", (7, 3), "the outcome `OTHER` is not declared"),
        ({"n": "x", "do": "fine"}, "OB707", (3, 3), "node `may`: "),
        ({"n": 1, "do": {"list": [1]}}, "OB708", (7, 3), "the capability changed its inputs"),
    ],
)
def test_a_fault_has_its_code_its_place_and_its_remedy(
    shop: Workspace, payload: Any, code: str, place: tuple[int, int], says: str
) -> None:
    result = run(shop, payload)
    assert (result.exit, result.exit_code) == ("failed", 1)
    (found,) = result.diagnostics
    assert (found.code, found.severity) == (code, "error") and says in found.message and found.help
    assert found.span is not None
    assert (found.span.file, found.span.line, found.span.column) == ("protocols/shop/test.yaml", *place)


def test_edited_origins_are_not_believed(shop: Workspace) -> None:
    path = Path(shop.root) / "protocol_snapshot/origins.json"
    path.write_bytes(path.read_bytes().replace(b"test.yaml", b"else.yaml"))
    assert run(shop, {"n": 1, "do": "raise"}).diagnostics[0].span is None


def test_a_fault_that_was_provided_for_is_a_warning(shop: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "protocol_snapshot/shop/WF_TEST_V0.json"
    sealed = json.loads(path.read_bytes())
    sealed["nodes"][1]["next"]["FAULT"] = 2
    data = pretty(sealed)
    path.write_bytes(data)
    manifest = json.loads((tmp_path / "protocol_snapshot/manifest.json").read_bytes())
    manifest["workflows"][WF]["sha256"] = digest(data)
    (tmp_path / "protocol_snapshot/manifest.json").write_bytes(pretty(manifest))
    (tmp_path / "protocol_snapshot/manifest.sha256").write_text(digest(pretty(manifest)))
    result = run(shop, {"n": 1, "do": "raise"})
    assert result.ok and [(item.code, item.severity) for item in result.diagnostics] == [("OB702", "warning")]


def test_every_reason_has_a_code_and_a_remedy() -> None:
    from omnibachi_model import faults
    from omnibachi_model.codes import table

    reasons = {
        faults.MISSING_INPUT, faults.INPUT_MISFIT, faults.INPUT_CHANGED, faults.RAISED, faults.UNDECLARED_OUTCOME,
        faults.OUTPUT_MISFIT, faults.EXPRESSION, faults.OUTPUT_TOO_LARGE, faults.SECRET_MISSING, faults.SECRET_SHOWN,
    }  # fmt: skip
    assert set(CODES) == set(HELP) == reasons
    assert set(CODES.values()) <= set(table())


def test_a_picture_that_cannot_be_drawn_is_a_warning(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnibachi import wiring
    from omnibachi_observer.renderer import PictureFailed

    def fail(*_: object) -> bytes:
        raise PictureFailed("no renderer")

    monkeypatch.setattr(wiring, "draw", fail)
    result = shop.run(WF, {"n": 1, "do": "fine"}, trace_id="T1")
    assert result.ok and [(item.code, item.severity) for item in result.diagnostics] == [("OB730", "warning")]
    assert ".png" not in Path(shop.traces.path("T1", "md")).read_text("utf-8")
    assert sorted(result.trace) == ["jsonl", "md"]
