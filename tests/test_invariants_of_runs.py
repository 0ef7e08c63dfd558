"""What is proven of paths, seen on runs: a law that the compiler lets pass is kept by every run that is tried.

The runs are those of drawn loops around a transform or a contract. Their moments are read from the record alone, and a
law is judged on them word for word as docs/language.md says it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handmade import bodies
from looping import OUTCOMES, Round, compiled, payloads, played, rounds
from omnibachi_model.checks import link
from omnibachi_runtime.walk import Walk
from thoroughness import many

Point = str | dict[str, str | list[str]]
Moment = tuple[str, ...]
LAWS = 8
EXAMPLES = many(20, 600)
LOOP = ("SUCCESS", "PARTIAL", "FAILED", "OVERFLOW", "EXHAUSTED", "LOST", "FAULT")
STATUS = {"done": "COMPLETED", "failed": "FAILED"}
WORDS: tuple[Point, ...] = ("exit", {"exit": "done"}, {"exit": "failed"}, {"status": "COMPLETED"}, {"effect": "PURE"})
POINTS = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(("loop", "loop[]", "loop[]/step")).map(lambda name: {"node": name}),
    st.sampled_from(LOOP).map(lambda outcome: {"node": "loop", "outcome": outcome}),
    st.sampled_from((*OUTCOMES, "FAULT")).flatmap(
        lambda outcome: st.sampled_from(
            ({"node": "loop[]", "outcome": outcome}, {"use": "CT_STEP_V0", "outcome": outcome})
        )
    ),
    st.sampled_from(("outcome", "except")).flatmap(
        lambda key: st.lists(st.sampled_from((*OUTCOMES, "FAULT")), min_size=1, max_size=2, unique=True).map(
            lambda outcomes: {"node": ["loop", "loop[]"], key: outcomes}
        )
    ),
    st.sampled_from(({"status": ["COMPLETED", "FAILED"], "except": "done"}, {"exit": ["done", "failed"]})),
)


@st.composite
def laws(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an invariant, as its document."""
    source = draw(st.one_of(st.just("start"), POINTS))
    path = {"from": source, "passes": draw(POINTS), "before": draw(POINTS)}
    more = {"never": True} if draw(st.booleans()) else {}
    more |= {"exits": "all"} if draw(st.booleans()) else {}
    return {"summary": "x", "applies_to": "all", "every_path": path, **more}


def moments(ended: Walk) -> list[Moment]:
    """Return the moments of a run of one loop, as its record tells them."""
    found: list[Moment] = [("start",), ("reached", "loop")]
    told = False
    for body in bodies(ended):
        path = body.get("path", "")
        if path == "loop":
            found.append(("left", "loop", body["outcome"]))
            told = True
            continue
        called = re.fullmatch(r"loop\[\d+\](/step)?", path)
        if called is None:
            continue
        names = ["loop[]", "loop[]/step"] if called[1] else ["loop[]"]
        found += [("reached", name) for name in names]
        found += [("left", name, body["outcome"]) for name in reversed(names)]
    if not told:
        found.append(("left", "loop", "FAULT"))
    return [*found, ("ended", str(ended.exit))]


def meant(point: Point, moment: Moment, call: str) -> bool:
    """Tell whether a moment is what a point names; `call` is the node that calls the transform."""
    if isinstance(point, str):
        return moment[0] == ("ended" if point == "exit" else point)
    if moment[0] == "ended":
        status = STATUS[moment[1]] in some(point, "status") and moment[1] not in some(point, "except")
        return moment[1] in some(point, "exit") or status
    nodes = [call] if "use" in point or "effect" in point else some(point, "node")
    if moment[0] == "start" or moment[1] not in nodes:
        return False
    if "outcome" not in point and "except" not in point:
        return moment[0] == "reached"
    named = moment[-1] in some(point, "outcome") if "outcome" in point else moment[-1] not in some(point, "except")
    return named and len(moment) == 3


def some(point: dict[str, str | list[str]], key: str) -> list[str]:
    """Return what stands under a key of a point, as a list."""
    found = point.get(key, [])
    return [found] if isinstance(found, str) else found


def judged(law: dict[str, Any], row: list[Moment], call: str) -> str:
    """Return `kept`, `broken`, or `silent` where a run has no stretch of a law, or ends where it does not count."""
    if STATUS[row[-1][1]] == "FAILED" and "exits" not in law:
        return "silent"
    path, never, found = law["every_path"], "never" in law, "silent"
    for first, moment in enumerate(row):
        if not meant(path["from"], moment, call):
            continue
        last = next((at for at in range(first + 1, len(row)) if meant(path["before"], row[at], call)), None)
        if last is None:
            continue
        stretch = row[first + 1 if never else first : last + 1]
        if any(meant(path["passes"], item, call) for item in stretch) == never:
            return "broken"
        found = "kept"
    return found


def test_a_law_that_compiles_is_kept_by_runs() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(rounds(), st.lists(laws(), min_size=LAWS, max_size=LAWS), st.data())
    def proven(made: Round, drawn: list[dict[str, Any]], data: st.DataObject) -> None:
        plain = compiled(made.text, "CT_STEP_V0")
        if plain.sealed is None or not made.answers:
            return
        named = {f"IV_L{at}_V0": law for at, law in enumerate(drawn)}
        text = "\n---\n".join(json.dumps({"invariant": name, **law}) for name, law in named.items())
        found = compiled(f"{made.text}---\n{text}\n", "CT_STEP_V0").diagnostics
        # A document stands on one line: the lines with errors are the laws that are broken, or name what is not there.
        lines = {item.span.line for item in found if item.span and item.severity == "error"}
        first = made.text.count("\n") + 4  # after `domain:` and two separators
        wrong = {name for at, name in enumerate(named) if first + 2 * at in lines}
        assert len(wrong) == len(lines)
        call = "loop[]/step" if "CC_STEP_V0" in made.text else "loop[]"
        check = link(made.payload)
        for _ in range(3):
            payload = data.draw(payloads(made.payload))
            if check(payload):
                continue
            ended = played(made, plain, payload)
            row = moments(ended)
            if any(mishap.node not in ("loop", "loop[]", call) and "[" not in mishap.node for mishap in ended.mishaps):
                continue
            for name, law in named.items():
                run = judged(law, row, call)
                seen[f"{'wrong' if name in wrong else 'holds'} {run}"] += 1
                assert run != "broken" or name in wrong, (name, law, row)

    proven()
    assert seen["holds kept"] >= EXAMPLES and seen["wrong broken"] >= EXAMPLES / 6, seen
