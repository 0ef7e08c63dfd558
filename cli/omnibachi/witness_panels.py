"""The panels of a witness: for each story what the ledger holds, how the observer shows it, and which signals stand.

What a server said is text, never markup: it is cut, its control characters are made visible, and rich gets it as
`Text`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from omnibachi_model.decisions import DECISION, INTENT

from .terminal import visible
from .witnessing import FAILED, REFUSED, WORKED, Story

LONGEST, LONGEST_WORDS = 200, 72  # characters of one value that a server said, and of what was said to it
MOST_SIGNALS = 20
COLOURS = {WORKED: "green", FAILED: "yellow", REFUSED: "magenta"}
SEVERITIES = {"critical": "red", "warn": "yellow", "info": "cyan"}


def drawn(stories: Iterable[Story], *, width: int, colour: bool, plain: bool = False) -> str:
    """Draw the panels of stories, so many columns wide; `plain` where only ASCII can be shown."""
    page = io.StringIO()
    console = Console(
        file=page, width=max(width, 40), force_terminal=colour, color_system="standard" if colour else None,
        markup=False, highlight=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    edges = box.ASCII if plain else box.ROUNDED
    for story in stories:
        console.print(_headline(story))
        for title, lines in (
            ("ledger", _ledger(story)), ("projection", _projection(story)), ("signals", _signals(story)),
        ):  # fmt: skip
            console.print(Panel(Group(*lines), title=Text(title), title_align="left", box=edges))
        console.print()
    return page.getvalue().rstrip("\n") + "\n" if page.tell() else ""


def shown(value: Any) -> str:
    """Return what a server said as one line of text that a terminal shows and does not obey."""
    text = visible(value if isinstance(value, str) else "-" if value is None else str(value))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _line(*parts: tuple[Any, str] | str) -> Text:
    line = Text()
    for part in parts:
        line.append(part) if isinstance(part, str) else line.append(shown(part[0]), part[1])
    return line


def _headline(story: Story) -> Text:
    judged = story.judged
    verdict = "as announced" if story.as_announced else f"announced was: {story.scenario.announced}"
    why = f" ({shown(judged.because)})" if judged.because else ""
    kind = (judged.kind, f"bold {COLOURS.get(judged.kind, 'red')}")
    return _line((story.scenario.name, "bold"), ": ", kind, f"{why}, {verdict}")


def _ledger(story: Story) -> list[Text]:
    if story.refusal is not None:
        said = story.refusal
        return [_line("nothing: ", (said.get("reason_code"), "red"), ", ", (said.get("detail"), ""))]
    return [_event(event) for event in story.events] or [Text("nothing")]


def _event(event: Any) -> Text:
    if not isinstance(event, dict) or not isinstance(event.get("payload"), dict):
        return _line((event, "red"))
    kind, payload = event.get("kind"), event["payload"]
    head = ((event.get("index"), "dim"), "  ", (kind, "bold"), " " * max(1, 11 - len(shown(kind))))
    if kind == INTENT:
        return _line(*head, (event.get("actor"), ""), ": ", (_quoted(payload.get("message")), "italic"))
    if kind == DECISION:
        codes = payload.get("reason_codes")
        why = ", ".join(str(code) for code in codes) if isinstance(codes, list) else codes
        return _line(*head, (payload.get("result"), "bold"), " ", (why, ""), ", says ", (payload.get("policy_id"), ""))
    error = payload.get("error")
    who = ("  by ", (payload.get("provider"), ""), " ", (payload.get("model_id"), ""))
    if isinstance(error, dict):
        told = ((error.get("code"), "yellow"), " of the ", (error.get("responsibility"), ""), ": ")
        return _line(*head, *told, (error.get("message"), ""), *who)
    return _line(*head, ("ok", "green"), ": ", (_quoted(payload.get("output_text")), "italic"), *who)


def _quoted(value: Any) -> str:
    text = f'"{value}"'
    return text if len(text) <= LONGEST_WORDS else text[: LONGEST_WORDS - 2] + '…"'


def _projection(story: Story) -> list[Text]:
    if story.projection is None:
        return [_unobserved(story)]
    thread, turns = _object(story.projection.get("thread")), story.projection.get("turns")
    counts = " ".join(f"{name}={shown(thread.get(name))}" for name in TOTALS)
    lines = [_line("thread ", (thread.get("thread_id"), "bold")), Text(counts)]
    for turn in turns[:MOST_SIGNALS] if isinstance(turns, list) else ():
        lines.append(_turn(_object(turn)))
    return [*lines, *(Text(shown(item), "red") for item in story.differs)]


TOTALS = ("turns_total", "allow_total", "deny_total", "execution_ok_total", "execution_error_total", "pending_total")


def _turn(turn: Mapping[str, Any]) -> Text:
    ended = turn.get("error_code") if turn.get("has_errors") else "ok" if turn.get("has_execution") else None
    latency = turn.get("latency_ms")
    late = f", {shown(latency)} ms" if latency is not None else ""
    return _line(
        "turn ", (turn.get("turn_id"), "bold"), ": ", (turn.get("decision_result"), ""),
        *((", execution ", (ended, ""), late) if ended is not None else (", no execution",)),
    )  # fmt: skip


def _signals(story: Story) -> Sequence[Text]:
    if story.signals is None:
        return [_unobserved(story)]
    lines = []
    for signal in story.signals[:MOST_SIGNALS]:
        said = _object(signal)
        severity = said.get("severity")
        how = SEVERITIES.get(severity, "") if isinstance(severity, str) else ""
        lines.append(_line((severity, how), " ", (said.get("id"), "bold"), ": ", (said.get("title"), "")))
    if len(story.signals) > MOST_SIGNALS:
        lines.append(Text(f"and {len(story.signals) - MOST_SIGNALS} more"))
    return lines or [Text("none")]


def _unobserved(story: Story) -> Text:
    return _line("no observer: ", (story.unobserved, "")) if story.unobserved else Text("nothing")


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
