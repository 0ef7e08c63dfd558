"""What the page and the examination of a run say of its interruptions: where, when, by what, with what accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dying import CAPS, LOOK, PUT, SHOUT, SWAP, dies_at, shop
from front_door import Call, call
from omnibachi_model.record import RESUMED_BODY
from omnibachi_observer.examine import examine
from omnibachi_observer.markdown import markdown
from sealed_runs import ACTOR, LOCK, SEAL, Pair, called, finished, record, register, started

__all__ = ["call"]

AT = "2026-01-01T00:00:00.000Z"
KEY = {"id": "AC_1"}


def resumed(**obs: Any) -> Pair:
    return {"kind": "RESUMED"}, {"host": "h2", "program": "omnibachi 0.2.0", "seal": SEAL, **obs}


def interrupted(*again: Pair) -> bytes:
    """Return the record of a registration that was resumed after its second step."""
    workflow = register()
    return record(
        started(workflow, {"actor_record": ACTOR}),
        called(workflow, "actor_id", {"data": ACTOR}, "SUCCESS", KEY),
        called(workflow, "register", {"key": "AC_1", "value": ACTOR}, "SUCCESS", {}, receipt=1),
        *again,
        called(workflow, "announce", {"record": {"actor_id": "AC_1"}}, "SUCCESS", {"sequence": 1}, receipt=2),
        finished("registered", "COMPLETED", {"actor_id": "AC_1"}),
    )


def told(data: bytes) -> tuple[str, str, list[dict[str, Any]]]:
    """Return the page, the text of the examination on one line, and its resumptions."""
    report = examine(data, workflow=register())
    page = markdown(data, workflow=register()).decode()
    return page, " ".join(report.as_text().split()), report.resumptions


def test_place_time_program_and_host_are_told() -> None:
    page, text, (found,) = told(interrupted(resumed(at_us=1_767_225_600_000_000)))
    said = f"run was interrupted after step 2, `register`, and resumed at `{AT}` by `omnibachi 0.2.0` on `h2`"
    assert f"\n## The path\n\nThe {said}.\n" in page
    assert f"so the run went on to `announce` -- the {said} 3. `announce`" in text
    assert found == {
        "after": 2, "node": "register", "at": AT, "program": "omnibachi 0.2.0", "host": "h2", "seal": SEAL,
        "accepted": [], "what": f"the {said}",
    }  # fmt: skip


def test_a_run_that_was_never_interrupted_says_nothing_of_it() -> None:
    page, text, resumptions = told(interrupted())
    assert "interrupted" not in page + text
    assert resumptions == []


def test_each_of_several_is_told() -> None:
    other = "sha256:" + "6" * 64
    first = resumed(accepted={"std::CT_GENERATE_ID_V0": LOCK}, seal=other)
    second = resumed(accepted={"std::CS_EVENTS_V0.APPEND": LOCK, "std::CS_REGISTRY_V0.REGISTER": LOCK}, seal=other)
    page, text, resumptions = told(interrupted(first, second))
    once = f"with the changed capability `std::CT_GENERATE_ID_V0` accepted; it went on with the snapshot `{other}`"
    again = "with the changed capabilities `std::CS_EVENTS_V0.APPEND` and `std::CS_REGISTRY_V0.REGISTER` accepted"
    for whole in (page, text):
        assert whole.count("run was interrupted after step 2, `register`") == 2
        assert once in whole and again in whole
        assert whole.count("it went on with the snapshot") == 1, "the same snapshot is not told twice"
    assert [len(found["accepted"]) for found in resumptions] == [1, 2]
    assert "finished, resumed 2 times" in text


def test_what_is_no_resumption_of_ours_is_told_as_far_as_it_goes() -> None:
    odd = resumed(host=1, program=None, seal=[], accepted="all", at_us=None)
    page, text, (found,) = told(record(started(register(), {"actor_record": ACTOR}), odd))
    assert "The run was interrupted before its first step, and resumed.\n" in page
    assert "-- the run was interrupted before its first step, and resumed" in text
    assert (found["after"], found["node"], found["at"], found["accepted"]) == (0, None, None, [])


def test_hostile_names_stay_code() -> None:
    page, text, _ = told(interrupted(resumed(host="`h`\n# heading\u202e", accepted={"<b>\n": LOCK})))
    assert "\n# heading" not in page
    assert "\u202e" not in page + text


def test_a_run_that_was_killed_and_resumed(call: Call, tmp_path: Path) -> None:
    shop(tmp_path)
    dies_at(tmp_path, "look", "run", "T1")
    shop(tmp_path, caps=CAPS + "\n# other bytes\n")
    accept = [word for address in (SHOUT, PUT, LOOK, SWAP) for word in ("--accept", address)]
    assert call("resume", "T1", "--no-picture", *accept).status == 0
    lines = (tmp_path / "traces/T1/T1.jsonl").read_bytes().splitlines()
    assert b'{"body":' + RESUMED_BODY + b"," in lines[3]
    report = call("examine", "T1", "--json").json()
    (found,) = report["resumptions"]
    assert (report["resumed"], found["after"], found["node"]) == (1, 2, "first")
    assert found["accepted"] == [LOOK, PUT, SWAP, SHOUT]
    said = call("traces", "show", "T1").out
    assert f"The{found['what'].removeprefix('the')}.\n" in said
    messages = [item["message"] for item in report["diagnostics"]]
    assert messages == [
        f"`{address}` is not the one that this run called before it was resumed" for address in found["accepted"]
    ]
