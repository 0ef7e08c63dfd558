"""What a step does, and why it ended as it did: one sentence each, in parts.

A decision is explained by the row that won: its condition as the author wrote it, the values that it saw, and its
`because`. A loop is explained by how its iterations ended, a call by what it answered, a wait
by who said what, a fault by what broke.
"""

from __future__ import annotations

from collections import Counter

from omnibachi_model import faults
from omnibachi_model.addresses import split
from omnibachi_model.record import CALLED, DECIDED, WAITED
from omnibachi_model.sealed import ALL, EACH, LOOPS, PASS, REPEAT, SUCCESS, TIMEOUT

from .expression_text import expression, json, names
from .waiting import waits_for, who_said
from .words import Code, Prose, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .story import Step
    from .words import Words

FAULTS = {
    faults.MISSING_INPUT: "a value that it reads was not there",
    faults.INPUT_MISFIT: "an input does not fit what it asks for",
    faults.INPUT_CHANGED: "its code changed its inputs, which are read-only",
    faults.RAISED: "its code raised an exception",
    faults.UNDECLARED_OUTCOME: "its code answered with an outcome that it does not declare",
    faults.OUTPUT_MISFIT: "its output breaks its own declaration",
    faults.EXPRESSION: "an expression could not be evaluated",
    faults.OUTPUT_TOO_LARGE: "it gives more than a loop may",
    faults.SECRET_MISSING: "no variable of the environment gave it the secret that it needs",
    faults.SECRET_SHOWN: "its answer showed a secret that it was given, so the answer was not kept",
}

DOES = {EACH: "does for each item", REPEAT: "does again and again", ALL: "asks all", PASS: "takes what it is given"}
OVERFLOW, EXHAUSTED = "OVERFLOW", "EXHAUSTED"


def does(step: Step) -> Words:
    """Say what the node does: the capability and its effect class, or that it decides or computes."""
    if step.kind == CALLED:
        out: Words = ["calls ", Code(step.capability or "?"), f" ({step.effect})"]
        store, event = step.sealed.get("store"), step.sealed.get("event")
        if isinstance(event, str):
            out += [" with event ", Code(event)]
        if isinstance(store, str):
            out += [" on ", Code(store)]
        return out
    if step.kind == WAITED:
        return waits_for(step.sealed) if step.sealed else ["waits for people"]
    loop = DOES.get(str(step.sealed.get("kind")))
    if loop is not None:
        return [loop]
    return ["decides"] if step.kind == DECIDED else ["computes"]


def why(step: Step) -> Words:
    """Say why the node ended in its outcome; a clause without a final stop."""
    if step.faulted:
        return _fault(step)
    if step.kind == CALLED:
        return _answer(step)
    if step.kind == DECIDED:
        return _decision(step)
    if step.kind == WAITED:
        return who_said(step)
    if step.sealed.get("kind") in LOOPS:
        return _loop(step)
    if step.sealed.get("kind") == PASS:
        return ["what it was given does not fit: ", *violations(step.output.get("violations"))]
    return _computation(step)


def then(step: Step) -> Words:
    """Say where the run went after a step; nothing where the record does not tell."""
    if step.target is None:
        return []
    return [", so the run ", "ended at " if step.last else "went on to ", Code(step.target)]


def _answer(step: Step) -> Words:
    out: Words = [Code(split(step.capability or "?")[1])]
    deadline = step.sealed.get("deadline_ms")
    if step.outcome == TIMEOUT and type(deadline) is int:
        out.append(f" did not answer within {deadline} ms")
    else:
        out += [" answered ", Code(step.outcome)]
    if step.output:
        out += [" with ", *_pairs(step.output)]
    if step.attempts > 1:
        out.append(f", asked {step.attempts} times")
    return out


def _pairs(values: dict[str, Any], most: int = 6) -> Words:
    out: Words = []
    for index, (name, found) in enumerate(list(values.items())[:most]):
        out += [", " if index else "", Code(f"{name} = {value(found)}")]
    if len(values) > most:
        out.append(f" and {len(values) - most} more")
    return out


def _decision(step: Step) -> Words:
    rows, row = step.sealed.get("rows"), step.row
    out: Words = []
    if row is None or not isinstance(rows, list) or row >= len(rows):
        out.append(f"row {'?' if row is None else row + 1} decided")
    else:
        when = rows[row].get("when")
        if when is not None:
            out += [f"row {row + 1} holds: ", Code(expression(when))]
            saw = {name: step.inputs[name] for name in names(when) if name in step.inputs}
            out += [" with ", *_pairs(saw)] if saw else []
        elif row == 0:
            out.append("row 1 always holds")
        else:
            before = {1: "row 1 does not hold", 2: "rows 1 and 2 do not hold"}.get(row, f"rows 1 to {row} do not hold")
            out.append(f"row {row + 1} is for everything else: {before}")
            saw = _seen(rows[:row], step.inputs)
            out += [" with ", *_pairs(saw)] if saw else []
    if step.because is not None:
        out += [", because ", Prose(step.because)]
    return out


def _seen(rows: list[Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs that the conditions of these rows read, in the order in which they read them."""
    order = {name: None for row in rows for name in names(row.get("when"))}
    return {name: inputs[name] for name in order if name in inputs}


def _computation(step: Step) -> Words:
    fields = step.sealed.get("fields")
    fields = fields if isinstance(fields, dict) else {}
    out: Words = []
    for index, (name, found) in enumerate(step.output.items()):
        text = f"{name} = {expression(fields[name])} = " if name in fields else f"{name} = "
        out += [", " if index else "", Code(f"{text}{value(found)}")]
    if out and step.inputs:
        out += [" with ", *_pairs(step.inputs)]
    return out or ["nothing was to be computed"]


def _loop(step: Step) -> Words:
    """Say how often a loop did what it does, and how its iterations ended."""
    kind, count = step.sealed.get("kind"), step.inputs.get("count")
    if kind == REPEAT:
        until = Code(expression(step.sealed.get("until")))
        if step.outcome == EXHAUSTED:
            return [f"after {count} times ", until, " still does not hold"]
        times = f"{count} time{'' if count == 1 else 's'}"
        return ["after ", times, " ", until, " holds"] if step.outcome == SUCCESS else [
            "time ", str(count), " ended in ", Code(step.outcome),
        ]  # fmt: skip
    if step.outcome == OVERFLOW:
        return [f"there are {count} items, and at most {step.sealed.get('max')} may be"]
    items = step.output.get("items") if kind == EACH else list(step.output.values())
    ended = Counter(str(item.get("outcome")) for item in items or () if isinstance(item, dict))
    if not ended:
        return ["there are no items"]
    out: Words = []
    for outcome, many in sorted(ended.items()):
        out += [", " if out else "", f"{many} of {sum(ended.values())} ended in ", Code(outcome)]
    return out


def _fault(step: Step) -> Words:
    reason = str(step.fault.get("reason", "unknown"))
    out: Words = [FAULTS.get(reason, reason)]
    if isinstance(step.fault.get("reference"), str):
        out += [": ", Code(step.fault["reference"])]
    if isinstance(step.fault.get("secret"), str):
        out += [": ", Code(step.fault["secret"])]
    if isinstance(step.fault.get("exception"), str):
        out += [": ", Code(step.fault["exception"])]
    if isinstance(step.fault.get("frame"), str):
        out += [" at ", Code(step.fault["frame"])]
    broken = violations(step.fault.get("violations"))
    if broken:
        out += [": ", *broken]
    if isinstance(step.fault.get("detail"), str):
        out += [" (", Prose(step.fault["detail"]), ")"]
    return out


def violations(found: Any, most: int = 12) -> Words:
    """Say a list of `{pointer, keyword}`: which rule each place breaks."""
    if not isinstance(found, list):
        return []
    out: Words = []
    for index, item in enumerate(found[:most]):
        pointer, keyword = (item.get("pointer"), item.get("keyword")) if isinstance(item, dict) else ("?", "?")
        out += ["; " if index else "", *violation(pointer, keyword)]
    if len(found) > most:
        out.append(f"; and {len(found) - most} more")
    return out


RULES = {
    "required": "is missing",
    "additionalProperties": "is not known",
    "type": "has the wrong type",
    "enum": "is none of the allowed values",
    "const": "is not the one allowed value",
    "minimum": "is too small",
    "exclusiveMinimum": "is too small",
    "maximum": "is too large",
    "exclusiveMaximum": "is too large",
    "minLength": "is too short",
    "maxLength": "is too long",
    "minItems": "has too few items",
    "maxItems": "has too many items",
    "pattern": "does not have the asked-for form",
    "format": "does not have the asked-for format",
    "canonical": "holds a value that no record can hold",
}


def violation(pointer: Any, keyword: Any) -> Words:
    """Say one violation: the place as a JSON Pointer and which rule it breaks."""
    place = pointer if isinstance(pointer, str) else json(pointer)
    rule = RULES.get(str(keyword))
    said: Words = [f" {rule} (", Code(str(keyword)), ")"] if rule else [" breaks ", Code(str(keyword))]
    return [Code(place) if place else "the whole value", *said]
