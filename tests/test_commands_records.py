"""`verify` and `examine`: a record by file and by id, broken, foreign and unfinished ones, and snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest

from front_door import GREET, STORE, Call, call, greet, workspace

__all__ = ["call", "workspace"]


def test_verify_says_broken_intact_or_anchored(call: Call, workspace: Path) -> None:
    greet(call, "T1")
    trace = workspace / "traces/T1/T1.jsonl"
    for target in ("T1", "traces/T1/T1.jsonl", "traces/T1"):
        said = call("verify", target, "--require", "anchored")
        assert (said.status, said.out.split()[0], said.err) == (0, "ANCHORED", "")
    copy = workspace / "copy.jsonl"
    copy.write_bytes(trace.read_bytes())
    assert call("verify", "copy.jsonl", "--data-root", "other").out.startswith("INTACT  4 events")
    weak = call("verify", "copy.jsonl", "--data-root", "other", "--require", "anchored")
    assert weak.status == 4
    assert "error[OB748]" in weak.err
    trace.write_bytes(trace.read_bytes().replace(b"World", b"Earth", 1))
    broken = call("verify", "T1", "--json").json()
    assert (broken["schema"], broken["verdict"], broken["line"], broken["exit_code"]) == (
        "omnibachi.verify/1", "BROKEN", 1, 4,
    )  # fmt: skip
    assert broken["diagnostics"][0]["code"] == "OB740"
    assert call("verify", "T1").status == 4


def test_verify_knows_another_runs_record_under_this_ones_name(call: Call, workspace: Path) -> None:
    greet(call, "T1")
    greet(call, "T2")
    (workspace / "traces/T1/T1.jsonl").write_bytes((workspace / "traces/T2/T2.jsonl").read_bytes())
    said = call("verify", "T1")
    assert said.status == 4
    assert "this is the record of `T2`, not of `T1`" in said.err


def test_verify_tells_an_unfinished_record(call: Call, workspace: Path) -> None:
    greet(call, "T1")
    lines = (workspace / "traces/T1/T1.jsonl").read_bytes().splitlines(keepends=True)
    (workspace / "cut.jsonl").write_bytes(b"".join(lines[:-1]))
    said = call("verify", "cut.jsonl")
    assert said.status == 0
    assert "unfinished" in said.out
    assert "warning[OB741]" in said.err


def test_verify_of_a_snapshot_finds_every_change(call: Call, workspace: Path) -> None:
    snapshot = workspace / "protocol_snapshot"
    whole = call("verify", "protocol_snapshot")
    assert (whole.status, whole.out.split()[0]) == (0, "INTACT")
    (snapshot / "notes.txt").write_text("x")
    extra = call("verify", "protocol_snapshot")
    assert extra.status == 4
    assert "error[OB610] snapshot-extra: `notes.txt`" in extra.err
    (snapshot / "notes.txt").unlink()
    for path in sorted(snapshot.rglob("*.json")):
        if path.name == "versions.json":
            continue
        before = path.read_bytes()
        path.write_bytes(before.replace(b'"', b"'", 1))
        said = call("verify", str(snapshot))
        assert said.status == 4, path
        assert "error[OB602]" in said.err
        path.write_bytes(before)
    words = workspace / "capabilities/greeting/words.py"
    words.write_text(words.read_text() + "\n")
    changed = call("verify", "protocol_snapshot/manifest.json", "--json").json()
    assert (changed["verdict"], changed["exit_code"]) == ("BROKEN", 4)
    assert {item["code"] for item in changed["diagnostics"]} == {"OB604"}
    assert changed["reason"] == changed["diagnostics"][0]["message"]
    (snapshot / "manifest.json").unlink()
    (snapshot / "manifest.json").mkdir()
    unread = call("verify", "protocol_snapshot", "--json").json()
    assert (unread["verdict"], [item["code"] for item in unread["diagnostics"]]) == ("BROKEN", ["OB608"])


def test_verify_takes_a_workspace_for_its_snapshot(
    call: Call, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the code that lies there, wherever one stands."""
    seal = call("verify", "protocol_snapshot").out
    assert call("verify", ".") == (0, seal, "")
    monkeypatch.chdir(workspace.parent)
    assert call("verify", "mine") == call("verify", "mine/", "--require", "intact") == (0, seal, "")
    words = workspace / "capabilities/greeting/words.py"
    words.write_text(words.read_text() + "\n")
    said = call("verify", "mine")
    assert (said.status, said.out.split()[0]) == (4, "BROKEN") and "error[OB604]" in said.err
    (workspace / "protocol_snapshot").rename(workspace / "gone")
    said = call("verify", "mine")
    assert (said.status, said.out) == (4, "BROKEN\n") and "error[OB601]" in said.err


def test_examine_tells_a_run_by_id_and_by_file(call: Call, workspace: Path) -> None:
    greet(call, "T1")
    said = call("examine", "T1")
    assert (said.status, said.err) == (0, "")
    assert "completed at `greeted`" in said.out
    assert "protocols/greeting/greet.yaml:" in said.out
    assert call("examine", "traces/T1/T1.jsonl").out == said.out
    told = call("examine", "T1", "--json").json()
    assert (told["schema"], told["exit"], told["verdict"]) == ("omnibachi.examine/1", "greeted", "ANCHORED")
    (workspace / "traces/T1/T1.jsonl").unlink()
    assert call("examine", "T1").out == said.out, "the journal holds it too"


def test_examine_selects(call: Call, workspace: Path) -> None:
    greet(call, "T1")
    assert call("examine", "T1", "--select", "$[*].body.outcome").out == '"SUCCESS"\n"SUCCESS"\n'
    assert call("examine", "T1", "--select", "$[0].body.workflow", "--json").json()["values"] == [GREET]
    wrong = call("examine", "T1", "--select", "$[")
    assert (wrong.status, wrong.out) == (3, "")
    assert "error[OB747]" in wrong.err


def test_examine_of_a_broken_record_tells_what_stands_before_the_break(call: Call, workspace: Path) -> None:
    greet(call, "T1")
    trace = workspace / "traces/T1/T1.jsonl"
    trace.write_bytes(trace.read_bytes().replace(b"Bonjour", b"Bonsoir", 1))
    said = call("examine", "T1")
    assert said.status == 4
    assert "BROKEN at line 2" in said.out


def test_what_cannot_be_examined_is_one_message(call: Call, workspace: Path) -> None:
    (workspace / "empty.jsonl").write_text("")
    (workspace / "binary.jsonl").write_bytes(bytes(range(256)))
    for arguments, status, code in (
        (("examine", "T1"), 3, "OB316"),
        (("verify", "no/such.jsonl"), 3, "OB742"),
        (("verify", "protocols"), 3, "OB742"),
        (("verify", "empty.jsonl"), 4, "OB740"),
        (("verify", "binary.jsonl"), 4, "OB740"),
    ):
        said = call(*arguments)
        assert (said.status, f"error[{code}]" in said.err) == (status, True), (arguments, said)
    for name in ("empty.jsonl", "binary.jsonl"):
        assert call("examine", name).status == 4


def test_examine_and_verify_work_without_a_snapshot(call: Call, workspace: Path, tmp_path: Path) -> None:
    greet(call, "T1")
    (tmp_path / "bare/protocols").mkdir(parents=True)
    trace = str(workspace / "traces/T1/T1.jsonl")
    assert call("verify", trace, "--workspace", str(tmp_path / "bare")).out.startswith("INTACT")
    assert "greeted" in call("examine", trace, "--workspace", str(tmp_path / "bare")).out


def test_a_data_root_that_cannot_be_read_is_told(call: Call, workspace: Path) -> None:
    greet(call, "T1")
    (workspace / "data/store.db").write_bytes(b"no database" * 100)
    for arguments in (("data", "ls"), ("data", "show", STORE), ("traces", "ls"), ("verify", "T1")):
        said = call(*arguments)
        assert said.status == 6, (arguments, said)
        assert "error[OB72" in said.err


def test_traces_show_tells_what_stands_before_a_break_of_a_record(call: Call, workspace: Path) -> None:
    greet(call, "T1")
    trace = workspace / "traces/T1/T1.jsonl"
    events = call("traces", "show", "traces/T1/T1.jsonl", "--json").json()["events"]
    assert [event["body"]["kind"] for event in events] == ["RUN_STARTED", "CALLED", "CALLED", "RUN_FINISHED"]
    trace.write_bytes(b"".join(trace.read_bytes().splitlines(keepends=True)[:2]) + b"no line of a record\n")
    broken = call("traces", "show", "T1", "--json").json()
    assert (broken["exit_code"], broken["events"], broken["diagnostics"][0]["code"]) == (4, events[:2], "OB740")
    assert sorted(broken["files"]) == ["jsonl", "md"]
    (workspace / "strange").write_bytes(b"\xff\x00")
    strange = call("traces", "show", "strange")
    assert (strange.status, strange.out.splitlines()[0]) == (4, "this is no record of a run.")
    assert "error[OB740]" in strange.err
