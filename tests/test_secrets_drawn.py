"""Drawn graphs: what compiles leaves no secret anywhere, and what is refused would have left one.

Every transform writes what it is given into what it gives, so a secret that flows somewhere stands there word for word;
only fields that say `public` are made without. Each graph is a chain whose values are also told here, in a few lines,
so the compiler's proof is compared with what really happens.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vault
from omnibachi import Workspace, replay

FIELDS = ("a", "b", "c", "d")
CODE = '''"""Transforms that tell what they are given."""


def join(inputs):
    """Answer with both inputs, word for word, and with something that tells nothing of them."""
    return "SUCCESS", {"out": f"<{inputs['x']}+{inputs['y']}>", "pub": f"len{len(inputs['x'])}"}
'''
TEXT = {"type": "string", "maxLength": 100000}
COMMON = [
    {"domain": "drawn"},
    {
        "transform": "CT_JOIN_V0", "summary": "Join.", "inputs": {"x": TEXT, "y": TEXT},
        "outcomes": {"SUCCESS": {"out": TEXT, "pub": {**TEXT, "public": True}}},
    },
    {"store": "ST_KEPT_V0", "governed_by": "CS_REGISTRY_V0", "record": {"type": "object"}},
    {
        "contract": "CC_JOIN_V0", "summary": "Join inside.", "inputs": {"x": TEXT, "y": TEXT}, "start": "in",
        "nodes": {
            "in": {"use": "CT_JOIN_V0", "with": {"x": "$.inputs.x", "y": "$.inputs.y"}, "next": {"SUCCESS": "SUCCESS"}}
        },
        "outcomes": {"SUCCESS": {"out": "$.nodes.in.out", "pub": "$.nodes.in.pub", "x": "$.inputs.x"}},
    },
]  # fmt: skip


class Drawn:
    """A chain under construction: its nodes, what each path holds, and whether a secret would leave."""

    def __init__(self, payload: dict[str, Any], secret: frozenset[str]) -> None:
        self.payload, self.secret = payload, secret
        self.nodes: dict[str, Any] = {}
        self.values: dict[str, str] = {f"$.payload.{name}": payload[name] for name in FIELDS}
        self.values |= {"$.payload.list[0]": payload["list"][0], "plain": "plain"}
        self.left: list[str] = []  # what reaches effects and results


@st.composite
def chains(draw: st.DrawFn) -> tuple[Drawn, dict[str, Any]]:
    secret = frozenset(draw(st.sets(st.sampled_from((*FIELDS, "list", "keys")), min_size=1, max_size=3)))
    payload: dict[str, Any] = {name: f"value-of-{name}-{'PLANTED' if name in secret else 'open'}" for name in FIELDS}
    payload["list"] = [
        f"item-{at}-{'PLANTED' if 'list' in secret else 'open'}" for at in range(draw(st.integers(1, 2)))
    ]
    made = Drawn(payload, secret)
    count = draw(st.integers(1, 5))
    for at in range(count):
        name, after = f"n{at}", f"n{at + 1}" if at + 1 < count else "done"
        made.nodes[name] = {**_node(draw, made, name), "next": {"SUCCESS": after}}
        if made.nodes[name].get("store"):
            made.nodes[name]["next"]["ALREADY_EXISTS"] = after
    results = draw(st.lists(st.sampled_from(sorted(made.values)), max_size=2))
    made.left += [made.values[path] for path in results]
    return made, {f"r{at}": path for at, path in enumerate(results)}


def _node(draw: st.DrawFn, made: Drawn, name: str) -> dict[str, Any]:
    paths = sorted(made.values)
    x, y = draw(st.sampled_from(paths)), draw(st.sampled_from(paths))
    kind = draw(st.sampled_from(("call", "contract", "compute", "keep", "each", "decide", "first")))
    out = f"$.nodes.{name}"
    values, joined = made.values, f"<{made.values[x]}+{made.values[y]}>"
    if kind == "keep":
        made.left += [values[x]]
        given = {"key": name, "value": {"it": draw(st.sampled_from((x, {"in": [x]}))), "n": 1}}
        return {"use": "CS_REGISTRY_V0.REGISTER", "store": "ST_KEPT_V0", "with": given}
    if kind == "compute":
        made.values |= {f"{out}.both": values[x] + values[y], f"{out}.one": values[x]}
        return {"compute": {"both": "x + y", "one": "x"}, "with": {"x": x, "y": y}}
    if kind == "decide":
        return {"decide": [{"when": "size(x) >= 0", "outcome": "SUCCESS"}, {"outcome": "SUCCESS"}], "with": {"x": x}}
    made.values |= {f"{out}.out": joined, f"{out}.pub": f"len{len(values[x])}"}
    if kind == "each":
        for path in (f"{out}.out", f"{out}.pub"):
            del made.values[path]
        first = made.payload["list"][0]
        made.values |= {f"{out}.items[0].out": f"<{first}+{values[y]}>", f"{out}.items[0].pub": f"len{len(first)}"}
        return {
            "each": "$.payload.list",
            "as": "one",
            "max": 2,
            "use": "CT_JOIN_V0",
            "with": {"x": "$.each.one", "y": y},
        }
    if kind == "first":
        return {"use": "CT_JOIN_V0", "with": {"x": {"$first": [x, "none"]}, "y": y}}
    if kind == "contract":
        made.values[f"{out}.x"] = values[x]
    return {"use": "CC_JOIN_V0" if kind == "contract" else "CT_JOIN_V0", "with": {"x": x, "y": y}}


def _documents(made: Drawn, result: dict[str, Any]) -> str:
    marks = {name: {"secret": True} if name in made.secret else {} for name in (*FIELDS, "list")}
    payload = {name: {**TEXT, **marks[name]} for name in FIELDS}
    items = {"type": "array", "minItems": 1, "maxItems": 2, "items": {**TEXT, **marks["list"]}}
    required = [*FIELDS, "list"]
    workflow = {
        "workflow": "WF_DRAWN_V0", "summary": "A chain.", "intent": "IN_DRAWN_V0", "start": "n0", "fault": "failed",
        "nodes": made.nodes,
        "exits": {"done": {"status": "COMPLETED", "result": result}, "failed": {"status": "FAILED"}},
    }  # fmt: skip
    intent = {
        "intent": "IN_DRAWN_V0",
        "payload": {"type": "object", "properties": {**payload, "list": items}, "required": required},
    }
    return "\n---\n".join(json.dumps(item) for item in (*COMMON, intent, workflow)) + "\n"


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=chains())
def test_what_compiles_leaves_no_secret_and_what_is_refused_would(drawn: tuple[Drawn, dict[str, Any]]) -> None:
    made, result = drawn
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in (
            ("capabilities/drawing/__init__.py", '"""Drawn."""\n'), ("capabilities/drawing/joins.py", CODE),
            ("capabilities/drawing/catalogue.py",
             '"""Drawn."""\n\nfrom .joins import join\n\nCATALOGUE = {"drawn::CT_JOIN_V0": join}\n'),
            ("protocols/drawn/all.yaml", _documents(made, result)),
        ):  # fmt: skip
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
        space = Workspace(folder)
        compiled = space.compile()
        leaves = any("PLANTED" in value for value in made.left)
        codes = {item.code for item in compiled.diagnostics if item.severity == "error"}
        assert codes <= {"OB532", "OB533"}, [str(item.message) for item in compiled.diagnostics]
        assert bool(codes) is leaves, (compiled.diagnostics, made.left)
        if codes:
            return
        ran = space.run("drawn::WF_DRAWN_V0", made.payload, data_root=folder / "data", picture=False)
        assert ran.exit == "done", ran.diagnostics
        assert b"PLANTED" not in ran.record
        assert vault.leaks(folder / "data", ("PLANTED",)) == [] and vault.leaks(folder / "traces", ("PLANTED",)) == []
        blind = replay(ran.record, space.load())
        seeing = replay(ran.record, space.load(), data_root=folder / "data", payload=made.payload)
        assert blind.same and seeing.same and seeing.withheld == ()
