"""Accounts: double entry against a plain dictionary, on every kind of ledger; what is kept, shown and refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from declared import OPERATIONS, object_of
from omnibachi_capabilities.catalogue import CATALOGUE
from omnibachi_ledger import Ledger, open_root
from omnibachi_model.checks import conform, link
from performing import ACCOUNTS, DECLARED, OPENED, Call, journal, perform, state
from test_ledger_lookups import steps_of

MOST = 2**53 - 1
Answer = tuple[str, dict[str, Any]]


class House:
    """A store of accounts in which operations are done, each in a run of its own, with their answers checked."""

    def __init__(self, ledger: Ledger, store: str = ACCOUNTS) -> None:
        self.ledger = ledger
        self.store = store
        self._runs = count(1)

    def do(self, operation: str, **inputs: Any) -> Answer:
        """Do an operation of `CS_ACCOUNTS_V0` with inputs that have passed their check."""
        address = f"std::CS_ACCOUNTS_V0.{operation}"
        declared = OPERATIONS[address]
        assert conform(link(object_of(declared["inputs"])), inputs)[1] == []
        run = f"run-{next(self._runs)}"
        outcome, output = perform(self.ledger, run, address, declared["effect"], inputs, self.store)
        assert conform(link(object_of(declared["outcomes"][outcome])), output)[1] == []
        return outcome, output

    def post(self, *entries: tuple[str, str, int], key: str | None = None, after: int | None = None) -> Answer:
        """Post entries (from, to, amount)."""
        return self.do("POST", key=key, entries=written(entries), after=after)

    def balances(self) -> dict[Any, Any]:
        """Return what the store shows: balances by account."""
        return {item["account"]: item["balance"] for item in self.ledger.records(self.store, "accounts")}


def written(entries: Any) -> list[dict[str, Any]]:
    """Write entries (from, to, amount) as inputs have them."""
    return [{"from": giver, "to": taker, "amount": amount} for giver, taker, amount in entries]


@pytest.fixture
def house() -> Iterator[House]:
    with open_root(None) as ledger:
        yield House(ledger)


def test_accounts_are_opened_read_and_moved(house: House) -> None:
    assert house.balances() == {}
    assert house.do("BALANCE", account="W") == ("NOT_FOUND", {})
    assert house.do("OPEN", account="W") == ("SUCCESS", {})
    assert house.do("OPEN", account="W") == ("ALREADY_EXISTS", {})
    assert house.post(("SUPPLY", "W", 5)) == ("SUCCESS", {"number": 1, "balances": {"SUPPLY": -5, "W": 5}})
    assert house.do("BALANCE", account="W") == ("SUCCESS", {"balance": 5})
    assert house.post(("W", "POOL", 6)) == ("INSUFFICIENT", {"account": "W", "balance": 5})
    assert house.post(("W", "NOBODY", 1)) == ("NOT_FOUND", {"account": "NOBODY"})
    assert house.post(("NOBODY", "W", 1)) == ("NOT_FOUND", {"account": "NOBODY"})
    assert house.balances() == {"SUPPLY": -5, "POOL": 0, "W": 5}


def test_what_the_store_declares_is_there_from_the_start(house: House) -> None:
    assert house.do("BALANCE", account="SUPPLY") == house.do("BALANCE", account="POOL") == ("SUCCESS", {"balance": 0})
    assert house.do("OPEN", account="POOL") == ("ALREADY_EXISTS", {})
    assert house.balances() == {}, "being there is not being written"
    assert house.post(("POOL", "SUPPLY", 1)) == ("INSUFFICIENT", {"account": "POOL", "balance": 0})
    assert house.post(("SUPPLY", "POOL", 1))[0] == "SUCCESS"
    assert house.balances() == {"SUPPLY": -1, "POOL": 1}


def test_a_posting_whose_second_entry_overdraws_leaves_the_first_undone(house: House) -> None:
    house.do("OPEN", account="W")
    before = house.balances()
    assert house.post(("SUPPLY", "W", 5), ("W", "POOL", 6)) == ("INSUFFICIENT", {"account": "W", "balance": 5})
    assert house.balances() == before
    assert house.post(("SUPPLY", "W", 5), ("W", "POOL", 5))[1] == {
        "number": 1, "balances": {"SUPPLY": -5, "W": 0, "POOL": 5},
    }  # fmt: skip


def test_entries_are_made_in_their_order(house: House) -> None:
    assert house.post(("POOL", "SUPPLY", 1), ("SUPPLY", "POOL", 1))[0] == "INSUFFICIENT"
    assert house.post(("SUPPLY", "POOL", 1), ("POOL", "SUPPLY", 1))[0] == "SUCCESS"


def test_a_key_moves_once_and_tells_what_was_posted(house: House) -> None:
    assert house.post(("SUPPLY", "POOL", 5), key="k")[0] == "SUCCESS"
    told = {"number": 1, "entries": written([("SUPPLY", "POOL", 5)])}
    assert house.post(("SUPPLY", "POOL", 5), key="k") == ("ALREADY_EXISTS", told)
    assert house.post(("SUPPLY", "POOL", 6), key="k") == ("ALREADY_EXISTS", told)
    assert house.post(("SUPPLY", "POOL", 5), key="k", after=0) == ("ALREADY_EXISTS", told)
    assert house.post(("SUPPLY", "POOL", 5), key="l")[1]["number"] == 2
    assert house.balances() == {"SUPPLY": -10, "POOL": 10}


def test_without_a_key_each_call_is_a_posting_of_its_own_and_the_same_call_is_not(house: House) -> None:
    assert [house.post(("SUPPLY", "POOL", 5))[1]["number"] for _ in range(3)] == [1, 2, 3]
    post: Any = CATALOGUE["std::CS_ACCOUNTS_V0.POST"]
    call, inputs = Call("again", "move", ACCOUNTS), {"key": None, "entries": [], "after": None}
    answers = []
    for run in ("first", "second"):
        held = journal(house.ledger, run)
        held.begin()
        answers.append(post(inputs, held.store(ACCOUNTS), call))
        held.receipt("node", "std::CS_ACCOUNTS_V0.POST", answers[-1][0])
        held.commit()
    assert answers == [("SUCCESS", {"number": 4, "balances": {}}), ("ALREADY_EXISTS", {"number": 4, "entries": []})]
    # A key that somebody gives is never taken for one that was made.
    assert house.post(key=call.key) == ("SUCCESS", {"number": 5, "balances": {}})


def test_a_posting_may_have_to_follow_another(house: House) -> None:
    assert house.post(after=1) == ("CONFLICT", {"number": 0})
    assert house.post(after=0) == ("SUCCESS", {"number": 1, "balances": {}})
    assert house.post(("SUPPLY", "POOL", 1), after=0) == ("CONFLICT", {"number": 1})
    assert house.post(("SUPPLY", "POOL", 1), after=1)[1]["number"] == 2
    assert house.post(("POOL", "NOBODY", 1))[0] == "NOT_FOUND"
    assert house.post(after=2)[1]["number"] == 3, "what was refused has no number"


@pytest.mark.parametrize("amount", [0, -1, -MOST, MOST + 1, 2**70])
def test_an_amount_out_of_range_is_a_violation(house: House, amount: int) -> None:
    post: Any = CATALOGUE["std::CS_ACCOUNTS_V0.POST"]
    inputs = {"key": None, "entries": written([("SUPPLY", "POOL", amount)]), "after": None}
    outcome, output = post(inputs, house.ledger.store(ACCOUNTS), Call("run", "node", ACCOUNTS))
    assert (outcome, output.keys()) == ("VIOLATION", {"reason"})


def test_no_account_pays_itself(house: House) -> None:
    assert house.post(("SUPPLY", "SUPPLY", 1))[0] == "VIOLATION"


def test_no_balance_passes_what_a_number_can_hold(house: House) -> None:
    assert house.post(("SUPPLY", "POOL", MOST))[0] == "SUCCESS"
    before = house.balances()
    assert house.post(("SUPPLY", "POOL", 1))[0] == "VIOLATION"
    assert house.balances() == before == {"SUPPLY": -MOST, "POOL": MOST}
    assert house.post(("POOL", "SUPPLY", 1), ("SUPPLY", "POOL", 1))[0] == "SUCCESS"


def test_receiving_opens_an_account_where_the_store_says_so(house: House) -> None:
    chain = House(house.ledger, OPENED)
    assert chain.post(("SUPPLY", "A", 5), ("A", "B", 5))[1]["balances"] == {"SUPPLY": -5, "A": 0, "B": 5}
    assert chain.post(("C", "B", 5)) == ("NOT_FOUND", {"account": "C"})
    assert chain.balances() == {"SUPPLY": -5, "A": 0, "B": 5}
    assert house.balances() == {}, "stores do not mix"


# The model: what a dictionary would do.


class Model:
    """Accounts as a dictionary, postings as a list."""

    def __init__(self, declared: dict[str, Any]) -> None:
        self.overdraft = declared["overdraft"]
        self.opens = declared.get("open_on_receipt", False)
        self.balances = dict.fromkeys([*self.overdraft, *declared.get("opened", [])], 0)
        self.postings: list[tuple[str | None, list[dict[str, Any]]]] = []

    def open(self, account: str) -> Answer:
        """Open an account."""
        if account in self.balances:
            return "ALREADY_EXISTS", {}
        self.balances[account] = 0
        return "SUCCESS", {}

    def post(self, entries: list[dict[str, Any]], key: str | None, after: int | None) -> Answer:
        """Post entries."""
        if any(not 1 <= entry["amount"] <= MOST or entry["from"] == entry["to"] for entry in entries):
            return "VIOLATION", {}
        for number, (past, told) in enumerate(self.postings, 1):
            if key is not None and past == key:
                return "ALREADY_EXISTS", {"number": number, "entries": told}
        if after is not None and after != len(self.postings):
            return "CONFLICT", {"number": len(self.postings)}
        now = dict(self.balances)
        for entry in entries:
            giver, taker = entry["from"], entry["to"]
            if giver not in now:
                return "NOT_FOUND", {"account": giver}
            if taker not in now and not self.opens:
                return "NOT_FOUND", {"account": taker}
            if now[giver] < entry["amount"] and giver not in self.overdraft:
                return "INSUFFICIENT", {"account": giver, "balance": now[giver]}
            now[giver] -= entry["amount"]
            now[taker] = now.get(taker, 0) + entry["amount"]
            if not -MOST <= now[giver] <= now[giver] + entry["amount"] or now[taker] > MOST:
                return "VIOLATION", {}
        self.balances = now
        self.postings.append((key, entries))
        touched = {entry[side] for entry in entries for side in ("from", "to")}
        return "SUCCESS", {"number": len(self.postings), "balances": {name: now[name] for name in touched}}


account = st.sampled_from(["SUPPLY", "POOL", "W", "W#stake", ""])
amount = st.integers(1, 5) | st.sampled_from([0, -1, MOST, MOST - 1])
entry = st.tuples(account, account, amount)
posting = st.tuples(st.lists(entry, max_size=4), st.none() | st.sampled_from("kl"), st.none() | st.integers(0, 3))
steps = st.lists(account | posting, max_size=14)


@pytest.fixture(params=["memory", "file", "postgres"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str | None]:
    """Return what makes a new data root of one kind."""
    numbers = count()
    made: Any = {"memory": lambda: None, "file": lambda: str(tmp_path / str(next(numbers)))}.get(request.param)
    return made or request.getfixturevalue("postgres").root  # type: ignore[no-any-return]


@pytest.mark.parametrize("store", [ACCOUNTS, OPENED])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_accounts_do_what_a_dictionary_does(fresh: Callable[[], str | None], store: str, steps: list[Any]) -> None:
    model = Model(DECLARED[store])
    with open_root(fresh()) as ledger:
        house = House(ledger, store)
        for step in steps:
            if isinstance(step, str):
                assert house.do("OPEN", account=step) == model.open(step)
            else:
                outcome, output = house.post(*step[0], key=step[1], after=step[2])
                expected, told = model.post(written(step[0]), *step[1:])
                assert outcome == expected
                assert outcome == "VIOLATION" or output == told
            held = house.balances()
            assert sum(held.values()) == 0
            assert {name: held.get(name, 0) for name in model.balances} == model.balances
            assert all(amount >= 0 or name in model.overdraft for name, amount in held.items())
        for name in ("SUPPLY", "POOL", "W"):
            found = {"balance": model.balances[name]} if name in model.balances else {}
            assert house.do("BALANCE", account=name) == ("SUCCESS" if found else "NOT_FOUND", found)
        others = state(ledger)
        assert {name for name, records in others.items() if records} <= {store}


def test_the_cost_does_not_grow_with_accounts_and_postings(tmp_path: Path) -> None:
    """Every operation takes as many steps of the database among 2,000 as among 20."""
    with open_root(str(tmp_path)) as ledger:
        house = House(ledger)
        sizes: list[dict[str, int]] = []
        done = 0
        for size in (20, 2000):
            held = journal(ledger, f"fill-{size}")
            held.begin()
            store, call = held.store(ACCOUNTS), Call(f"fill-{size}", "fill", ACCOUNTS)
            while done < size:
                CATALOGUE["std::CS_ACCOUNTS_V0.OPEN"]({"account": f"W{done}"}, store, call)  # type: ignore[call-arg]
                entries = written([("SUPPLY", f"W{done}", 1)])
                CATALOGUE["std::CS_ACCOUNTS_V0.POST"](  # type: ignore[call-arg]
                    {"key": f"k{done}", "entries": entries, "after": None}, store, call
                )
                done += 1
            held.receipt("fill", "std::CS_ACCOUNTS_V0.POST", "SUCCESS")
            held.commit()
            actions: dict[str, Callable[[], Any]] = {
                "open": lambda: house.do("OPEN", account=f"new {done}"),  # noqa: B023 (called in this very turn)
                "balance": lambda: house.do("BALANCE", account="W7"),
                "post": lambda: house.post(("W7", "W8", 1), ("W8", "W7", 1)),
                "again": lambda: house.post(key="k7"),
                "conflict": lambda: house.post(after=0),
            }
            house.post(("SUPPLY", "W7", 1))  # makes the key set of calls, the first time
            sizes.append({name: steps_of(ledger, action) for name, action in actions.items()})
    small, large = sizes
    assert {name: large[name] for name in small if large[name] > small[name] + 5} == {}
    assert all(small.values())
