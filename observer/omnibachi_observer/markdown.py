"""One run's record as a page for people: what was asked, the path and why, what changed, how to check it.

Made after the commit, from the record's bytes and the sealed workflow alone, so that the same record always gives the
same page.
"""

from __future__ import annotations

from omnibachi_model.addresses import split
from omnibachi_model.digests import pretty
from omnibachi_model.record import Broken, digest_of, read

from .blame import blame, decided
from .markdown_text import block, prose, row, said, span
from .reasons import does, then, why
from .resumptions import all_taken_up
from .story import Story, add, join
from .waiting import still_waits
from .words import Code, Prose, ends, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .blame import Failure
    from .story import Step
    from .words import Words

LONGEST_BLOCK = 16_000
MOST_ROWS = 400  # of a table or a list: what lies in the middle of a longer one stands in the record alone


def markdown(
    record: bytes,
    *,
    workflow: dict[str, Any],
    origins: dict[str, Any] | None = None,
    picture: str | None = None,
) -> bytes:
    """Write a record as a Markdown page (UTF-8).

    `workflow` and `origins` are the sealed files, `picture` the name of an image beside the page. A record that does
    not hold gives a page of what stands before the break, which says so first.
    """
    story = Story(workflow)
    bodies: list[bytes] = []
    broken: Broken | None = None
    try:
        for event in read(record):
            add(story, event)
            bodies.append(event.body_bytes)
    except Broken as error:
        broken = error
    join(story)
    digest = digest_of(bodies) if story.finished and broken is None else None
    parts = [
        _title(story, origins or {}, broken),
        f"![The path that was taken]({picture})\n" if picture else "",
        _asked(story),
        _path(story),
        _changed(story),
        _failed(story),
        _result(story),
        _check(story, digest),
    ]
    return "\n".join(part for part in parts if part).encode()


def ending(story: Story) -> Words:
    """Say in one sentence which workflow ran and how it ended."""
    address = Code(story.address)
    if not story.finished:
        if story.intended is not None:
            return [address, " did not finish: ", *unanswered(story.intended.body, story.intended.obs)]
        if story.waiting is not None:
            return [address, " waits: ", *still_waits(story.waiting)]
        last = story.steps[-1].node if story.steps else None
        return [address, " did not finish", *([": its record stops after ", Code(last)] if last else [])]
    if story.cancelled is not None:
        return [address, " was cancelled", *_by(story.cancelled)]
    how = {
        "COMPLETED": " completed",
        "REJECTED": " was rejected",
        "DENIED": " was denied",
        "FAILED": " failed",
    }.get(story.status or "", " ended")
    return [address, how, " at ", Code(story.exit or "?")]


def _by(found: dict[str, Any]) -> Words:
    """Say who cancelled a run, when and why."""
    out: Words = [" by ", Code(str(found.get("by")))] if found.get("by") else []
    out += [" at ", Code(str(found.get("at")))] if found.get("at") else []
    return [*out, ", because ", Prose(str(found["because"]))] if found.get("because") else out


def unanswered(body: dict[str, Any], obs: dict[str, Any]) -> Words:
    """Say of an INTENDED without an answer that the call may have left; a clause without a final stop."""
    key = obs.get("key")
    under: Words = [" under the key ", Code(key)] if isinstance(key, str) else []
    return ["the call of ", Code(str(body.get("path", "?"))), " may have left", *under, ", and no answer is recorded"]


def _title(story: Story, origins: dict[str, Any], broken: Broken | None) -> str:
    # A heading is a table of contents' line in many readers: the code alone, the whole address below.
    out = [f"# {said([Code(split(story.address)[1]), *ending(story)[1:]])}\n"]
    if broken is not None:
        reason = f"line {broken.line}: {prose(broken.reason)}"
        out.append(f"**This record does not hold:** {reason}. Only what stands before that line is told here.\n")
    summary = origins.get("summary")
    if isinstance(summary, str) and summary:
        out.append(f"{prose(summary)}\n")
    facts: Words = ["Run ", Code(story.trace_id or "?"), " of ", Code(story.address)]
    for label, found in (("started", story.obs.get("started_at")), ("by", story.obs.get("actor"))):
        if isinstance(found, str):
            facts += [f", {label} ", Code(found)]
    took = story.end_obs.get("took_us")
    if type(took) is int:
        facts.append(f", took {took / 1000:.1f} ms")
    status = f"Status **{prose(story.status)}**. " if story.status else ""
    out.append(f"{status}{said(facts)}.\n")
    return "\n".join(out)


def _asked(story: Story) -> str:
    payload = story.start.get("payload")
    out = ["## What was asked\n", _json(payload, "payload is empty" if payload == {} else None)]
    inputs = story.start.get("run")
    if isinstance(inputs, dict) and inputs:
        pairs: Words = []
        for name, found in inputs.items():
            pairs += [", " if pairs else "", Code(f"$.run.{name}"), " = ", value(found)]
        out.append(f"The workflow also reads {said(pairs)}.\n")
    return "\n".join(out)


def _json(found: Any, empty: str | None = None) -> str:
    if empty is not None:
        return f"The {empty}.\n"
    text = pretty(found).decode().rstrip("\n")
    if len(text) <= LONGEST_BLOCK:
        return block(text, "json")
    cut = block(text[:LONGEST_BLOCK] + "\n…", "text")
    return f"{cut}\n{len(text) - LONGEST_BLOCK} characters more stand in the record.\n"


def _path(story: Story) -> str:
    if story.refused_at_gate:
        return "## The path\n\nThe payload was refused at the gate: no node ran.\n"
    again = "".join(f"{_sentence(words)}\n" for words in all_taken_up(story))
    if not story.steps:
        return f"## The path\n\nNo node ran.\n{again}"
    out = ["## The path\n", *([again] if again else [])]
    out.append("| # | node | does | outcome | then |\n|--:|---|---|---|---|\n")
    first, left_out, last = ends(story.steps, MOST_ROWS)
    gap = row([["…"], [f"{left_out} more steps stand in the record"], [], [], []]) if left_out else ""
    out[-1] += "".join(map(_row, first)) + gap + "".join(map(_row, last))
    out.append("Why each turn:\n")
    gap = f"\n{left_out} more turns stand in the record.\n\n" if left_out else ""
    out.append("".join(map(_turn, first)) + gap + "".join(map(_turn, last)))
    return "\n".join(out)


def _row(step: Step) -> str:
    cells: list[Words] = [[str(step.number)], [Code(step.node)], does(step), [Code(step.outcome)]]
    return row([*cells, [Code(step.target or "…")]])


def _sentence(words: Words) -> str:
    text = said(words)
    return f"{text[:1].upper()}{text[1:]}."


def _turn(step: Step) -> str:
    receipt: Words = [f" (receipt {step.receipt})"] if step.receipt is not None else []
    if step.key is not None:
        receipt += [", under the key ", Code(step.key)]
    return f"{step.number}. {said([Code(step.node), ': ', *why(step), *receipt, *then(step)])}.\n"


def _changed(story: Story) -> str:
    wrote = [step for step in story.steps if step.wrote]
    asked = [step for step in story.steps if step.receipt is not None and not step.wrote]
    out = ["## What changed\n"]
    if wrote:
        table = "| receipt | node | store | operation | what |\n|--:|---|---|---|---|\n"
        first, left_out, last = ends(wrote, MOST_ROWS)
        gap = row([["…"], [f"{left_out} more stand in the record"], [], [], []]) if left_out else ""
        out.append(table + "".join(map(_change, first)) + gap + "".join(map(_change, last)))
    else:
        out.append("Nothing changed: the run wrote to no store.\n" if not asked else "Nothing changed.\n")
    first, left_out, last = ends(asked, MOST_ROWS)
    for step in [*first, *last]:
        words: Words = [Code(step.node), " asked for a change and was answered ", Code(step.outcome)]
        out.append(f"{said([*words, f' (receipt {step.receipt}): nothing new was written'])}.\n")
    out += [f"{left_out} more such answers stand in the record.\n"] if left_out else []
    return "\n".join(out)


def _change(step: Step) -> str:
    store = step.sealed.get("store")
    operation = split(step.capability or "?")[1]
    number = "–" if step.receipt is None else str(step.receipt)
    cells: list[Words] = [[number], [Code(step.node)], [Code(store)] if isinstance(store, str) else ["–"]]
    return row([*cells, [Code(operation), f" ({step.effect})"], what(step)])


def what(step: Step) -> Words:
    """Say what an effect wrote: the event and its record, or the key and its value, as far as its inputs tell."""
    if step.left:
        under: Words = [" under the key ", Code(step.key)] if step.key else []
        unsure = ", and nobody knows whether it was done" if step.unsure else ""
        return ["left the house", *under, f"{unsure}: ", value(step.inputs)]
    event = step.sealed.get("event")
    if isinstance(event, str):
        return ["appended ", Code(event), ": ", value(step.inputs.get("record", step.inputs))]
    if "key" in step.inputs and "value" in step.inputs:
        return ["key ", value(step.inputs["key"]), " = ", value(step.inputs["value"])]
    return ["key ", value(step.inputs["key"])] if step.inputs.keys() == {"key"} else [value(step.inputs)]


def asking(step: Step) -> Words:
    """Say what to ask the other side of a call of which nobody knows whether it was done."""
    key: Words = [" (its key is ", Code(step.key), ")"] if step.key else []
    return ["ask the other side whether ", Code(step.node), " was done", *key, " before it is done again"]


def _failed(story: Story) -> str:
    found = blame(story)
    if story.cancelled is not None:
        unsure = [f"\n{_sentence(asking(step))}\n" for step in story.steps if step.unsure]
        return f"## Why it did not complete\n\n{said(ending(story))}.\n" + "".join(unsure)
    if found is None:
        step = decided(story)
        if step is None:
            return ""
        words: Words = ["Nothing failed. ", Code(step.node), " decided so: ", *why(step)]
        return f"## Why it did not complete\n\n{said(words)}.\n"
    return f"## What failed\n\n{said(failing(found))}.\n\nWhat to do: {said(found.remedy)}.\n"


def failing(found: Failure) -> Words:
    """Say where something failed, what, and whose fault it is."""
    where: Words = ["At ", Code(found.step.node), ": "] if found.step else ["At the gate: "]
    whose = {
        "payload": "The fault lies in the payload",
        "protocol": "The fault lies in the protocol",
        "capability": "The fault lies in the capability",
        "store": "The fault lies with the store",
        "outside": "The fault lies outside the house",
        "environment": "The fault lies in the environment in which it was run",
    }[found.fault]
    return [*where, *found.said, f". {whose}"]


def _result(story: Story) -> str:
    if not story.finished:
        return "## Result\n\nThere is none: the record has no end.\n"
    result = story.end.get("result")
    return "## Result\n\n" + _json(result, "exit gives no result" if result == {} else None)


def _check(story: Story, digest: str | None) -> str:
    name = f"{story.trace_id}.jsonl" if story.trace_id else "RECORD.jsonl"
    seal = story.obs.get("seal") if isinstance(story.obs.get("seal"), str) else None
    table = [("digest of the run", digest), ("digest of the workflow", story.workflow_digest), ("seal", seal)]
    lines = "".join(f"| {label} | {span(found, cell=True)} |\n" for label, found in table if found)
    origin = story.obs.get("origin")
    pinned: Words = ["The snapshot's origin was ", Code(origin), " when it ran. "] if isinstance(origin, str) else []
    closing = "Two runs of one workflow digest have one digest exactly when they were asked the same and were answered "
    return (
        "## How to check this record\n\n"
        "In the folder of this page:\n\n"
        f"{block(f'omnibachi verify {name}{chr(10)}omnibachi examine {name}', 'sh')}\n"
        f"| | |\n|---|---|\n{lines}\n"
        f"{said(pinned)}{closing}the same by every side effect.\n"
    )
