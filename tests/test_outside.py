"""Workflows that leave the house, from the text to the record: runs, resumptions, and what people are told of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from abroad import ASK, ASK_LATE, EACH, LATE, PLAIN, SEND, TRY, lay_abroad
from front_door import Call, call
from neighbours import House
from omnibachi import RunResult, Workspace, examine, render, replay, verify
from omnibachi.compiling import compile_workspace
from omnibachi.foretelling import Foreteller
from omnibachi.outline import outline
from omnibachi.scenarios.runner import run_scenarios
from omnibachi.workspace import shipped_root
from omnibachi_ledger import open_root
from omnibachi_model.digests import encode
from omnibachi_model.record import export

__all__ = ["call"]

LEFT = ["send OUTCOME_UNKNOWN"]


@pytest.fixture(name="house")
def open_house(abroad: tuple[House, Workspace]) -> House:
    abroad[0].forget()
    return abroad[0]


@pytest.fixture(name="here")
def workspace(abroad: tuple[House, Workspace]) -> Workspace:
    return abroad[1]


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Workspace]]:
    with House() as house:
        yield house, lay_abroad(tmp_path_factory.mktemp("abroad"), house)


def steps(result: RunResult) -> list[str]:
    return [f"{step.node} {step.outcome}" for step in result.path]


def run(here: Workspace, house: House, root: Path, workflow: str, target: str, **more: Any) -> RunResult:
    url = target if workflow == PLAIN else house.base + target
    return here.run(workflow, {"url": url, "port": house.port}, data_root=root, **more)


@pytest.mark.parametrize(
    ("workflow", "target", "exit", "asked", "done"),
    [
        (SEND, "/x", "sent", 1, 1), (SEND, "/nothing", "unsure", 1, 1), (SEND, "/before", "unsure", 1, 0),
        (SEND, "/twice", "sent", 1, 1), (SEND, "/garbage", "unsure", 1, 1), (SEND, "/huge", "unsure", 1, 1),
        (TRY, "/after-once", "sent", 2, 1), (TRY, "/before-once", "sent", 2, 1), (LATE, "/late", "late", 3, 1),
        (PLAIN, "/x", "sent", 1, 1), (PLAIN, "/nothing", "unsure", 1, 1), (PLAIN, "/before", "unsure", 1, 0),
        (PLAIN, "/spoilt", "failed", 1, 1), (PLAIN, "crash", "failed", 0, 0), (EACH, "/x", "sent", 2, 2),
        (ASK, "/x", "sent", 1, 1), (ASK, "/before", "not_done", 3, 0), (ASK_LATE, "/never", "late", 1, 1),
    ],
)  # fmt: skip
def test_how_it_ends(
    here: Workspace, house: House, tmp_path: Path, workflow: str, target: str, exit: str, asked: int, done: int
) -> None:
    result = run(here, house, tmp_path, workflow, target)
    assert (result.exit, len(house.asked), len(house.done)) == (exit, asked, done), steps(result)
    assert verify(result.record, data_root=tmp_path).verdict == "ANCHORED"
    again = replay(result.record, here.load())
    assert again.same and again.finished
    keys = {item.headers.get("idempotency-key") for item in house.asked}
    assert len(keys) == (asked if workflow == EACH else min(asked, 1))


def test_nobody_is_asked_who_is_not_declared(here: Workspace, house: House, tmp_path: Path) -> None:
    for url in (f"http://localhost:{house.port}/x", "https://example.org/", "nonsense"):
        assert here.run(SEND, {"url": url}, data_root=tmp_path).exit == "refused"
    gone = here.run(SEND, {"url": "http://127.0.0.1:1/"}, data_root=tmp_path)
    assert (gone.exit, house.asked) == ("not_done", [])


def killed_while_it_asks(here: Workspace, house: House, root: Path, workflow: str, target: str) -> None:
    """Run `T1` in a process that is killed once its request has arrived."""
    child = os.fork()
    if child == 0:
        run(here, house, root, workflow, target, trace_id="T1")
        os._exit(0)
    for _ in range(500):
        if house.asked:
            break
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL and len(house.asked) == 1


def test_with_a_key_it_is_asked_again(here: Workspace, house: House, tmp_path: Path) -> None:
    killed_while_it_asks(here, house, tmp_path, SEND, "/never-once")
    with open_root(str(tmp_path)) as ledger:
        left = examine(ledger.record("T1") or b"", snapshot=here.load(), data_root=tmp_path)
    assert "the call of `send` may have left under the key" in " ".join(left.as_text().split())
    with here.engine(tmp_path) as engine:
        result = engine.resume("T1")
    assert (result.exit, len(house.asked), len(house.done)) == ("sent", 2, 1)
    assert house.asked[0] == house.asked[1]
    house.forget()
    undisturbed = run(here, house, tmp_path / "other", SEND, "/never-once?no")
    assert undisturbed.exit == "sent" and len(house.done) == 1
    assert verify(result.record, data_root=tmp_path).verdict == "ANCHORED"
    kinds = [orjson.loads(line)["body"]["kind"] for line in result.record.splitlines()]
    assert kinds == ["RUN_STARTED", "INTENDED", "RESUMED", "CALLED", "CALLED", "RUN_FINISHED"]
    assert replay(result.record, here.load()).same


def test_without_a_key_nothing_is_asked_twice(here: Workspace, house: House, tmp_path: Path) -> None:
    killed_while_it_asks(here, house, tmp_path, PLAIN, "/never-once")
    with here.engine(tmp_path) as engine:
        result = engine.resume("T1")
    assert (result.exit, steps(result), len(house.asked)) == ("unsure", LEFT, 1)
    told = examine(result.record, snapshot=here.load())
    assert told.failed is not None and told.failed["fault"] == "outside"
    assert "nobody knows whether it was done" in " ".join(told.as_text().split())


def test_a_house_that_is_gone_when_it_is_asked_again(tmp_path: Path) -> None:
    """That nothing left this time says nothing about the first time."""
    with House() as house:
        here = lay_abroad(tmp_path / "w", house)
        killed_while_it_asks(here, house, tmp_path, SEND, "/never-once")
    with here.engine(tmp_path) as engine:
        assert (engine.resume("T1").exit, len(house.done)) == ("unsure", 1)


def test_a_record_without_its_intention_is_broken(here: Workspace, house: House, tmp_path: Path) -> None:
    record = run(here, house, tmp_path, SEND, "/x").record
    lines = [orjson.loads(line) for line in record.splitlines()]

    def judged(chosen: list[dict[str, Any]]) -> Any:
        for number, line in enumerate(chosen, 1):
            line["obs"] = {**line["obs"], "seq": number}
        return verify(export((encode(line["body"]), encode(line["obs"])) for line in chosen))

    assert judged(list(lines)).verdict == "INTACT"
    assert "without being INTENDED" in str(judged([lines[0], *lines[2:]]).reason)
    assert "is not here" in str(judged([*lines[:2], *lines[3:]]).reason)
    other = {**lines[1], "body": {**lines[1]["body"], "path": "other"}}
    assert "is not here" in str(judged([lines[0], other, *lines[2:]]).reason)
    local = {**lines[1], "body": {**lines[1]["body"], "effect": "MUTABLE"}}
    assert "only what leaves the house" in str(judged([lines[0], local, *lines[2:]]).reason)
    keyless = {**lines[1], "obs": {**lines[1]["obs"], "key": "x"}}
    assert "`key` is no digest" in str(judged([lines[0], keyless, *lines[2:]]).reason)
    assert judged(lines[:2]).verdict == "INTACT"  # a run that has not ended
    short = replay(b"\n".join(record.splitlines()[:2]) + b"\n", here.load())
    assert (short.same, short.finished, short.stops_at) == (True, False, "send")


def test_the_page_says_what_left(here: Workspace, house: House, tmp_path: Path) -> None:
    result = run(here, house, tmp_path, SEND, "/nothing")
    page = render(result.record, here.load(), "md")
    assert b"nobody knows whether it was done" in page and b"under the key" in page


def test_a_tried_call_keeps_to_the_hosts_of_its_domain(here: Workspace, house: House, tmp_path: Path) -> None:
    outcome = here.call("std::CS_HTTP_V0.POST", {"url": f"{house.base}/x"}, data_root=tmp_path).outcome
    assert (outcome, house.asked) == ("VIOLATION", [])
    found = here.call("abroad::CS_PLAIN_V0.DO", {"url": "/nothing", "port": house.port}, data_root=tmp_path)
    assert (found.outcome, len(house.done)) == ("OUTCOME_UNKNOWN", 1)


SCENARIO = """\
test: the wholesaler takes it
workflow: WF_SEND_V0
given: {answers: {send: {outcome: SUCCESS, output: {status: 200, headers: {}, body: {n: 4}}}}}
steps:
  - payload: {url: "https://example.org/"}
    expect: {exit: sent, stores: {ST_SENT_V0: {records: [{sequence: 1, event: "abroad::EV_SENT_V0", record: {n: 4}}]}}}
---
test: nobody knows
workflow: WF_TRY_V0
given: {answers: {send: {outcome: OUTCOME_UNKNOWN}}}
steps:
  - payload: {url: "https://example.org/"}
    expect: {exit: unsure, path: [send OUTCOME_UNKNOWN]}
---
test: an answer that is not forced
workflow: WF_ASK_V0
steps:
  - payload: {url: "%s/x"}
    expect: {exit: failed, path: [send FAULT]}
"""


def test_scenarios_reach_nobody(house: House, tmp_path: Path) -> None:
    """Neither those of a workspace nor those that are made for the places that none reaches."""
    here = lay_abroad(tmp_path / "w", house)
    (tmp_path / "w/protocols/abroad/abroad.test.yaml").write_text(SCENARIO % house.base, "utf-8")
    compilation = compile_workspace(str(tmp_path / "w"), shipped=shipped_root())
    report = run_scenarios(compilation, here.capabilities, "abroad")
    assert [(item.name, [told.message for told in item.failures]) for item in report.scenarios] == [
        ("the wholesaler takes it", []), ("nobody knows", []), ("an answer that is not forced", []),
    ]  # fmt: skip
    assert house.asked == []


def test_compat_tells_what_an_edited_workflow_would_have_done(house: House, tmp_path: Path) -> None:
    """The new workflow asks nobody: what left the house answers from the record."""
    here = lay_abroad(tmp_path / "w", house)
    run(here, house, tmp_path / "data", SEND, "/x", trace_id="T1")
    run(here, house, tmp_path / "data", SEND, "/nothing", trace_id="T2")
    declared = tmp_path / "w/protocols/abroad/abroad.yaml"
    text = declared.read_text("utf-8").replace(
        "OUTCOME_UNKNOWN: unsure}}\n  keep", "OUTCOME_UNKNOWN: late}}\n  keep", 1
    )
    declared.write_text(text, "utf-8")
    assert here.compile().ok
    asked = len(house.asked)
    with open_root(str(tmp_path / "data")) as ledger:
        records = {name: ledger.record(name) or b"" for name in ("T1", "T2")}
    foreteller = Foreteller(here.load())
    told = {name: foreteller.judge(name, record) for name, record in records.items()}
    assert (told["T1"].verdict, told["T2"].verdict, len(house.asked)) == ("same", "different", asked)


def test_who_looks_sees_whom_it_may_reach(call: Call, here: Workspace, house: House, tmp_path: Path) -> None:
    workflow = orjson.loads(here.load().read("abroad/WF_SEND_V0.json") or b"")
    lines = "\n".join(outline(workflow, None, "", {}))
    assert f"(EXTERNAL, repeat: key, reaches 127.0.0.1:1, 127.0.0.1:{house.port})" in lines
    ended = call("docs", "--output", str(tmp_path / "site"), "--workspace", str(here.root))
    assert ended.status == 0, ended
    page = next((tmp_path / "site").rglob("*WF_SEND_V0.html")).read_text("utf-8")
    assert f"127.0.0.1:{house.port}" in page and "asked again under the same key" in page
