"""The law of each effect class, proven for every operation of `std` on every kind of ledger.

An operation is tried because of the class that its declaration names: one that is declared anew is tried at once, and
one whose inputs this suite does not know fails it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from declared import EXAMPLES, OPERATIONS, transform
from omnibachi_ledger import Ledger, open_root
from performing import ACCOUNTS, RECORDS, REGISTRY, STREAM, perform, state
from thoroughness import many

# What leaves the house has laws of its own, and servers to try them on (test_web.py, test_outside_crash.py); so has the
# ledger of decisions, which is no part of the library (test_decisions.py).
LOCAL = {
    name: item
    for name, item in OPERATIONS.items()
    if item["effect"] != "EXTERNAL" and "hosts" not in item.get("needs", ()) and name.startswith("std::")
}
STORES = {
    "CS_REGISTRY_V0": REGISTRY,
    "CS_RECORDS_V0": RECORDS,
    "CS_EVENTS_V0": STREAM,
    "CS_ACCOUNTS_V0": ACCOUNTS,
}
KINDS = ("memory", "file", "postgres")
Step = tuple[str, dict[str, Any]]

key = st.sampled_from(["k", "l", "ü", ""])
value = st.dictionaries(st.sampled_from("abc"), st.integers(-3, 3) | st.text(max_size=2) | st.none(), max_size=2)
record = st.fixed_dictionaries({"a": st.sampled_from(["x", "y"])}, optional={"n": st.integers(0, 2) | st.booleans()})
account = st.sampled_from(["SUPPLY", "POOL", "W", "ü"])
entry = st.fixed_dictionaries({"from": account, "to": account, "amount": st.integers(-1, 3) | st.just(2**53 - 1)})
# IDEMPOTENT by its key; without one each run is a posting of its own (test_accounts.py).
posting = st.fixed_dictionaries(
    {"key": key, "entries": st.lists(entry, max_size=3), "after": st.none() | st.integers(0, 3)}
)
INPUTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "CS_REGISTRY_V0.REGISTER": st.fixed_dictionaries({"key": key, "value": value}),
    "CS_REGISTRY_V0.RESOLVE": st.fixed_dictionaries({"key": key}),
    "CS_RECORDS_V0.CREATE": st.fixed_dictionaries({"key": key, "value": value}),
    "CS_RECORDS_V0.GET": st.fixed_dictionaries({"key": key}),
    "CS_RECORDS_V0.PUT": st.fixed_dictionaries({"key": key, "value": value}),
    "CS_RECORDS_V0.SWAP": st.fixed_dictionaries({"key": key, "value": value, "revision": st.integers(0, 4)}),
    "CS_RECORDS_V0.ADMIT": st.fixed_dictionaries(
        {"key": key, "value": value, "revision": st.integers(0, 4), "where": value, "below": st.integers(0, 3)}
    ),
    "CS_RECORDS_V0.REMOVE": st.fixed_dictionaries({"key": key}),
    "CS_RECORDS_V0.LIST": st.fixed_dictionaries({"where": value, "limit": st.integers(1, 3)}),
    "CS_RECORDS_V0.COUNT": st.fixed_dictionaries({"where": value}),
    "CS_EVENTS_V0.APPEND": st.fixed_dictionaries({"record": record | value}),
    "CS_EVENTS_V0.APPEND_ONCE": st.fixed_dictionaries({"record": record | value, "match": value | record}),
    "CS_EVENTS_V0.FIND": st.fixed_dictionaries({"match": value | record}),
    "CS_EVENTS_V0.COUNT": st.fixed_dictionaries({"match": value | record}),
    "CS_ACCOUNTS_V0.OPEN": st.fixed_dictionaries({"account": account}),
    "CS_ACCOUNTS_V0.BALANCE": st.fixed_dictionaries({"account": account}),
    "CS_ACCOUNTS_V0.POST": posting,
    "CS_CLOCK_V0.NOW": st.just({}),
    "CS_ENTROPY_V0.DRAW": st.fixed_dictionaries({"bytes": st.integers(1, 64)}),
}


def of_class(*effects: str) -> list[str]:
    """Return the operations of these classes, without their domain."""
    return [name.removeprefix("std::") for name, item in LOCAL.items() if item["effect"] in effects]


steps = st.lists(
    st.one_of([INPUTS[name].map(lambda inputs, name=name: (name, inputs)) for name in sorted(INPUTS)]), max_size=8
)
law = settings(max_examples=many(12, 200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Bench:
    """A ledger on which operations are done, each as a run of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.runs = 0

    def do(self, name: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Do one operation."""
        self.runs += 1
        side_effect, _, _ = name.partition(".")
        effect = OPERATIONS[f"std::{name}"]["effect"]
        return perform(self.ledger, f"run-{self.runs}", f"std::{name}", effect, inputs, STORES.get(side_effect))

    def prepare(self, history: list[Step]) -> None:
        """Do what went before."""
        for name, inputs in history:
            self.do(name, inputs)


class Benches:
    """Makes ledgers of one kind, each with nothing in it, and closes them."""

    def __init__(self, new_root: Callable[[], str | None]) -> None:
        self._new_root = new_root
        self._open: list[Ledger] = []

    def new(self) -> Bench:
        """Return an empty bench."""
        self.close()
        self._open.append(open_root(self._new_root()))
        return Bench(self._open[-1])

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            self._open.pop().close()


@pytest.fixture(params=KINDS)
def benches(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Benches]:
    def folder() -> str:
        return str(tmp_path / str(len(os.listdir(tmp_path))))

    made = Benches(
        {"memory": lambda: None, "file": folder}.get(request.param) or request.getfixturevalue("postgres").root
    )
    yield made
    made.close()


def test_every_operation_is_tried() -> None:
    assert sorted(f"std::{name}" for name in INPUTS) == sorted(LOCAL)
    assert {item["effect"] for item in LOCAL.values()} == {"READ", "IDEMPOTENT", "APPEND_ONLY", "MUTABLE"}


def test_pure_same_input_same_bytes_in_another_process() -> None:
    """Another hash seed, time zone and folder must not matter."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from declared import EXAMPLES, transform\n"
        "from omnibachi_model.digests import encode\n"
        "print(encode([transform(a, e['with']) for a, e in EXAMPLES]).decode())"
    )
    answers = set()
    for seed, zone in (("0", "UTC"), ("4242", "Asia/Kolkata")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"}
        here = str(Path(__file__).parent)
        done = subprocess.run(
            [sys.executable, "-c", code, here], env=environment, cwd="/", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        answers.add(done.stdout)
    assert len(answers) == 1
    assert [transform(address, example["with"]) for address, example in EXAMPLES]


@pytest.mark.parametrize("name", of_class("READ"))
@law
@given(data=st.data())
def test_read_changes_nothing(benches: Benches, name: str, data: st.DataObject) -> None:
    bench = benches.new()
    bench.prepare(data.draw(steps))
    before = state(bench.ledger)
    runs = len(bench.ledger.runs())
    inputs = data.draw(INPUTS[name])
    first = bench.do(name, inputs)
    assert bench.do(name, inputs) == first
    assert state(bench.ledger) == before
    assert len(bench.ledger.runs()) == runs


@pytest.mark.parametrize("name", of_class("IDEMPOTENT"))
@law
@given(data=st.data())
def test_idempotent_twice_is_once(benches: Benches, name: str, data: st.DataObject) -> None:
    bench = benches.new()
    bench.prepare(data.draw(steps))
    inputs = data.draw(INPUTS[name])
    bench.do(name, inputs)
    once = state(bench.ledger)
    second = bench.do(name, inputs)
    assert state(bench.ledger) == once
    assert bench.do(name, inputs) == second


@pytest.mark.parametrize("name", of_class("APPEND_ONLY"))
@law
@given(data=st.data())
def test_append_only_the_past_is_a_prefix_of_the_future(benches: Benches, name: str, data: st.DataObject) -> None:
    bench = benches.new()
    bench.prepare(data.draw(steps))
    for inputs in data.draw(st.lists(INPUTS[name], min_size=1, max_size=4)):
        before = state(bench.ledger)
        outcome, _ = bench.do(name, inputs)
        after = state(bench.ledger)
        store = STORES[name.partition(".")[0]]
        assert after[store][: len(before[store])] == before[store]
        assert len(after[store]) == len(before[store]) + (outcome == "SUCCESS")
        assert {**after, store: []} == {**before, store: []}


@pytest.mark.parametrize("name", of_class("MUTABLE"))
@law
@given(data=st.data())
def test_mutable_the_last_write_wins(benches: Benches, name: str, data: st.DataObject) -> None:
    bench = benches.new()
    bench.prepare(data.draw(steps))
    inputs = data.draw(INPUTS[name])
    known, seen = bench.do("CS_RECORDS_V0.GET", {"key": inputs["key"]})
    if "revision" in inputs and data.draw(st.booleans()) and known == "SUCCESS":
        inputs = {**inputs, "revision": seen["revision"]}
    before = state(bench.ledger)
    outcome, output = bench.do(name, inputs)
    found, held = bench.do("CS_RECORDS_V0.GET", {"key": inputs["key"]})
    if outcome != "SUCCESS":
        assert state(bench.ledger) == before
    elif "value" in inputs:
        assert (found, held) == ("SUCCESS", {"value": inputs["value"], "revision": output["revision"]})
    else:
        assert found == "NOT_FOUND"
    if outcome == "SUCCESS" and known == "SUCCESS":
        assert output["revision"] > seen["revision"]
    if "revision" in inputs:
        # 0 is for a place where nothing is, and only where something else may stand against it.
        there = seen["revision"] if known == "SUCCESS" else 0 if "below" in inputs else None
        assert (outcome in ("SUCCESS", "FULL")) == (inputs["revision"] == there)
    others = [{**item} for item in before[RECORDS] if item["key"] != inputs["key"]]
    assert [item for item in state(bench.ledger)[RECORDS] if item["key"] != inputs["key"]] == others


@law
@given(
    history=steps, changes=st.lists(st.tuples(st.sampled_from(["PUT", "REMOVE", "CREATE"]), key, value), max_size=12)
)
def test_mutable_revisions_never_go_back(
    benches: Benches, history: list[Step], changes: list[tuple[str, str, dict[str, Any]]]
) -> None:
    bench = benches.new()
    bench.prepare(history)
    last: dict[str, int] = {}
    for operation, at, content in changes:
        inputs = {"key": at} if operation == "REMOVE" else {"key": at, "value": content}
        outcome, output = bench.do(f"CS_RECORDS_V0.{operation}", inputs)
        if outcome == "SUCCESS":
            assert output["revision"] > last.get(at, 0)
            last[at] = output["revision"]
