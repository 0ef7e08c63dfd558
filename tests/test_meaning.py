"""Drawn contracts, workflows and loops do what they mean, crash where that was foretold, and keep what was proven."""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import Any

import orjson

from drawn_bodies import OUTCOMES, PROBE, Body, bodies, probe, text_of
from handmade import bodies as told_by
from handmade import linked, start
from looping import compiled, sealed
from meant import Meaning, Moment, admitted
from omnibachi_runtime.walk import walk
from thoroughness import many

SEEDS = many(90, 2_600)
Point = str | dict[str, str]


def payloads(rng: Random, body: Body) -> list[dict[str, Any]]:
    """Draw payloads that a workflow admits."""
    found = []
    for _ in range(8):
        items = [rng.randint(0, 18) for _ in range(rng.randint(0, body.longest))]
        more = {key: rng.randint(0, 9) for key in "yz" if rng.random() < 0.5}
        found.append({"x": rng.randint(0, 24), "l": items, **more})
    return [payload for payload in found if admitted(body, payload) is not None]


def used(body: Body) -> dict[str, list[str]]:
    """Return what a body calls, through others too, with the outcomes."""
    found = {PROBE: [*OUTCOMES]}
    for node in body.nodes.values():
        if node.body is not None:
            found |= {node.body.code: [*node.body.outcomes], **used(node.body)}
    return found


def drawn_law(rng: Random, body: Body) -> dict[str, Any]:
    """Draw a law that binds a workflow."""

    def point(otherwise: str) -> Point:
        kind = rng.randrange(4)
        if kind == 0:
            return otherwise
        if kind == 1:
            name = rng.choice(list(body.nodes))
            outcomes = [outcome for outcome in body.nodes[name].next if outcome != "FAULT"]
            return {"node": name, **({"outcome": rng.choice(outcomes)} if rng.random() < 0.6 else {})}
        use, known = rng.choice(list(used(body).items()))
        return {"use": use, **({"outcome": rng.choice([*known, "FAULT"])} if rng.random() < 0.6 else {})}

    path = {"from": point("start"), "passes": point("exit"), "before": point("exit")}
    return {
        "invariant": "IV_DRAWN_V0", "summary": "x", "applies_to": {"workflows": [body.code]}, "every_path": path,
        "never": rng.random() < 0.4, "exits": "all",
    }  # fmt: skip


def met(point: Point, moment: Moment) -> bool:
    """Tell whether a moment is what a point means."""
    what, node, use, outcome = moment
    if isinstance(point, str):
        return what == point
    wanted = node == point["node"] if "node" in point else use == point["use"]
    return wanted and (what == "left" and outcome == point["outcome"] if "outcome" in point else what == "reached")


def kept(law: dict[str, Any], moments: list[Moment]) -> bool:
    """Tell whether a run keeps a law: each stretch holds what is to be passed, or nothing that is to be avoided."""
    path, never = law["every_path"], law["never"]
    for first, moment in enumerate(moments):
        if met(path["from"], moment):
            later = range(first + 1, len(moments))
            last = next((at for at in later if met(path["before"], moments[at])), None)
            if last is not None:
                passed = any(met(path["passes"], moments[at]) for at in range(first + never, last + 1))
                if passed is never:
                    return False
    return True


def answer(given: dict[str, Any]) -> Any:
    return probe(given["x"])


def test_what_compiles_does_what_it_means() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        rng = Random(seed)
        drawn = bodies(rng)
        top, compilation = drawn[-1], compiled(text_of(drawn), PROBE)
        if compilation.sealed is None:
            seen["refused"] += 1
            continue
        workflow = sealed(compilation, top.code)
        program = linked(workflow, {f"shop::{PROBE}": answer})
        law = drawn_law(rng, top)
        holds = compiled(text_of(drawn, law), PROBE).sealed is not None
        seen["proven" if holds else "broken"] += 1
        origins = orjson.loads(compilation.sealed.files[f"shop/{top.code}.origins.json"])
        foretold = {place["node"] for place in origins["checked"]}
        for payload in payloads(rng, top):
            meaning = Meaning(top, payload)
            run = walk(program, start(), program.gate(orjson.loads(orjson.dumps(payload))))
            events = told_by(run)
            path = [(event["path"], event["outcome"]) for event in events if "path" in event]
            assert (path, run.exit, run.result) == (meaning.path, meaning.exit, meaning.result), (seed, payload)
            assert meaning.visits <= workflow["bounds"]["visits"], seed
            assert not holds or kept(law, meaning.moments), (seed, payload, law)
            seen[run.exit or ""] += 1
            for event in events:
                raised = (
                    event.get("capability") and isinstance(event["inputs"], dict) and event["inputs"].get("x") == 16
                )
                if event.get("outcome") == "FAULT" and not raised:
                    seen["fault"] += 1
                    assert re.sub(r"\[\d+\]", "[]", event["path"]) in foretold, (seed, event)
    assert seen["refused"] < SEEDS * 2 / 3
    for what, share in (("proven", 13), ("broken", 13), ("fault", 13), ("failed", 13), ("alpha", 5)):
        assert seen[what] >= SEEDS / share, seen
