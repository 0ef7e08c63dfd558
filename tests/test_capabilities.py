"""The capabilities that ship: every declared example, every outcome, and declarations that match the functions."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from declared import CATALOGUE, EXAMPLES, OPERATIONS, TRANSFORMS, object_of, transform
from omnibachi_ledger import Ledger, open_root
from omnibachi_model.checks import conform, link, same
from omnibachi_model.formats import is_date_time
from performing import RECORDS, REGISTRY, STREAM, Call, perform


def matches(found: Any, wanted: Any) -> bool:
    """Compare with an expectation that may hold `$matches` and `$any`."""
    if wanted == {"$any": True}:
        return True
    if isinstance(wanted, dict) and wanted.keys() == {"$matches"}:
        return isinstance(found, str) and re.search(wanted["$matches"], found) is not None
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and found.keys() == wanted.keys()
            and all(matches(found[k], wanted[k]) for k in wanted)
        )
    return same(found, wanted)


def test_declared_and_catalogued_are_the_same() -> None:
    assert sorted(CATALOGUE) == sorted([*TRANSFORMS, *OPERATIONS])


@pytest.mark.parametrize("address", sorted(CATALOGUE))
def test_functions_take_what_their_kind_takes(address: str) -> None:
    names = list(inspect.signature(CATALOGUE[address]).parameters)
    assert names == (["inputs"] if address in TRANSFORMS else ["inputs", "store", "call"])


@pytest.mark.parametrize("address", sorted(TRANSFORMS))
def test_every_transform_has_three_examples(address: str) -> None:
    assert len(TRANSFORMS[address]["examples"]) >= 3


@pytest.mark.parametrize(("address", "example"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_examples(address: str, example: dict[str, Any]) -> None:
    outcome, output = transform(address, copy.deepcopy(example["with"]))
    assert outcome == example["gives"]
    assert matches(output, example["output"]), output
    assert conform(link(object_of(TRANSFORMS[address]["outcomes"][outcome])), output)[1] == []


def test_an_id_is_a_prefix_of_the_digest_whatever_its_length() -> None:
    data = {"b": [1, 2.5, None], "a": {"ü": "ß"}}
    _, whole = transform("std::CT_DIGEST_V0", {"data": data})
    for length in (16, 17, 63, 64):
        _, output = transform("std::CT_GENERATE_ID_V0", {"prefix": "W", "data": data, "length": length})
        assert output["id"] == "W_" + whole["hash"][2 : 2 + length]


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), st.integers(-5, 5) | st.text(max_size=3), max_size=3))
def test_the_order_of_keys_does_not_matter(data: dict[str, Any]) -> None:
    turned = dict(reversed(data.items()))
    assert transform("std::CT_DIGEST_V0", {"data": data}) == transform("std::CT_DIGEST_V0", {"data": turned})


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with open_root(None) as opened:
        yield opened


class Session:
    """Operations one after the other, each in a run of its own, with their answers checked against the declaration."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.runs = 0

    def do(self, operation: str, store: str | None, **inputs: Any) -> tuple[str, dict[str, Any]]:
        """Do `CS_X_V0.OP` of `std`."""
        address = f"std::{operation}"
        declared = OPERATIONS[address]
        assert conform(link(object_of(declared["inputs"])), inputs)[1] == []
        self.runs += 1
        outcome, output = perform(self.ledger, f"run-{self.runs}", address, declared["effect"], inputs, store)
        assert conform(link(object_of(declared["outcomes"][outcome])), output)[1] == []
        return outcome, output


@pytest.fixture
def session(ledger: Ledger) -> Session:
    return Session(ledger)


def test_the_first_registration_wins(session: Session) -> None:
    first, second = {"a": 1}, {"a": 2}
    assert session.do("CS_REGISTRY_V0.RESOLVE", REGISTRY, key="k") == ("NOT_FOUND", {})
    answer = session.do("CS_REGISTRY_V0.REGISTER", REGISTRY, key="k", value=first)
    assert answer == ("SUCCESS", {"address": f"{REGISTRY}/k"})
    assert session.do("CS_REGISTRY_V0.REGISTER", REGISTRY, key="k", value=second) == (
        "ALREADY_EXISTS",
        {"value": first},
    )
    assert session.do("CS_REGISTRY_V0.RESOLVE", REGISTRY, key="k") == ("SUCCESS", {"value": first})


def test_records_change_and_their_revisions_only_grow(session: Session) -> None:
    def do(operation: str, **inputs: Any) -> tuple[str, dict[str, Any]]:
        return session.do(f"CS_RECORDS_V0.{operation}", RECORDS, **inputs)

    a, b, c = {"v": "a"}, {"v": "b"}, {"v": "c"}
    assert do("GET", key="k") == ("NOT_FOUND", {})
    assert do("SWAP", key="k", value=a, revision=1) == ("NOT_FOUND", {})
    assert do("REMOVE", key="k") == ("NOT_FOUND", {})
    assert do("CREATE", key="k", value=a) == ("SUCCESS", {"revision": 1})
    assert do("CREATE", key="k", value=b) == ("ALREADY_EXISTS", {"value": a, "revision": 1})
    assert do("SWAP", key="k", value=b, revision=1) == ("SUCCESS", {"revision": 2})
    assert do("SWAP", key="k", value=c, revision=1) == ("CONFLICT", {"value": b, "revision": 2})
    assert do("PUT", key="k", value=c) == ("SUCCESS", {"revision": 3})
    assert do("GET", key="k") == ("SUCCESS", {"value": c, "revision": 3})
    assert do("REMOVE", key="k") == ("SUCCESS", {"revision": 4})
    assert do("GET", key="k") == ("NOT_FOUND", {})
    assert do("SWAP", key="k", value=a, revision=4) == ("NOT_FOUND", {})
    assert do("CREATE", key="k", value=a) == ("SUCCESS", {"revision": 5})
    assert do("PUT", key="new", value=a) == ("SUCCESS", {"revision": 1})


def test_a_swap_with_revision_zero_creates_nothing(session: Session) -> None:
    assert session.do("CS_RECORDS_V0.SWAP", RECORDS, key="k", value={}, revision=0) == ("NOT_FOUND", {})
    assert session.ledger.records(RECORDS) == []


def test_a_stream_is_appended_found_and_counted(session: Session) -> None:
    def do(operation: str, **inputs: Any) -> tuple[str, dict[str, Any]]:
        return session.do(f"CS_EVENTS_V0.{operation}", STREAM, **inputs)

    assert do("FIND", match={"a": "x"}) == ("NOT_FOUND", {})
    assert do("COUNT", match={}) == ("SUCCESS", {"count": 0})
    assert do("APPEND", record={"a": "x", "n": 1}) == ("SUCCESS", {"sequence": 1})
    assert do("APPEND", record={"a": "y", "n": 2}) == ("SUCCESS", {"sequence": 2})
    assert do("APPEND", record={"a": "x", "n": 3}) == ("SUCCESS", {"sequence": 3})
    assert do("FIND", match={"a": "x"}) == ("SUCCESS", {"record": {"a": "x", "n": 3}, "sequence": 3})
    assert do("FIND", match={"a": "x", "n": 1}) == ("SUCCESS", {"record": {"a": "x", "n": 1}, "sequence": 1})
    assert do("FIND", match={}) == ("SUCCESS", {"record": {"a": "x", "n": 3}, "sequence": 3})
    assert do("COUNT", match={"a": "x"}) == ("SUCCESS", {"count": 2})
    assert do("COUNT", match={"a": "z"}) == ("SUCCESS", {"count": 0})


def test_what_was_told_is_not_told_again(session: Session) -> None:
    def tell(**record: Any) -> tuple[str, dict[str, Any]]:
        return session.do("CS_EVENTS_V0.APPEND_ONCE", STREAM, record=record, match={"a": record["a"]})

    assert tell(a="x", n=1) == ("SUCCESS", {"sequence": 1})
    assert tell(a="x", n=2) == ("ALREADY_EXISTS", {"record": {"a": "x", "n": 1}, "sequence": 1})
    assert tell(a="y", n=2) == ("SUCCESS", {"sequence": 2})
    assert tell(a=1) == ("VIOLATION", {"violations": [{"pointer": "/a", "keyword": "type"}]})
    assert len(session.ledger.records(STREAM)) == 2


def test_a_record_that_breaks_its_event_is_a_violation_and_not_written(session: Session) -> None:
    answer = session.do("CS_EVENTS_V0.APPEND", STREAM, record={"a": 1})
    assert answer == ("VIOLATION", {"violations": [{"pointer": "/a", "keyword": "type"}]})
    assert session.ledger.records(STREAM) == []


def test_an_event_operation_without_an_event_raises() -> None:
    call = Call("run", "node")
    call.event = None  # type: ignore[assignment]
    function: Any = CATALOGUE["std::CS_EVENTS_V0.APPEND"]
    with pytest.raises(ValueError, match="no event"):
        function({"record": {}}, None, call)


def test_time_and_chance_come_from_the_call(session: Session) -> None:
    outcome, output = session.do("CS_CLOCK_V0.NOW", None)
    assert (outcome, output) == ("SUCCESS", {"at": "2026-01-01T00:00:00.123Z", "unix_ms": 1767225600123})
    assert is_date_time(output["at"])
    assert session.do("CS_ENTROPY_V0.DRAW", None, bytes=1) == ("SUCCESS", {"hex": "0x00"})
    assert session.do("CS_ENTROPY_V0.DRAW", None, bytes=4) == ("SUCCESS", {"hex": "0x00010203"})
