"""A ledger of decisions from the front door: runs that append to it, exports, and what `verify` says of them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deciding import LEDGER, anchors, append, asked, decided, everything, tell
from front_door import Call, call
from omnibachi_capabilities import decision_ledger
from omnibachi_ledger import Ledger, open_root
from omnibachi_model.decisions import DECISION, INTENT, PROVIDER_ERRORS, ZERO, misshapen
from performing import Fixed, ledger, root

__all__ = ["call", "ledger", "root"]

ROOT = Path(__file__).resolve().parent.parent
VERIFIER = ROOT / "examples" / "verify_decisions.py"
BOUNDARY = {
    "policy": {"address": "dbl::PL_DEMO_V7", "digest": ZERO, "snapshot": ZERO},
    "provider": "stub",
    "model_id": "m",
}


class Asked:
    """A call of the shell: what it may know besides its inputs."""

    run = "T1"
    clock = Fixed()


def ask(ledger: Ledger, operation: Any, **inputs: Any) -> tuple[str, dict[str, Any]]:
    """Do one operation of the shell in a transaction of its own."""
    held = ledger.journal(
        os.urandom(8).hex(), workflow="dbl::WF_X_V0", workflow_digest="sha256:x", seal=None, payload_digest="p",
        sealed=b'{"stores": {"dbl::ST_LEDGER_V0": {"keeps": "decisions"}}}', started_at="2026-01-31T12:00:00.000Z",
    )  # fmt: skip
    held.begin()
    try:
        answer: tuple[str, dict[str, Any]] = operation(inputs, held.store(LEDGER), Asked())
        held.receipt("node", "x", answer[0])
        held.commit()
    finally:
        held.rollback()
    return answer


def wished(number: int) -> dict[str, Any]:
    return {
        "anchors": {**anchors(number), "actor": "user"}, "identity": {"principal": "local", "verified": False},
        "intent": {"payload": {"message": "hello"}, "form": "v2", "inputs": {"capability": "chat"}},
    }  # fmt: skip


def test_the_shell_records_what_was_asked_with_who_asked(ledger: Ledger) -> None:
    inputs = wished(1)
    outcome, told = ask(ledger, decision_ledger.append_intent, **inputs)
    assert (outcome, sorted(told)) == ("SUCCESS", ["digest", "index", "normative_digest"])
    (event,) = everything(ledger)
    assert event["payload"] == {
        "message": "hello",
        "_envelope": {"form": "v2", "identity": inputs["identity"], "inputs": {"capability": "chat"}},
    }
    assert event["obs"] == {"at": "2026-01-01T00:00:00.123Z", "trace_id": "T1"} and event["actor"] == "user"
    again = ask(ledger, decision_ledger.append_intent, **inputs)
    assert again == ("ALREADY_EXISTS", {**told, "state": "INTENTED"})
    other = {**inputs, "intent": {"payload": {"message": "bye"}, "form": "v2"}}
    assert ask(ledger, decision_ledger.append_intent, **other) == ("CORRELATION_CONFLICT", {})
    with pytest.raises(ValueError, match="_envelope"):
        ask(ledger, decision_ledger.append_intent, **{**inputs, "intent": {"payload": {"_envelope": 1}, "form": "v2"}})


@pytest.mark.parametrize("boundary", [None, BOUNDARY])
def test_what_cannot_be_decided_is_denied(ledger: Ledger, boundary: Any) -> None:
    where = wished(1)["anchors"]
    ask(ledger, decision_ledger.append_intent, **wished(1))
    decision = {"undecidable": "policy.evaluation_error"}
    outcome, _ = ask(ledger, decision_ledger.append_decision, anchors=where, decision=decision, boundary=boundary)
    assert outcome == "SUCCESS"
    intent, event = everything(ledger)
    said = event["payload"]
    assert (said["result"], said["decision"], said["reason_codes"]) == ("DENY", "DENY", ["policy.evaluation_error"])
    assert said["intent_normative_digest"] == intent["normative_digest"] and said["facts"] == {}
    if boundary:
        assert (said["policy_id"], said["policy_version"], said["provider"]) == ("dbl::PL_DEMO_V7", 7, "stub")
    assert len(said) == 14 and misshapen(event) is None
    assert ask(ledger, decision_ledger.read, correlation_id="c-1") == (
        "SUCCESS", {"state": "DENIED", "events": [intent, event]},
    )  # fmt: skip
    assert ask(ledger, decision_ledger.read, correlation_id="c-2") == ("NOT_FOUND", {})
    refused = ask(
        ledger, decision_ledger.append_execution, anchors=where, execution={"failed": "timeout"}, latency_ms=1
    )
    assert refused == ("OUT_OF_ORDER", {"state": "DENIED", "because": "state"})


@pytest.mark.parametrize("code", PROVIDER_ERRORS)
def test_what_failed_is_an_error_of_the_closed_list(ledger: Ledger, code: str) -> None:
    where = wished(1)["anchors"]
    ask(ledger, decision_ledger.append_intent, **wished(1))
    given = {**decided(), "provider": "stub", "model_id": "stub-echo"}
    ask(ledger, decision_ledger.append_decision, anchors=where, decision=given, boundary=None)
    failed = {"failed": code}
    assert ask(ledger, decision_ledger.append_execution, anchors=where, execution=failed, latency_ms=12)[0] == "SUCCESS"
    event = everything(ledger)[2]
    error = event["payload"]["error"]
    assert (error["code"], error["type"]) == (code, code) and event["obs"]["latency_ms"] == 12
    assert (error["status_code"], error["responsibility"], error["retryable"]) == (
        PROVIDER_ERRORS[code][0][0], *PROVIDER_ERRORS[code][1:],
    )  # fmt: skip
    assert event["payload"]["provider"] == "stub" and "output_text" not in event["payload"]


@pytest.mark.parametrize("execution", [{"failed": "tired"}, {"failed": "timeout", "more": 1}, {"failed": None}])
def test_a_short_form_has_one_known_code(ledger: Ledger, execution: dict[str, Any]) -> None:
    tell(ledger, 1, "allowed")
    where = {**anchors(1), "actor": "user"}
    with pytest.raises(ValueError, match="short form"):
        ask(ledger, decision_ledger.append_execution, anchors=where, execution=execution, latency_ms=None)
    with pytest.raises(ValueError, match="a decision has no `verdict`"):
        ask(ledger, decision_ledger.append_decision, anchors=where, decision={"verdict": "ALLOW"}, boundary=None)


@pytest.fixture
def data(call: Call, tmp_path: Path) -> Path:
    """A data root with two stories, beside no workspace: what ships is used."""
    with open_root(str(tmp_path / "data")) as ledger:
        tell(ledger, 1, "ok")
        tell(ledger, 2, "denied")
    return tmp_path / "data"


def test_what_is_exported_is_verified_here_and_elsewhere(call: Call, data: Path, tmp_path: Path) -> None:
    said = call("data", "export", "--data-root", str(data), "--json").json()
    export, checkpoint = (data / "decisions/dbl" / f"ST_LEDGER_V0{end}" for end in (".jsonl", ".checkpoint.json"))
    assert said["files"] == [str(export), str(checkpoint)]
    first = export.read_bytes(), checkpoint.read_bytes()
    assert call("data", "export", "--data-root", str(data)).status == 0
    assert (export.read_bytes(), checkpoint.read_bytes()) == first
    for target in (str(data), str(export)):
        plain = call("verify", target, "--json")
        assert (plain.status, plain.json()["verdict"]) == (0, "INTACT")
        told = plain.json()["ledgers"][0]
        assert told["length"] == 5 and told["correlations"]["executed_ok"] == told["correlations"]["denied"] == 1
        assert call("verify", target, "--require", "anchored").status == 4
        known = call("verify", target, "--checkpoint", str(checkpoint), "--require", "anchored")
        assert known.status == 0 and known.out.startswith("ANCHORED")
    done = subprocess.run(
        [sys.executable, str(VERIFIER), str(export), str(checkpoint)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["5", told["v_digest"], told["normative_head"]]
    shown = call("data", "show", LEDGER, "--data-root", str(data)).out.splitlines()
    assert [json.loads(line) for line in shown] == [json.loads(line) for line in export.read_text("utf-8").splitlines()]
    listed = call("data", "ls", "--data-root", str(data), "--json").json()["stores"]
    assert {"store": LEDGER, "keeps": "decisions", "count": 5} in listed


def test_a_cut_or_rewritten_ledger_is_found_by_its_checkpoint(call: Call, data: Path, tmp_path: Path) -> None:
    """OB822: in itself it is consistent."""
    call("data", "export", "--data-root", str(data))
    checkpoint = tmp_path / "kept.json"
    shutil.copy(data / "decisions/dbl/ST_LEDGER_V0.checkpoint.json", checkpoint)
    with open_root(str(data)) as ledger:
        tell(ledger, 3)
    assert call("verify", str(data), "--checkpoint", str(checkpoint)).out.startswith("ANCHORED")
    for stories in ([(1, "ok")], [(1, "ok"), (2, "asked"), (3, "denied")], []):
        shutil.rmtree(data)
        with open_root(str(data)) as ledger:
            for number, ending in stories:
                tell(ledger, number, ending)
        said = call("verify", str(data), "--checkpoint", str(checkpoint), "--json")
        codes = {item["code"] for item in said.json()["diagnostics"]}
        assert said.status == 4 and "OB822" in codes and (stories or "OB824" in codes)
    checkpoint.write_text("{}", "utf-8")
    assert "OB823" in call("verify", str(data), "--checkpoint", str(checkpoint)).err


def test_a_tampered_ledger_is_told_with_its_first_bad_event(call: Call, data: Path) -> None:
    """OB821 for whoever verifies; OB820 for whoever appends, and nothing was."""
    with sqlite3.connect(data / "store.db") as db:
        db.execute("DROP TRIGGER decisions_update")
        db.execute("UPDATE decisions SET actor='other' WHERE position=3")
    said = call("verify", str(data), "--json")
    assert (said.status, said.json()["ledgers"][0]["first_bad_index"], said.json()["verdict"]) == (4, 3, "BROKEN")
    assert "OB821" in call("verify", str(data)).err
    with open_root(str(data)) as ledger:
        assert ledger.decisions(LEDGER).status()["ledger"]["first_bad_index"] == 3
        before = everything(ledger)
        with pytest.raises(Exception, match="takes nothing more"):
            append(ledger, INTENT, anchors(9), asked())
        assert everything(ledger) == before


def test_a_ledger_without_its_head_is_found(call: Call, data: Path) -> None:
    with sqlite3.connect(data / "store.db") as db:
        db.execute("DELETE FROM decision_heads")
    said = call("verify", str(data))
    assert said.status == 4 and "OB821" in said.err and "belongs to no ledger" in said.err


def test_an_older_data_root_has_no_ledger_and_is_read_all_the_same(call: Call, tmp_path: Path) -> None:
    """Who only reads lays no table: what is not there holds nothing. OB824."""
    with open_root(str(tmp_path / "old")):
        pass
    with sqlite3.connect(tmp_path / "old/store.db") as db:
        for table in ("decisions", "decision_heads", "decision_tallies", "approvals", "cancellations", "commitments"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version=3")
    with open_root(str(tmp_path / "old"), reading=True) as ledger:
        decisions = ledger.decisions(LEDGER)
        assert ledger.stores() == {} and decisions.page()["events"] == [] and decisions.correlation("c-1") is None
        assert decisions.status()["phase"] == "EMPTY" and decisions.verify().reason is None
        assert decisions.timeline("t")["turns"] == decisions.unfinished() == ledger.records(LEDGER, "decisions") == []
    assert "OB824" in call("verify", str(tmp_path / "old")).err
    with open_root(str(tmp_path / "old")) as ledger:
        tell(ledger, 1)
        assert append(ledger, DECISION, anchors(1), decided())[0] == "OUT_OF_ORDER"
