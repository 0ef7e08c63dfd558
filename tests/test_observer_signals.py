"""Signals: each is raised by what its rule says, at the very number, and by nothing less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from observing import PACK, START_MS, Event, chained, ledger, page, steps
from omnibachi_observer.folding import Folds
from omnibachi_observer.signals import RULES, SEVERITIES, severities, signals

NEVER = 1 << 50
PROVOKED: set[str] = set()


def folded(events: list[Event]) -> Folds:
    folds = Folds()
    folds.fold(events)
    assert folds.stopped is None
    return folds


def raised(folds: Folds, now_ms: int = START_MS, thread: str = "thread") -> dict[str, dict[str, Any]]:
    """Return the signals by id; every one that a test provokes is noted under its rule's name."""
    found = signals(folds, now_ms)
    for signal in found:
        assert set(signal) == {"id", "severity", "scope", "key", "title", "detail", "at_index", "evidence"}
        assert all(type(value) in (int, str, float, list) for value in signal["evidence"].values())
        if signal["scope"] == "thread":
            assert signal["key"] in folds.threads and f"thread.{signal['key']}." in signal["id"]
        PROVOKED.add(signal["id"].replace(f"thread.{thread}.", "thread.{id}."))
    return {signal["id"]: signal for signal in found}


def stopped(spoilt: dict[str, Any], after: int = -1) -> dict[str, Any]:
    folds = folded(ledger("ok", "ok"))
    folds.page(spoilt, after, 2000, 6)
    (signal,) = raised(folds).values()
    assert signal["severity"] == "critical" and signal["evidence"]["held_events"] == folds.event_count
    return signal


def test_system_ledger_mismatch() -> None:
    events = ledger("ok", "ok", "ok")
    events[7] = {**events[7], "lane": "night"}
    found = stopped(page(events, 4), 4)
    assert (found["id"], found["at_index"]) == ("system.ledger.mismatch", 7)


def test_system_ledger_gap() -> None:
    events = ledger("ok", "ok", "ok")
    found = stopped({**page(events, 4), "events": [events[5], events[7]]}, 4)
    assert (found["id"], found["at_index"]) == ("system.ledger.gap", 6)


def test_system_ledger_rewritten() -> None:
    found = stopped(page(ledger("ok", "error"), 4), 4)
    assert (found["id"], found["at_index"]) == ("system.ledger.rewritten", 5)
    assert stopped(page(ledger("ok"), 4), 4)["id"] == "system.ledger.rewritten"


@pytest.mark.parametrize(
    ("ms", "name"), [(4_999, None), (5_000, "elevated"), (14_999, "elevated"), (15_000, "critical")]
)
def test_system_latency_p95(ms: int, name: str | None) -> None:
    """Of twenty, the nineteenth."""
    made = [step for number in range(20) for step in steps(number, ms=ms if number >= 18 else 1)]
    found = raised(folded(chained(made)))
    assert set(found) == ({f"system.latency.p95.{name}"} if name else set())
    if name:
        assert found[f"system.latency.p95.{name}"]["severity"] == {"elevated": "warn", "critical": "critical"}[name]
    made[-1][1]["obs"]["latency_ms"] = made[-4][1]["obs"]["latency_ms"] = 1
    assert raised(folded(chained(made))) == {}


def test_only_the_last_5000_latencies_count() -> None:
    folds = folded(ledger("ok", "ok", ms=60_000))
    assert set(raised(folds)) == {"system.latency.p95.critical"}
    folds.latencies.extend([1] * 5_000)
    assert raised(folds) == {} and len(folds.latencies) == 5_000


@pytest.mark.parametrize(
    ("denied", "turns", "name"),
    [(4, 4, None), (2, 5, None), (3, 5, "elevated"), (4, 5, "critical"), (5, 10, "elevated"), (7, 10, "elevated"),
     (8, 10, "critical"), (4, 9, None)],
)  # fmt: skip
def test_thread_deny_rate(denied: int, turns: int, name: str | None) -> None:
    """Only the higher one."""
    found = raised(folded(ledger(*["denied"] * denied, *["ok"] * (turns - denied))))
    assert set(found) == ({f"thread.thread.deny_rate.{name}"} if name else set())


@pytest.mark.parametrize("errors", [2, 3])
def test_thread_error_cluster(errors: int) -> None:
    made = [*(step for number in range(errors) for step in steps(number, "error"))]
    made += [step for number in range(9, 11) for step in steps(number, "error", "other")]
    found = raised(folded(chained(made)))
    assert set(found) == ({"thread.thread.error_cluster"} if errors == 3 else set())


def test_thread_undecided() -> None:
    events = ledger("ok", "asked", "asked")
    folds = folded(events)
    asked = START_MS + 30  # the fourth event
    assert raised(folds, asked + 4_999) == {}
    found = raised(folds, asked + 5_000)["thread.thread.undecided"]
    assert (found["at_index"], found["evidence"]["undecided"]) == (3, 1)
    found = raised(folds, asked + 5_010)["thread.thread.undecided"]
    assert found["evidence"]["correlation_ids"] == ["c-1", "c-2"]
    folds.fold(chained([steps(1, "denied")[1], steps(2, "allowed")[1]], events))
    assert folds.stopped is None and raised(folds, asked + 9_999) == {}


def test_an_intent_that_tells_no_time_waits_already() -> None:
    made = steps(1, "asked")
    made[0][1]["obs"]["at"] = "yesterday"
    assert set(raised(folded(chained(made)), 0)) == {"thread.thread.undecided"}


def test_system_gateway_unreachable() -> None:
    folds = folded(ledger("ok"))
    assert raised(folds, NEVER) == {}  # Nobody has asked it yet.
    folds.answered_ms = START_MS
    assert raised(folds, START_MS + 2_999) == {}
    assert set(raised(folds, START_MS + 3_000)) == {"system.gateway.unreachable"}


def test_system_policy_frequent_changes() -> None:
    def packs(*names: str) -> Folds:
        made = [step for number, name in enumerate(names) for step in steps(number, "allowed", pack=PACK[:-1] + name)]
        return folded(chained(made))

    assert raised(packs(*"0001112223")) == {}
    found = raised(packs(*"01010"))["system.policy.frequent_changes"]
    assert found["severity"] == "info" and found["evidence"]["changes"] == 4
    folds = packs(*"01010")
    folds.packs.extend([PACK] * 1_000)
    assert raised(folds) == {}


def test_the_worst_comes_first_then_by_id() -> None:
    made = [step for number in range(5) for step in steps(number, "denied", "b", pack=f"{number}")]
    made += [step for number in range(5, 8) for step in steps(number, "error", "a", ms=6_000)]
    folds = folded(chained(made))
    folds.answered_ms = 0
    found = signals(folds, START_MS)
    assert [signal["id"] for signal in found] == [
        "thread.b.deny_rate.critical", "system.gateway.unreachable", "system.latency.p95.elevated",
        "thread.a.error_cluster", "system.policy.frequent_changes",
    ]  # fmt: skip
    assert severities(found) == {"info": 1, "warn": 3, "critical": 1}


def test_nothing_is_raised_over_nothing() -> None:
    assert signals(Folds(), NEVER) == []


@pytest.fixture(scope="module", autouse=True)
def every_row_of_the_table_is_provoked(request: pytest.FixtureRequest) -> Iterator[None]:
    """14.12: what the table lists is what the tests above raise (where all of them were run)."""
    rows = [row for rule in RULES for row in rule.as_json()]
    assert all(set(row) == {"id", "severity", "scope", "raised_while"} for row in rows)
    assert {row["severity"] for row in rows} == set(SEVERITIES)
    yield
    ran = {item.originalname for item in request.session.items if item.module is request.module}  # type: ignore[attr-defined]
    if {name for name in vars(request.module) if name.startswith("test_")} <= ran:
        assert {row["id"] for row in rows} <= PROVOKED
