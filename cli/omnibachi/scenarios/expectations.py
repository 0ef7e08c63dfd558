"""What a step expects against what happened: a finding (OB743) for each difference, at the line that expects it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omnibachi.engine import Engine
from omnibachi.mishaps import shown
from omnibachi.results import RunResult
from omnibachi.wiring import plain
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.digests import decode
from omnibachi_model.nearest import nearest
from omnibachi_model.record import CALLED

from .matching import differences, mistakes
from .stage import Stage


def unmet(
    number: int, expect: Any, result: RunResult, engine: Engine, stage: Stage, domain: str
) -> Iterator[Diagnostic]:
    """Yield what step `number` expects (a tree) and did not get."""
    for entry in expect.entries if expect else ():
        span, wanted = entry.key_span, plain(entry.value)
        if entry.key in ("exit", "status"):
            got = getattr(result, entry.key)
            if got != wanted:
                message = f"step {number}: the {entry.key} is `{got}`, expected `{wanted}`"
                if result.waiting is not None:
                    at = result.waiting["path"]
                    message = f"step {number}: the run waits at `{at}`, expected the {entry.key} `{wanted}`"
                yield Diagnostic("OB743", message, span, help=_went(result))
        elif entry.key == "waiting":
            at = result.waiting["path"] if result.waiting is not None else None
            if at != wanted:
                where = "waits for nobody" if at is None else f"waits at `{at}`"
                message = f"step {number}: the run {where}, expected to wait at `{wanted}`"
                yield Diagnostic("OB743", message, span, help=_went(result))
        elif entry.key == "path":
            path = [f"{step.node} {step.outcome}" for step in result.path]
            if path != wanted:
                message = f"step {number}: the path is {shown(path)}, expected {shown(wanted)}"
                yield Diagnostic("OB743", message, span)
        elif entry.key == "result":
            yield from _compared(f"step {number}: in the result, ", wanted, result.result, span)
        elif entry.key == "asked":
            yield from _asked(number, entry.value, result)
        elif entry.key == "stores":
            yield from _stores(number, entry.value, engine, stage, domain)


def misspelt(expect: Any) -> Iterator[Diagnostic]:
    """Yield what is wrong with an expectation itself, before anything runs."""
    for entry in expect.entries if expect else ():
        for mistake in mistakes(plain(entry.value)):
            yield Diagnostic("OB743", mistake, entry.key_span)


def _asked(number: int, tree: Any, result: RunResult) -> Iterator[Diagnostic]:
    """Compare what calls were given, as it is recorded: what a forced answer hides, and what would leave the house."""
    bodies = [decode(body) for _, body, _ in result.events]
    given = {body["path"]: body["inputs"] for body in bodies if body["kind"] == CALLED}
    for entry in tree.entries:
        if entry.key not in given:
            near = nearest(entry.key, given)
            help = f"did you mean `{near}`?" if near else _went(result)
            yield Diagnostic("OB743", f"step {number}: `{entry.key}` was not called", entry.key_span, help=help)
            continue
        where = f"step {number}: in what `{entry.key}` was given, "
        yield from _compared(where, plain(entry.value), given[entry.key], entry.key_span)


def _stores(number: int, tree: Any, engine: Engine, stage: Stage, domain: str) -> Iterator[Diagnostic]:
    for entry in tree.entries:
        address = stage.store(entry.key, domain, entry.key_span)
        if isinstance(address, Diagnostic):
            yield address
            continue
        wanted: Any = plain(entry.value)
        records = engine.ledger.records(address, stage.library.stores[address].keeps)
        if "count" in wanted and len(records) != wanted["count"]:
            message = f"step {number}: `{address}` holds {len(records)} records, expected {wanted['count']}"
            yield Diagnostic("OB743", message, entry.key_span)
        if "records" in wanted:
            where = f"step {number}: among the records of `{address}`, "
            yield from _compared(where, wanted["records"], records, entry.key_span)


def _compared(where: str, wanted: Any, got: Any, span: Span) -> Iterator[Diagnostic]:
    for difference in differences(wanted, got):
        yield Diagnostic("OB743", where + difference, span)


def _went(result: RunResult) -> str:
    """Say what the run did, so that nobody has to run it again to see it."""
    path = ", ".join(f"{step.node} {step.outcome}" for step in result.path) or "no node ran"
    said = "; ".join(item.message for item in result.diagnostics)
    return f"the run took: {path}" + (f"; {said}" if said else "")
