"""The Markdown page: what it says of a run, and that nothing a user sent can break it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from omnibachi_observer.markdown import markdown
from omnibachi_observer.markdown_text import prose
from sealed_runs import (
    SEAL,
    called,
    computed,
    decided,
    finished,
    order,
    order_failed,
    ordered,
    origins,
    record,
    register,
    registered,
    started,
)

HEADINGS = ["What was asked", "The path", "What changed", "Result", "How to check this record"]


def page(data: bytes, workflow: dict[str, Any], **more: Any) -> str:
    return markdown(data, workflow=workflow, **more).decode()


def headings(text: str) -> list[str]:
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]


def section(text: str, name: str) -> str:
    return text.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]


def test_a_registration_tells_everything() -> None:
    text = page(registered(), register(), picture="T1.png")
    assert headings(text) == ["`WF_REGISTER_ACTOR_UNVERIFIED_V0` completed at `registered`", *HEADINGS]
    assert "![The path that was taken](T1.png)" in text
    assert '"email_registration": "actor@example.org"' in section(text, "What was asked")
    path = section(text, "The path")
    assert "| 1 | `actor_id` | calls `std::CT_GENERATE_ID_V0` (PURE) | `SUCCESS` | `register` |" in path
    assert "so the run ended at `registered`" in path
    changed = section(text, "What changed")
    assert "| 1 | `register` | `blockchain::ST_ACTORS_V0` | `CS_REGISTRY_V0.REGISTER` (IDEMPOTENT) | key " in changed
    assert "| 2 | `announce` |" in changed and "appended `blockchain::EV_ACTOR_REGISTERED_V0`" in changed
    assert '"actor_id": "AC_0123456789abcdef"' in section(text, "Result")
    check = section(text, "How to check this record")
    assert "omnibachi verify T1.jsonl" in check and "omnibachi examine T1.jsonl" in check and SEAL in check
    assert "failed" not in text.replace("`failed`", "")


def test_an_effect_that_found_everything_there_changed_nothing() -> None:
    text = page(registered(again=True), register())
    changed = section(text, "What changed")
    assert "| 1 |" not in changed and "| 2 |" in changed
    assert (
        "`register` asked for a change and was answered `ALREADY_EXISTS` (receipt 1): nothing new was written"
        in changed
    )


def test_a_decision_says_its_row_what_it_saw_and_because() -> None:
    path = section(page(ordered(), order()), "The path")
    why = "row 2 holds: `tier == 'standard' && quantity <= 100` with `tier = \"standard\"`, `quantity = 7`"
    assert f"1. `within_tier`: {why}, because “standard tier, within its limit”" in path
    assert "2. `fee`: `total = price * quantity = 35` with `price = 5`, `quantity = 7`" in path


def test_a_denial_is_nobodys_fault() -> None:
    text = page(ordered(700), order())
    assert headings(text)[0] == "`WF_ORDER_V0` was denied at `refused`"
    assert "Nothing changed: the run wrote to no store." in section(text, "What changed")
    why = section(text, "Why it did not complete")
    assert "Nothing failed. `within_tier` decided so: row 3 is for everything else: rows 1 and 2 do not hold" in why
    assert "“quantity is over the limit of the tier”" in why
    assert "## What failed" not in text


def test_a_refused_payload_lists_every_violation() -> None:
    wrong = [{"pointer": "/id", "keyword": "required"}, {"pointer": "/a|b", "keyword": "enum"}]
    data = record(started(order(), {"x": 1}), finished("rejected", "REJECTED", {"violations": wrong}))
    text = page(data, order())
    assert "refused at the gate: no node ran" in section(text, "The path")
    failed = section(text, "What failed")
    assert "`/id` is missing (`required`); `/a|b` is none of the allowed values (`enum`)" in failed
    assert "The fault lies in the payload" in failed and "mend the payload at `/id` and `/a|b`" in failed


def test_a_crash_says_where_and_whose() -> None:
    fault = {"reason": "raised", "exception": "KeyError", "frame": "shop/fees.py:12 fee"}
    data = order_failed(called(order(), "record", {"key": "o1"}, "FAULT", fault=fault))
    text = page(data, order())
    failed = section(text, "What failed")
    assert "At `record`: its code raised an exception: `KeyError` at `shop/fees.py:12 fee`" in failed
    assert "The fault lies in the capability" in failed
    assert "Nothing changed: the run wrote to no store." in section(text, "What changed")


def test_an_unfinished_and_a_broken_record_say_so_first() -> None:
    lines = ordered().splitlines(True)
    unfinished = page(b"".join(lines[:3]), order())
    assert headings(unfinished)[0] == "`WF_ORDER_V0` did not finish: its record stops after `fee`"
    assert "There is none: the record has no end." in section(unfinished, "Result")
    edited = page(b"".join([*lines[:3], lines[3].replace(b"o1", b"o2"), lines[4]]), order())
    assert "**This record does not hold:** line 4" in edited.split("##")[0]
    assert "| 3 |" not in section(edited, "The path")
    assert headings(page(b"\x00", order()))


def test_the_same_record_gives_the_same_page() -> None:
    assert page(ordered(), order()) == page(ordered(), order())


HOSTILE = [
    "`", "``` \n# heading", "|", "a|b`|`c", "<script>alert(1)</script>", "<!-- ", "</td></tr></table>", "\n\n# top\n",
    "](javascript:alert(1))", "![x](y)", "[link](http://example.org)", "http://example.org www.example.org",
    "*bold* _under_ ~~gone~~", "- item\n- item", "1. item", "12) item", "> quote", "\\", "\\`", "&lt;b&gt;",
    "\x1b[31mred", "\u202edesrever", "\u2028\u2029", "    code", "\t", "", " ", "````", "$x$", "---", "===",
    "[^1]: note", "a\r\nb", "\u200b", "{{x}}", "\u0000",
]  # fmt: skip


def hostile(text: str) -> str:
    """Return a page in which a user's text stands at every place where one can."""
    workflow = order()
    workflow["nodes"][0]["rows"][0]["because"] = text
    tale = {**origins(workflow), "summary": text}
    asked = {"id": text, "price": 5, "quantity": 7, "tier": text, text: {text: [text]}}
    fault = {"reason": "raised", "exception": text, "frame": text, "detail": text, "reference": text}
    failing = {**fault, "violations": [{"pointer": text, "keyword": text}]}
    data = record(
        started(workflow, asked),
        decided("within_tier", {"tier": text, "quantity": 7}, "SUCCESS", 0, text),
        computed("fee", {"price": text}, "SUCCESS", {"total": text}),
        called(workflow, "record", {"key": text, "value": {text: text}}, "SUCCESS", {text: text}, receipt=1),
        computed("ordered", {}, "FAULT", fault=failing),
        finished("failed", "FAILED", {text: text}),
    )
    return page(data, workflow, origins=tale, picture="T1.png")


def check_harmless(text: str) -> None:
    shown = hostile(text)
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(shown)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in (*tokens, *inline)}
    assert not kinds & {"html_block", "html_inline", "link_open", "code_block", "hr", "blockquote_open", "s_open"}
    assert [token.attrGet("src") for token in inline if token.type == "image"] == ["T1.png"]
    found = headings(shown)
    assert found[1:] == [*HEADINGS[:3], "What failed", *HEADINGS[3:]]
    assert found[0] == "`WF_ORDER_V0` failed at `failed`"
    tables = [place for place, token in enumerate(tokens) if token.type == "table_open"]
    assert len(tables) == 3
    rows = [token for token in tokens if token.type == "tr_open"]
    assert len(rows) == (1 + 4) + (1 + 1) + (1 + 3)
    cells = [token for token in tokens if token.type in ("td_open", "th_open")]
    assert len(cells) == 5 * 5 + 2 * 5 + 4 * 2
    assert sum(token.type == "list_item_open" for token in tokens) == 4
    assert sum(token.type == "fence" for token in tokens) == 3
    raw = [char for char in shown if char != "\n" and not char.isprintable()]
    assert not [char for char in raw if char < " " or "\x7f" <= char < "\xa0" or "\u200b" <= char <= "\u202e"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text: str) -> None:
    check_harmless(text)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from("`|<>!&[]()#*_~\\\n\r\t -=+.:/1a@{}\u2028"), max_size=12))
def test_no_text_breaks_the_page(text: str) -> None:
    check_harmless(text)


def test_prose_begins_no_link_and_stays_readable() -> None:
    for text in ("see http://example.org", "www.example.org", "ftp://x.y", "a@example.org", "<http://x>"):
        assert not re.search(r"://|www\.|@|<|>", prose(text)), prose(text)
    assert prose("Register an actor. It's new, “so” to say; (once)?") == (
        "Register an actor. It's new, “so” to say; \\(once\\)?"
    )


def test_long_values_are_cut_and_say_so() -> None:
    workflow = order()
    long = "x" * 50_000
    data = record(started(workflow, {"id": long}), computed("fee", {"price": long}, "SUCCESS", {"total": long}))
    text = page(data, workflow)
    assert len(text) < 40_000
    assert "characters more stand in the record" in text and "characters more)" in text


def test_the_run_path_stays_light() -> None:
    heavy = "dataclasses typing pathlib logging subprocess graphviz jsonpath_ng textwrap html"
    code = (
        "import sys; import orjson, hashlib, sqlite3; before = set(sys.modules); import omnibachi_observer.markdown;"
        f"print(sorted((set(sys.modules) - before) & set('{heavy}'.split())))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
