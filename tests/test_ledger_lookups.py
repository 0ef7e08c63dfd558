"""Finding and counting by equality: right, whatever was asked first, and at a cost that does not grow."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_ledger import Ledger, open_root
from omnibachi_ledger.stores import Store
from omnibachi_model.checks import same
from performing import EVENT, RECORDS, REGISTRY, STREAM, journal

OTHER = "shop::EV_RETURNED_V0"
FIELDS = ("a", "b")

value = st.sampled_from([0, 1, True, False, None, "1", "", 1.5, [1], [True], {"x": 1}, {}, "x" * 200, "y" * 200])
record = st.dictionaries(st.sampled_from(FIELDS), value, max_size=2)
match = st.dictionaries(st.sampled_from(FIELDS), value, max_size=2)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with open_root(None) as opened:
        yield opened


def write(ledger: Ledger, run: str, action: Callable[[Callable[[str], Store]], Any]) -> Any:
    """Do something with stores inside one transaction."""
    held = journal(ledger, run)
    held.begin()
    answer = action(held.store)
    held.receipt("node", "std::CS_X_V0.OP", "SUCCESS")
    held.commit()
    return answer


def fits(item: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Tell what a match means, in the plainest words."""
    return all(name in item and same(item[name], wanted[name]) for name in wanted)


stream_steps = st.lists(
    st.tuples(st.just("append"), st.sampled_from([EVENT, OTHER]), record)
    | st.tuples(st.just("ask"), st.sampled_from([EVENT, OTHER]), match)
    | st.tuples(st.just("undone"), st.sampled_from([EVENT, OTHER]), match),
    max_size=20,
)
keyed_steps = st.lists(
    st.tuples(st.just("put"), st.sampled_from("klm"), record)
    | st.tuples(st.just("remove"), st.sampled_from("klm"), st.just({}))
    | st.tuples(st.just("ask"), st.just(""), match),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(stream_steps)
def test_streams_answer_as_a_list_would(steps: list[tuple[str, str, dict[str, Any]]]) -> None:
    with open_root(None) as ledger:
        as_a_list_would(ledger, steps)


@settings(max_examples=60, deadline=None)
@given(keyed_steps, st.integers(0, 3))
def test_keyed_records_answer_as_a_dictionary_would(steps: list[tuple[str, str, dict[str, Any]]], limit: int) -> None:
    with open_root(None) as ledger:
        as_a_dictionary_would(ledger, steps, limit)


@settings(max_examples=10, deadline=None)
@given(stream_steps, keyed_steps, st.integers(0, 3))
def test_on_a_server_both_do(
    postgres: Any,
    of_streams: list[tuple[str, str, dict[str, Any]]],
    of_keys: list[tuple[str, str, dict[str, Any]]],
    limit: int,
) -> None:
    with open_root(postgres.root()) as ledger:
        as_a_list_would(ledger, of_streams)
        as_a_dictionary_would(ledger, of_keys, limit)


def as_a_list_would(ledger: Ledger, steps: list[tuple[str, str, dict[str, Any]]]) -> None:
    model: list[tuple[str, dict[str, Any]]] = []
    for index, (kind, event, item) in enumerate(steps):
        if kind == "append":
            sequence = write(ledger, f"r{index}", lambda store, e=event, i=item: store(STREAM).append(e, i))
            model.append((event, item))
            assert sequence == len(model)
            continue
        if kind == "undone":  # a key set that is built inside a transaction that does not last
            held = journal(ledger, f"r{index}")
            held.begin()
            held.store(STREAM).append(event, {"a": 1})
            held.store(STREAM).count(item, event=event)
            held.rollback()
        found = [number for number, (name, held_) in enumerate(model, 1) if name == event and fits(held_, item)]
        store = ledger.store(STREAM)
        assert store.count(item, event=event) == len(found)
        latest = store.find(event, item)
        assert latest == ((model[found[-1] - 1][1], found[-1]) if found else None)


def as_a_dictionary_would(ledger: Ledger, steps: list[tuple[str, str, dict[str, Any]]], limit: int) -> None:
    model: dict[str, tuple[dict[str, Any], int]] = {}
    revisions: dict[str, int] = {}
    for index, (kind, key, item) in enumerate(steps):
        if kind == "put":
            revisions[key] = revisions.get(key, 0) + 1
            model[key] = (item, revisions[key])
            assert write(ledger, f"k{index}", lambda s, k=key, i=item: s(RECORDS).put(k, i)) == revisions[key]
        elif kind == "remove":
            there = model.pop(key, None) is not None
            revisions[key] = revisions.get(key, 0) + there
            removed = write(ledger, f"k{index}", lambda s, k=key: s(RECORDS).remove(k))
            assert removed == (revisions[key] if there else None)
        else:
            found = [(name, *entry) for name, entry in model.items() if fits(entry[0], item)]
            store = ledger.store(RECORDS)
            assert store.list(item, limit) == (found[:limit], len(found))
            assert store.count(item) == len(found)
    assert [entry["key"] for entry in ledger.records(RECORDS)] == list(model)


def test_one_and_one_point_nought_are_the_same_and_true_is_not(ledger: Ledger) -> None:
    for index, item in enumerate(({"n": 1}, {"n": 1.0}, {"n": True}, {"n": "1"}, {"n": -0.0})):
        write(ledger, f"r{index}", lambda store, item=item: store(STREAM).append(EVENT, item))
    store = ledger.store(STREAM)
    assert store.count({"n": 1}, event=EVENT) == store.count({"n": 1.0}, event=EVENT) == 2
    assert store.count({"n": True}, event=EVENT) == 1
    assert store.find(EVENT, {"n": 0}) == ({"n": 0}, 5)


def test_null_is_a_value_and_absence_is_none(ledger: Ledger) -> None:
    write(ledger, "r1", lambda store: store(STREAM).append(EVENT, {"a": None}))
    write(ledger, "r2", lambda store: store(STREAM).append(EVENT, {}))
    store = ledger.store(STREAM)
    assert store.find(EVENT, {"a": None}) == ({"a": None}, 1)
    assert store.count({}, event=EVENT) == 2


def test_stores_and_events_do_not_mix(ledger: Ledger) -> None:
    write(ledger, "r1", lambda store: store(STREAM).append(EVENT, {"a": 1}))
    write(ledger, "r2", lambda store: store("shop::ST_OTHER_V0").append(EVENT, {"a": 1}))
    write(ledger, "r3", lambda store: store(STREAM).append(OTHER, {"a": 1}))
    assert ledger.store(STREAM).count({"a": 1}, event=EVENT) == 1
    assert ledger.store(STREAM).find(OTHER, {}) == ({"a": 1}, 2)
    assert ledger.store("shop::ST_OTHER_V0").find(OTHER, {}) is None


def test_a_key_set_that_another_connection_made_is_kept(tmp_path: Any) -> None:
    root = str(tmp_path)
    with open_root(root) as writer, open_root(root) as reader:
        write(writer, "r1", lambda store: store(STREAM).append(EVENT, {"a": 1}))
        assert reader.store(STREAM).count({"a": 1}, event=EVENT) == 1
        write(writer, "r2", lambda store: store(STREAM).append(EVENT, {"a": 1}))
        assert reader.store(STREAM).find(EVENT, {"a": 1}) == ({"a": 1}, 2)
        assert writer.store(STREAM).count({"a": 1}, event=EVENT) == 2


@pytest.mark.parametrize("dropped", [("keysets", "lookups", "tallies"), ("keysets",)])
def test_what_is_derived_may_be_dropped(tmp_path: Any, dropped: tuple[str, ...]) -> None:
    with open_root(str(tmp_path)) as ledger:
        for index in range(3):
            write(ledger, f"r{index}", lambda store, index=index: store(STREAM).append(EVENT, {"a": index % 2}))
            write(ledger, f"p{index}", lambda store, index=index: store(RECORDS).put(str(index), {"a": index % 2}))
        assert ledger.store(STREAM).count({"a": 0}, event=EVENT) == 2
        assert ledger.store(RECORDS).count({"a": 0}) == 2
        with sqlite3.connect(tmp_path / "store.db") as db:
            for table in dropped:
                db.execute(f"DELETE FROM {table}")
        db.close()
        assert ledger.store(RECORDS).count({"a": 0}) == 2
        assert ledger.store(STREAM).count({"a": 0}, event=EVENT) == 2
        assert ledger.store(STREAM).find(EVENT, {"a": 1}) == ({"a": 1}, 2)


def steps_of(ledger: Ledger, action: Callable[[], Any]) -> int:
    """Count the steps of SQLite's machine that an action takes: its cost, without a clock."""
    taken = 0

    def tick() -> int:
        nonlocal taken
        taken += 1
        return 0

    connection = ledger._db._connection
    connection.set_progress_handler(tick, 1)
    try:
        action()
    finally:
        connection.set_progress_handler(None, 1)
    return taken


def test_the_cost_does_not_grow_with_the_records(ledger: Ledger) -> None:
    """Every operation takes as many steps among 2,000 records as among 20."""
    sizes: list[dict[str, int]] = []
    written = 0

    def fill(count: int) -> None:
        nonlocal written
        held = journal(ledger, f"fill-{count}")
        held.begin()
        while written < count:
            held.store(STREAM).append(EVENT, {"a": f"name {written}", "b": written % 2})
            held.store(RECORDS).put(f"key {written}", {"a": f"name {written}", "b": written % 2})
            held.store(REGISTRY).put(f"key {written}", {"a": written})
            written += 1
        held.receipt("node", "std::CS_X_V0.OP", "SUCCESS")
        held.commit()

    def asked() -> dict[str, Callable[[], Any]]:
        stream, records = ledger.store(STREAM), ledger.store(RECORDS)
        return {
            "find": lambda: stream.find(EVENT, {"a": "name 7"}),
            "latest": lambda: stream.find(EVENT, {}),
            "count": lambda: stream.count({"b": 1}, event=EVENT),
            "list": lambda: records.list({"b": 1}, 5),
            "get": lambda: ledger.store(REGISTRY).get("key 7"),
            "append": lambda: write(ledger, f"a{written}", lambda s: s(STREAM).append(EVENT, {"a": "n", "b": 2})),
            "put": lambda: write(ledger, f"p{written}", lambda s: s(RECORDS).put("key 7", {"a": "n", "b": written})),
            "register": lambda: write(ledger, f"r{written}", lambda s: s(REGISTRY).put(f"new {written}", {})),
        }

    for size in (20, 2000):
        fill(size)
        for action in asked().values():
            action()  # makes the key sets, the first time
        written += 1
        sizes.append({name: steps_of(ledger, action) for name, action in asked().items()})
    small, large = sizes
    assert {name: large[name] for name in small if large[name] > small[name] + 5} == {}
    assert all(small.values())
