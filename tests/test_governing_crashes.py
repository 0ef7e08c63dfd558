"""A gateway that is killed at every edge, and once more while it recovers: each story is complete afterwards, the past
is a prefix, and no provider was asked twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crash_cases import KILLED, fresh_place
from crashing import Edges
from governing import ROOT, events, gateway, post, stories
from model_house import ModelHouse, a_quiet_house, the_open_house
from omnibachi import Workspace, wiring
from omnibachi.clocks import SystemClock
from omnibachi.governing import CLOSE, GOVERN, Govern, open_gateway
from omnibachi_model.providers import access_text
from postgres_server import Server

place, open_house, house = fresh_place, the_open_house, a_quiet_house
ALLOWED, DENIED = ["INTENT", "DECISION ALLOW", "EXECUTION ok"], ["INTENT", "DECISION DENY"]
UNKNOWN = [*ALLOWED[:2], "EXECUTION outcome_unknown"]
SENT = {"a": "hello", "b": "x" * 400}


@pytest.fixture(scope="module", name="names")
def of_the_edges(place: Path, open_house: ModelHouse) -> list[str]:
    """Return the edges that a gateway passes which nobody kills."""
    send(place / "warm", open_house)
    status, names = killed(lambda: send(place / "whole", open_house), 0)
    assert status == 0 and stories(place / "whole") == {"a": ALLOWED, "b": DENIED}
    return names


def door(root: Path | str, house: ModelHouse) -> Govern:
    return gateway(root, policy="demo", provider="openai", model="m", provider_url=house.base)


def send(root: Path | str, house: ModelHouse) -> None:
    with door(root, house) as opened:
        for correlation, message in SENT.items():
            post(opened, correlation, message)


def recover(root: Path | str, house: ModelHouse) -> None:
    with door(root, house) as opened:
        opened.recover()


def killed(work: Callable[[], None], fatal: int) -> tuple[int, list[str]]:
    """Do some work in a child that dies at an edge; return how it ended, and the edges that it passed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write, edges = os.write, Edges(fatal, signal.SIGKILL)
            edges.install()
            work()
            write(writing, json.dumps(edges.names).encode())
            os._exit(0)
        finally:
            os._exit(99)
    os.close(writing)
    with open(reading, "rb") as told:
        names = told.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), json.loads(names or b"[]")


def past(root: Path | str) -> list[dict[str, Any]]:
    return events(root) if isinstance(root, str) or (root / "store.db").exists() else []


def asked(house: ModelHouse) -> Counter[str]:
    return Counter(json.loads(item.body)["messages"][0]["content"] for item in house.asked)


def check(root: Path | str, house: ModelHouse, before: list[dict[str, Any]]) -> list[str]:
    """Recover, and assert what must be so; return what became of the intent that is allowed."""
    recover(root, house)
    after = past(root)
    assert after[: len(before)] == before
    assert {tuple(story) for story in stories(root).values()} <= {tuple(ALLOWED), tuple(UNKNOWN), tuple(DENIED)}
    send(root, house)
    assert past(root)[: len(after)] == after
    told = stories(root)
    assert told.keys() == SENT.keys() and told["b"] == DENIED and told["a"] in (ALLOWED, UNKNOWN)
    assert max(asked(house).values(), default=0) <= 1 and asked(house)["x" * 400] == 0
    assert told["a"] == UNKNOWN or asked(house)["hello"] == 1
    with wiring.open_root(str(root), reading=True) as ledger:
        assert ledger.unfinished() == [] and {row.workflow for row in ledger.runs()} <= {GOVERN, CLOSE}
    return told["a"]


def test_killed_at_every_edge(place: Path, house: ModelHouse, names: list[str]) -> None:
    ends = Counter[str]()
    commits = [edge for edge, name in enumerate(names, 1) if name == "after COMMIT"]
    wanted = ("before BEGIN", "before COMMIT", "after COMMIT")
    for edge in [n for n, name in enumerate(names, 1) if n >= commits[0] and name in wanted]:
        root = place / f"at{edge}"
        house.asked.clear()
        assert killed(lambda root=root: send(root, house), edge)[0] == KILLED, names[edge - 1]  # type: ignore[misc]
        ends[check(root, house, past(root))[-1]] += 1
        shutil.rmtree(root)
    # Between the departure and its recorded answer lie few edges, and all of them leave the outcome unknown.
    assert 0 < ends["EXECUTION outcome_unknown"] < ends["EXECUTION ok"] and len(ends) == 2


def test_killed_on_a_server(house: ModelHouse, postgres: Server) -> None:
    warm, whole = postgres.root(), postgres.root()
    send(warm, house)  # so that the driver is loaded, and has its edges
    names = killed(lambda: send(whole, house), 0)[1]
    commits = [edge for edge, name in enumerate(names, 1) if name == "after COMMIT"]
    ends = Counter[str]()
    for edge in commits[-7:-2]:
        root = postgres.root()
        house.asked.clear()
        assert killed(lambda: send(root, house), edge)[0] == KILLED  # noqa: B023
        postgres.settled(root)
        ends[check(root, house, past(root))[-1]] += 1
    assert ends == {"EXECUTION ok": 4, "EXECUTION outcome_unknown": 1}


def test_killed_while_it_recovers(place: Path, house: ModelHouse, names: list[str]) -> None:
    """After each of the commits of the first story: INTENT, DECISION, departure, answer, EXECUTION."""
    commits = [edge for edge, name in enumerate(names, 1) if name == "after COMMIT"]
    met = set()
    for edge in commits[1:6]:
        left = place / f"left{edge}"
        house.asked.clear()
        killed(lambda: send(left, house), edge)  # noqa: B023
        before, calls = past(left), list(house.asked)
        met.add(tuple(stories(left).get("a", ())))
        copy = Path(shutil.copytree(left, place / f"copy{edge}"))
        edges = killed(lambda: recover(copy, house), 0)[1]  # noqa: B023
        for again in [number for number, name in enumerate(edges, 1) if name == "before COMMIT"]:
            root = Path(shutil.copytree(left, place / f"left{edge}-{again}"))
            house.asked[:] = calls
            assert killed(lambda: recover(root, house), again)[0] == KILLED  # noqa: B023
            check(root, house, before)
            shutil.rmtree(root)
    assert met == {("INTENT",), tuple(ALLOWED[:2]), tuple(ALLOWED)}


def forced(root: Path, house: ModelHouse, answers: dict[str, Any]) -> Govern:
    """Open a gateway some of whose nodes answer as they are told."""
    engine = Workspace(ROOT).engine(root, forced=answers, secrets=lambda _: access_text("openai", house.base))
    with door(root, house) as opened:
        return Govern(engine, opened.boundary, SystemClock())


# Where answers are forced nothing is reached.
ANSWERED = ("SUCCESS", {
    "execution": {"status": "ok", "provider": "openai", "model_id": "m", "release_digest": "", "output_text": "",
                  "usage": {}}, "latency_ms": 0,
})  # fmt: skip
REFUSED = ("OUT_OF_ORDER", {"state": "EMPTY", "because": "state"})


def test_a_run_that_failed_is_closed_at_once(tmp_path: Path, house: ModelHouse) -> None:
    with forced(tmp_path, house, {"record_allow": REFUSED, "record_execution": REFUSED}) as opened:
        found = post(opened, "a")
    assert (found.run.exit, found.index, found.state, house.asked) == ("failed", 0, "DENIED", [])
    assert events(tmp_path)[1]["payload"]["reason_codes"] == ["gateway.recovered"]
    assert events(tmp_path)[1]["payload"]["policy_id"] == "dbl::PL_DEMO_V0"
    with forced(tmp_path, house, {"call": ANSWERED, "record_execution": REFUSED}) as opened:
        found = post(opened, "b")
    assert (found.run.exit, found.state) == ("failed", "EXECUTED")
    assert stories(tmp_path)["b"] == ALLOWED
    with forced(tmp_path, house, {"call": ("FAULT", {}), "record_crash": REFUSED}) as opened:
        assert post(opened, "c").run.exit == "failed"
    assert stories(tmp_path)["c"] == [*ALLOWED[:2], "EXECUTION internal_error"]


def test_what_could_not_be_closed_the_sweep_closes(tmp_path: Path, house: ModelHouse) -> None:
    with forced(tmp_path, house, {"record_deny": REFUSED}) as opened:
        found = post(opened, "b", SENT["b"])
        assert (found.run.exit, found.state) == ("failed", "INTENTED")
        assert [run.exit for run in opened.sweep()] == ["failed"]
    with door(tmp_path, house) as opened:
        assert [run.exit for run in opened.sweep()] == ["denied"] and opened.sweep() == []
    assert stories(tmp_path) == {"b": DENIED}


def test_a_run_that_was_cancelled_under_way_is_closed_as_unknown(
    tmp_path: Path, house: ModelHouse, names: list[str]
) -> None:
    root = left_departed(tmp_path / "root", house, names)
    with wiring.open_root(str(root)) as ledger:
        (row,) = ledger.unfinished()
        ledger.cancellations.keep(row.run, wiring.Cancellation("2026-01-01T00:00:00.000Z", "somebody", None))
    assert check(root, house, past(root)) == UNKNOWN and asked(house) == {"hello": 1}


def left_departed(root: Path, house: ModelHouse, names: list[str]) -> Path:
    """Lay a data root in which a call has left and its answer is not recorded."""
    edge = [edge for edge, name in enumerate(names, 1) if name == "before COMMIT"][-4]
    house.asked.clear()
    assert killed(lambda: send(root, house), edge)[0] == KILLED
    assert stories(root) == {"a": ALLOWED[:2]} and asked(house) == {"hello": 1}
    return root


def test_where_the_world_has_changed_nothing_is_done_again(tmp_path: Path, house: ModelHouse, names: list[str]) -> None:
    """A run whose capabilities are not what they were is not resumed, and can never leave the house afterwards."""
    commits = [edge for edge, name in enumerate(names, 1) if name == "after COMMIT"]
    shutil.copytree(ROOT / "protocols" / "dbl", tmp_path / "other" / "protocols" / "dbl")
    declared = tmp_path / "other" / "protocols" / "dbl" / "provider.yaml"
    declared.write_text(
        declared.read_text("utf-8").replace("access: {type: string}", "access: {type: string, maxLength: 9999}")
    )
    other = Workspace(tmp_path / "other")
    assert other.compile().ok
    for edge, story in (
        (commits[1], ["INTENT", "DECISION DENY"]),
        (commits[2], [*ALLOWED[:2], "EXECUTION internal_error"]),
    ):
        root = tmp_path / f"left{edge}"
        house.asked.clear()
        killed(lambda: send(root, house), edge)  # noqa: B023
        with open_gateway(other, root, provider="openai", model="m", provider_url=house.base) as opened:
            refused = opened.recover()[0]
        assert [item.code for item in refused.diagnostics] == ["OB714"]
        assert stories(root) == {"a": story} and house.asked == []
        with door(root, house) as opened:
            assert opened.recover() == []
        assert house.asked == [] and stories(root) == {"a": story}
