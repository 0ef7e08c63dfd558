"""Licences over time, against a model of a few lines: whatever is asked in whatever order, the exits are those of the
model, and stores and streams hold what it holds.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from governed import DENY, LICENSES, LICENSING, PROVISION, RECLAIM, ROOT, facts, provision, reclaim
from omnibachi import Workspace

SHIPPED = Workspace(ROOT)
LONG_AGO, TO_COME = "2020-01-01", "9999-01-01T00:00:00Z"
EMPLOYEES, NAMES = ("E1", "E2", "E3"), ("L1", "L2", "L3")

employee, name = st.sampled_from(EMPLOYEES), st.sampled_from(NAMES)
asked = st.one_of(
    st.tuples(st.just(PROVISION), employee, name, st.booleans() | st.just(True), st.integers(0, 3), st.integers(0, 4)),
    st.tuples(st.just(RECLAIM), employee, name, st.sampled_from([LONG_AGO, LONG_AGO, TO_COME, "never"]), employee),
    st.tuples(st.just(DENY), employee),
)
known = st.fixed_dictionaries(
    {"training": st.dictionaries(employee, st.booleans(), max_size=3), "cap": st.none() | st.integers(0, 3)}
)


class Office:
    """What the specification says, with a dictionary for the licences and a list for the stream."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.licences: dict[str, tuple[str, bool]] = {}
        self.told: list[tuple[str, str, str | None]] = []

    def provision(self, employee: str, licence: str, trained: bool, used: int, cap: int) -> str:
        """Give a licence, or say why not."""
        holder, active = self.licences.get(licence, ("", False))
        if active:
            return "already_provisioned" if holder == employee else "conflict"
        held = sum(active for _, active in self.licences.values())
        most = cap if self.facts["cap"] is None else min(cap, self.facts["cap"])
        if not (trained and self.facts["training"].get(employee, True)) or max(used, held) >= most:
            return self.deny(employee)
        self.licences[licence] = (employee, True)
        self.told.append(("EV_LICENSE_PROVISIONED_V0", employee, licence))
        return "provisioned"

    def deny(self, employee: str) -> str:
        """Tell a denial."""
        self.told.append(("EV_PROVISION_DENIED_V0", employee, None))
        return "denied"

    def reclaim(self, employee: str, licence: str, last: str, seen: str) -> str:
        """Take a licence back, or say why not."""
        if seen != employee:
            return "identity_mismatch"
        if self.licences.get(licence) != (employee, True):
            return "not_admitted"
        if last != LONG_AGO:
            return "refused"
        self.licences[licence] = (employee, False)
        self.told.append(("EV_LICENSE_REVOKED_V0", employee, licence))
        return "reclaimed"


@settings(max_examples=25, deadline=None)
@given(known, st.lists(asked, min_size=4, max_size=20))
def test_exits_and_records_are_those_of_the_model(known: dict[str, Any], steps: list[tuple[Any, ...]]) -> None:
    office = Office(known)
    training = {key: {"completed": done} for key, done in known["training"].items()}
    limits = {} if known["cap"] is None else {"ai_licensing": {"cap": known["cap"]}}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "data")
        file = Path(folder, "facts.json")
        file.write_text(json.dumps(facts(training=training, licensing_limits=limits)))
        assert SHIPPED.load_facts(file, data_root=root).exit_code == 0
        with SHIPPED.engine(root) as engine:
            for workflow, *given in steps:
                if workflow == PROVISION:
                    employee, licence, trained, used, cap = given
                    payload = provision(employee, licence, training_completed=trained, assigned_count=used, cap=cap)
                    wanted = office.provision(*given)
                elif workflow == RECLAIM:
                    employee, licence, last, seen = given
                    payload = reclaim(employee, licence, last, employee_id=seen)
                    wanted = office.reclaim(*given)
                else:
                    payload = {"employee_id": given[0], "reason_code": "BUDGET"}
                    wanted = office.deny(*given)
                assert engine.run(workflow, payload).exit == wanted
            kept: Any = {item["key"]: item["value"] for item in engine.ledger.records(LICENSES)}
            stream: Any = engine.ledger.records(LICENSING)
    assert kept == {
        licence: {"employee_id": holder, "status": "ACTIVE" if active else "REVOKED"}
        for licence, (holder, active) in office.licences.items()
    }
    told = [(item["event"].partition("::")[2], item["record"]) for item in stream]
    assert [(event, record["employee_id"], record.get("license_id")) for event, record in told] == office.told
