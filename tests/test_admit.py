"""`CS_RECORDS_V0.ADMIT`: a place among at most so many, also where two processes ask for the last one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from children import together
from omnibachi_ledger import Ledger, open_root
from performing import RECORDS, everywhere, perform, root

__all__ = ["root"]
ADMIT = "std::CS_RECORDS_V0.ADMIT"
IN, OUT = {"state": "in"}, {"state": "out"}


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with open_root(None) as opened:
        yield opened


class Desk:
    """Admits one record after the other, each in a run of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.runs = 0

    def do(self, operation: str, **inputs: Any) -> tuple[str, dict[str, Any]]:
        """Do an operation of `CS_RECORDS_V0`."""
        self.runs += 1
        effect = "READ" if operation in ("GET", "COUNT") else "MUTABLE"
        return perform(self.ledger, f"run-{self.runs}", f"std::CS_RECORDS_V0.{operation}", effect, inputs, RECORDS)

    def admit(self, key: str, below: int, revision: int = 0, value: Any = IN) -> tuple[str, dict[str, Any]]:
        """Ask for a place."""
        return self.do("ADMIT", key=key, value=value, revision=revision, where=IN, below=below)


def test_there_is_room_until_there_is_none(ledger: Ledger) -> None:
    desk = Desk(ledger)
    assert desk.admit("a", 0) == ("FULL", {"count": 0})
    assert desk.admit("a", -1) == ("FULL", {"count": 0})
    assert desk.admit("a", 1) == ("SUCCESS", {"revision": 1})
    assert desk.admit("b", 1) == ("FULL", {"count": 1})
    assert desk.do("GET", key="b") == ("NOT_FOUND", {})
    assert desk.admit("b", 2) == ("SUCCESS", {"revision": 1})
    # who leaves gives room, and comes back over the revision that was seen
    assert desk.do("SWAP", key="a", value=OUT, revision=1) == ("SUCCESS", {"revision": 2})
    assert desk.admit("a", 1, 2) == ("FULL", {"count": 1})
    assert desk.do("GET", key="a") == ("SUCCESS", {"value": OUT, "revision": 2})
    assert desk.admit("a", 2, 2) == ("SUCCESS", {"revision": 3})


def test_a_place_is_taken_over_what_was_seen(ledger: Ledger) -> None:
    """What is there is told before whether there is room: who has a place is not told that the house is full."""
    desk = Desk(ledger)
    assert desk.admit("a", 9, 1) == ("NOT_FOUND", {})
    assert desk.admit("a", 9) == ("SUCCESS", {"revision": 1})
    assert desk.admit("a", 0) == ("CONFLICT", {"value": IN, "revision": 1})
    assert desk.admit("a", 0, 2) == ("CONFLICT", {"value": IN, "revision": 1})
    assert desk.do("REMOVE", key="a") == ("SUCCESS", {"revision": 2})
    assert desk.admit("a", 9, 2) == ("NOT_FOUND", {})
    assert desk.admit("a", 9) == ("SUCCESS", {"revision": 3})


asked = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 3), st.sampled_from([IN, OUT])), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(asked, st.integers(0, 3))
def test_there_are_never_more_than_there_may_be(steps: list[tuple[str, int, dict[str, str]]], below: int) -> None:
    with open_root(None) as opened:
        desk = Desk(opened)
        for key, revision, value in steps:
            before = desk.do("COUNT", where=IN)[1]["count"]
            outcome, output = desk.admit(key, below, revision, value)
            after = desk.do("COUNT", where=IN)[1]["count"]
            assert after <= below
            assert outcome != "FULL" or (output == {"count": before} and before >= below)
            assert outcome == "SUCCESS" or after == before


@everywhere
def test_two_processes_take_as_many_places_as_there_are(root: str) -> None:
    places = 30
    asked = [[{"key": f"{side}{n}", "value": {**IN, "by": side}, "revision": 0, "where": IN, "below": places}
              for n in range(60)] for side in "AB"]  # fmt: skip
    said = together(
        *(("errands:operate", root, side, ADMIT, "MUTABLE", RECORDS, inputs)
          for side, inputs in zip("AB", asked, strict=True))
    )  # fmt: skip
    assert Counter(outcome for side in said for outcome, _ in side) == {"SUCCESS": places, "FULL": 120 - places}
    with open_root(root) as ledger:
        kept = {item["key"] for item in ledger.records(RECORDS)}
    given = {inputs["key"] for side, inputs_of in zip(said, asked, strict=True)
             for (outcome, _), inputs in zip(side, inputs_of, strict=True) if outcome == "SUCCESS"}  # fmt: skip
    assert kept == given and len(kept) == places
