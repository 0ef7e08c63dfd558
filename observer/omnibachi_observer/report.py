"""The report of an examination: plain data, and how it is said as JSON and on a terminal."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import pretty
from omnibachi_model.sealed import EXTERNAL
from omnibachi_model.waits import ACCEPTED

from .words import Prose, ends, shorten, spoken, visible

SCHEMA = "omnibachi.examine/1"
WIDTH = 92
LONGEST_RESULT = 2_000
MOST_SHOWN = 200  # of steps and of effects on a terminal


@dataclass(slots=True)
class Report:
    """What a record tells.

    `verdict` is BROKEN, INTACT or ANCHORED, with the line and reason of a break. `path` has one mapping for each
    step (`step`, `node`, `capability`, `effect`, `outcome`, `why`, `then`, `file`, `line`, `column`, `place`),
    `changed` and `unchanged` one for each effect that wrote, or was asked to and did not (`receipt`, `node`,
    `store`, `operation`, `effect`, `what`). `failed` (`node`, `reason`, `code`, `fault`, `what`, `place`, `remedy`)
    or None; where the record itself does not hold, its `fault` is `record` and its `place` a line of the record.
    `decided` (`node`, `outcome`, `row`, `because`, `why`, `place`) where the protocol's own decision led elsewhere
    than to COMPLETED, which is nobody's fault. `cancelled` (`at`, `by`, `because`) says who cancelled the run.
    `resumed` counts how often the run was taken up again, and `resumptions` tells each time (`after`: how many
    steps stood then, `node`: the last one's, `at`, `program`, `host`, `seal`, `accepted`, `what`). `waiting` says
    for whom a run waits that has not ended, `statements` what people handed in, refused or not, as far as a journal
    tells (`number`, `path`, `at`, `key`, `verdict`, `decision`, `because`).
    """

    verdict: str
    line: int | None
    reason: str | None
    summary: str
    finished: bool = False
    events: int = 0
    resumed: int = 0
    resumptions: list[dict[str, Any]] = field(default_factory=list)
    trace_id: str | None = None
    digest: str | None = None
    workflow: str | None = None
    workflow_digest: str | None = None
    seal: str | None = None
    started_at: str | None = None
    exit: str | None = None
    status: str | None = None
    result: Any = None
    path: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    unchanged: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[str, Any] | None = None
    decided: dict[str, Any] | None = None
    cancelled: dict[str, Any] | None = None
    waiting: dict[str, Any] | None = None
    statements: list[dict[str, Any]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report in the shape of `examine --json`."""
        names = [name for name in self.__slots__ if name != "diagnostics"]
        found = {name: getattr(self, name) for name in names}
        return {"schema": SCHEMA, **found, "diagnostics": [item.as_json() for item in self.diagnostics]}

    def as_text(self) -> str:
        """Return the report for a terminal: plain text, wrapped, without colour."""
        out = [_wrap(f"{self.summary}."), *self._record(), "", "The path"]
        out += self._again(0)
        first, left_out, last = ends(self.path, MOST_SHOWN)
        for step in first:
            out += [*_step(step), *self._again(step["step"])]
        out += [f"  … {left_out} more steps stand in the record"] if left_out else []
        out += self._again(*range(len(first) + 1, len(first) + left_out + 1))
        for step in last:
            out += [*_step(step), *self._again(step["step"])]
        if not self.path:
            out.append("  no node ran")
        if self.statements:
            out += ["", "What people said", *_shown([_statement(item) for item in self.statements])]
        out += ["", "What changed", *self._changes()]
        if self.failed is not None:
            out += ["", "What failed", *_failed(self.failed)]
        elif self.decided is not None:
            out += ["", "Why it did not complete", *_decided(self.decided)]
        if self.finished and self.result != {}:
            out += ["", "Result", *_indented(shorten(visible(pretty(self.result).decode().rstrip()), LONGEST_RESULT))]
        notes = [item for item in self.diagnostics if item.severity != "note"]
        # What failed was said above, and advice below.
        told = self.failed["code"] if self.failed is not None else None
        noted = [_note(item, self.advice) for item in notes if item.code != told]
        if noted:
            out += ["", "Notes", *(_wrap(note, "  ") for note in noted)]
        if self.advice:
            out += ["", "What to do", *(_wrap(advice, "  - ", "    ") for advice in self.advice)]
        return "\n".join(out) + "\n"

    def _record(self) -> list[str]:
        state = "finished" if self.finished else "without an end"
        count = f"{self.events} event{'' if self.events == 1 else 's'}"
        again = {0: "", 1: ", resumed once"}.get(self.resumed, f", resumed {self.resumed} times")
        told = f"Record: {self.verdict}, {count}, {state}{again}"
        if self.verdict == "BROKEN":
            told = f"Record: BROKEN at line {self.line}: {self.reason}; what is told here stands before that line"
        lines = [_wrap(told, "", "  ")]
        facts = (
            ("run", self.trace_id), ("started", self.started_at), ("workflow", self.workflow),
            ("workflow digest", self.workflow_digest), ("digest", self.digest), ("seal", self.seal),
        )  # fmt: skip
        return lines + [f"  {label}: {visible(str(found))}" for label, found in facts if found]

    def _again(self, *after: int) -> list[str]:
        return [_wrap(item["what"], "      -- ", "         ") for item in self.resumptions if item["after"] in after]

    def _changes(self) -> list[str]:
        lines = _shown(
            [
                f"{_effect(item)} {item['what']}"
                if item["effect"] == EXTERNAL
                else f"{_effect(item)} wrote to {item['store'] or 'its store'}: {item['what']}"
                for item in self.changed
            ]
        )
        lines += _shown(
            [f"{_effect(item)} answered {item['outcome']}: nothing new was written" for item in self.unchanged]
        )
        return lines if self.changed else ["  nothing", *lines]


def _statement(item: dict[str, Any]) -> str:
    refused = "" if item["verdict"] == ACCEPTED else f", refused ({item['verdict']})"
    because = spoken([", because ", Prose(item["because"])]) if item["because"] else ""
    who = visible(str(item["key"] or "nobody known"))
    decision = visible(str(item["decision"] or "nothing that can be read"))
    return f"{item['at']}: {who} said {decision}{because}{refused}"


def _shown(effects: list[str]) -> list[str]:
    first, left_out, last = ends(effects, MOST_SHOWN)
    gap = [f"  … {left_out} more stand in the record"] if left_out else []
    return [*(_wrap(told, "  ", "    ") for told in first), *gap, *(_wrap(told, "  ", "    ") for told in last)]


def _note(item: Diagnostic, advice: list[str]) -> str:
    place = f", at {visible(repr(item.span))}" if item.span else ""
    help = f"; {item.help}" if item.help and item.help not in advice else ""
    return f"{item.severity}[{item.code}]: {item.message}{place}{help}"


def _effect(item: dict[str, Any]) -> str:
    number = "no receipt" if item["receipt"] is None else f"receipt {item['receipt']}"
    return f"{number}: {item['node']} ({item['operation']})"


def _step(step: dict[str, Any]) -> list[str]:
    head = f"  {step['step']:>2}. "
    indent = " " * len(head)
    then = f", so the run {'ended at' if step['last'] else 'went on to'} `{step['then']}`" if step["then"] else ""
    lines = [_wrap(f"`{step['node']}` {step['outcome']}: {step['why']}{then}", head, indent)]
    return [*lines, f"{indent}at {visible(step['place'])}"] if step["place"] else lines


def _failed(failed: dict[str, Any]) -> list[str]:
    nowhere = "" if failed["fault"] == "record" else "at the gate: "
    where = f"at `{failed['node']}`: " if failed["node"] else nowhere
    code = f" ({failed['code']})" if failed["code"] else ""
    lines = [_wrap(f"{where}{failed['what']}{code}", "  "), f"  fault: {failed['fault']}"]
    return [*lines, f"  place: {visible(failed['place'])}"] if failed["place"] else lines


def _decided(decided: dict[str, Any]) -> list[str]:
    lines = [_wrap(f"nobody's fault: the protocol decided so at `{decided['node']}`: {decided['why']}", "  ")]
    return [*lines, f"  place: {visible(decided['place'])}"] if decided["place"] else lines


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _wrap(text: str, first: str = "", rest: str | None = None) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=first if rest is None else rest,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
