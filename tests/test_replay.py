"""Replay: the run again from its record, with nothing touched, and the first divergence where anything was changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import omnibachi
import post_office
from forging import forged, planted
from front_door import Call, call
from omnibachi import Refused, Replay, Workspace
from omnibachi_model.digests import encode
from omnibachi_model.record import export, read
from post_office import LABEL, PARCEL, SNAPSHOT, WF, edit

__all__ = ["call"]

ROOT = Path(__file__).resolve().parent.parent
LABELS = "capabilities/post_office/labels.py"
# Each exit, and each reason for a FAULT that this workflow can meet: what is added to the parcel.
ENDS: dict[str, tuple[dict[str, Any], str]] = {
    "sent": ({}, "sent"),
    "known": ({}, "known"),
    "refused": ({"weight": 31}, "refused"),
    "rejected": ({"weight": "seven"}, "rejected"),
    "no such place": ({"to": "nowhere"}, "failed"),
    "raised": ({"to": "raise"}, "failed"),
    "undeclared": ({"to": "other"}, "failed"),
    "misfit": ({"to": "misfit"}, "failed"),
    "input misfit": ({"to": "x" * 30}, "failed"),
    "expression": ({"parts": 0}, "failed"),
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a run for every end, and one that lacks an input."""
    workspace = post_office.build(tmp_path_factory.mktemp("office"))
    for number, (payload, exit) in enumerate(ENDS.values()):
        ended = workspace.run(WF, {**PARCEL, **payload}, trace_id=f"T{number}", picture=False)
        assert ended.exit == exit, ended.diagnostics
    assert workspace.run(WF, {"to": "Rome", "weight": 7}, trace_id="absent", picture=False).exit == "failed"
    return workspace


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """A workspace of one run, T0, to be spoiled."""
    workspace = post_office.build(tmp_path / "office")
    assert workspace.run(WF, PARCEL, trace_id="T0", picture=False).exit == "sent"
    return workspace


def record_of(workspace: Workspace, trace_id: str = "T0") -> bytes:
    found = workspace.traces.read(trace_id)
    assert found is not None
    return found


def replayed(workspace: Workspace, record: bytes | None = None, **more: Any) -> Replay:
    return omnibachi.replay(record_of(workspace) if record is None else record, workspace.load(), **more)


def codes(found: Replay) -> list[tuple[str, str]]:
    return [(item.severity, item.code) for item in found.diagnostics]


def contents(root: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


@pytest.mark.parametrize("number", range(len(ENDS)), ids=list(ENDS))
def test_every_end_is_the_same_again(number: int, office: Workspace) -> None:
    record = record_of(office, f"T{number}")
    found = replayed(office, record, data_root=office.data_root, trace_id=f"T{number}")
    assert (found.same, found.finished, found.divergence, found.line, found.stops_at) == (True, True, None, None, None)
    assert found.diagnostics == () and found.events == len(record.splitlines()) and found.trace_id == f"T{number}"


def test_a_missing_input_is_the_same_again(office: Workspace) -> None:
    assert replayed(office, record_of(office, "absent")).same


def test_nothing_is_touched(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, no store, no compiled module; and no side effect is imported, let alone called."""
    root = Path(shop.root)
    shutil.rmtree(root / "capabilities/post_office/__pycache__", ignore_errors=True)
    called: list[str] = []
    function = shop.capabilities.function.__func__  # type: ignore[attr-defined]

    def noting(capabilities: Any, implementation: str) -> Any:
        called.append(implementation)
        return function(capabilities, implementation)

    monkeypatch.setattr(type(shop.capabilities), "function", noting)
    post_office.write(root, LABELS, post_office.LABELS + "\n")
    before = contents(root)
    assert replayed(shop, data_root=shop.data_root).same
    assert contents(root) == before
    assert called == ["post_office.labels:label"]


def test_the_command_says_same_or_where_it_diverges(shop: Workspace, call: Call) -> None:
    at = ("--workspace", shop.root)
    for target in ("T0", f"{shop.root}/traces/T0/T0.jsonl", f"{shop.root}/traces/T0"):
        said = call("replay", target, *at)
        assert (said.status, said.out, said.err) == (0, "SAME  7 events\n", ""), target
    found = call("replay", "T0", *at, "--json").json()
    assert (found["schema"], found["ok"], found["exit_code"]) == ("omnibachi.replay/1", True, 0)
    assert (found["same"], found["divergence"], found["diagnostics"]) == (True, None, [])
    edit(Path(shop.root), LABELS, '"P-"', '"Q-"')
    differs = call("replay", "T0", *at, "--json").json()
    assert (differs["ok"], differs["exit_code"], differs["same"], differs["line"]) == (False, 4, False, 2)
    assert differs["divergence"] == {
        "path": "label", "field": "output", "recorded": {"code": "P-ROME"}, "recomputed": {"code": "Q-ROME"},
    }  # fmt: skip
    first, second = differs["diagnostics"]
    assert (first["code"], first["file"], first["line"]) == ("OB749", "protocols/post/send.yaml", 7)
    assert (second["code"], second["severity"]) == ("OB604", "warning")
    said = call("replay", "T0", *at)
    assert (said.status, said.out) == (4, "DIVERGES  at line 2, label: output\n")
    assert 'recorded as `{"code":"P-ROME"}`, and comes out as `{"code":"Q-ROME"}`' in said.err


# Line from 1, member, new value; then where the divergence is found. Every hash is made anew.
PLANTED: dict[str, tuple[int, str, Any, tuple[int, str, str]]] = {
    "payload": (1, "payload", {**PARCEL, "to": "Oslo"}, (2, "label", "inputs")),
    "payload that is refused": (1, "payload", {"to": "Rome"}, (2, "rejected", "path")),
    "inputs of a transform": (2, "inputs", {"to": "Oslo"}, (2, "label", "inputs")),
    "outcome of a transform": (2, "outcome", "NO_SUCH_PLACE", (2, "label", "outcome")),
    "output of a transform": (2, "output", {"code": "P-OSLO"}, (2, "label", "output")),
    "node of a transform": (2, "path", "other", (2, "label", "path")),
    "capability": (2, "capability", "std::CT_DIGEST_V0", (2, "label", "capability")),
    "effect class": (2, "effect", "READ", (2, "label", "effect")),
    "row": (3, "row", 1, (3, "allowed", "row")),
    "values of a decision": (3, "inputs", {"limit": 30, "weight": 8}, (3, "allowed", "inputs")),
    "outcome of a decision": (3, "outcome", "NO", (3, "allowed", "outcome")),
    "computed value": (4, "output", {"cents": 1}, (4, "price", "output")),
    "inputs of a read": (5, "inputs", {"zone": "UTC"}, (5, "now", "inputs")),
    "answer that does not fit": (5, "output", {"at": "noon", "unix_ms": 1}, (5, "now", "output")),
    "answer that is read later": (5, "output", {"at": "2026-01-01T00:00:00Z", "unix_ms": 1}, (6, "keep", "inputs")),
    "inputs of an effect": (6, "inputs", {"key": "P-ROME", "value": {}}, (6, "keep", "inputs")),
    "undeclared outcome of an effect": (6, "outcome", "LOST", (6, "keep", "outcome")),
    "exit": (7, "exit", "known", (7, "sent", "exit")),
    "status": (7, "status", "DENIED", (7, "sent", "status")),
    "result": (7, "result", {"code": "P-ROME", "cents": 1}, (7, "sent", "result")),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_change_in_the_trace_is_found_where_it_is(name: str, office: Workspace) -> None:
    line, member, value, expected = PLANTED[name]
    record = record_of(office)
    changed = planted(record, line, **{member: value})
    assert omnibachi.verify(changed).verdict == "INTACT"
    assert omnibachi.verify(changed, data_root=office.data_root).line == line
    found = replayed(office, changed)
    assert not found.same and found.divergence is not None
    assert (found.line, found.divergence.path, found.divergence.field) == expected
    assert encode(found.as_json()) and codes(found)[0] == ("error", "OB749")
    with pytest.raises(Refused, match="OB740"):
        replayed(office, changed, data_root=office.data_root)


def test_another_answer_that_nothing_reads_is_for_the_journal_to_find(office: Workspace) -> None:
    """What a side effect answered cannot be computed again, so a replay believes it; ANCHORED does not."""

    def change(bodies: list[Any], obs: list[Any]) -> None:
        bodies[4]["output"]["unix_ms"] += 1

    changed = forged(record_of(office), change)
    assert replayed(office, changed).same
    assert omnibachi.verify(changed, data_root=office.data_root).verdict == "BROKEN"


def test_another_answered_outcome_is_followed_and_the_route_differs(office: Workspace) -> None:
    def change(bodies: list[Any], obs: list[Any]) -> None:
        value = {"to": "Rome", "cents": 1, "at": "2026-01-01T00:00:00Z"}
        bodies[5].update(outcome="ALREADY_EXISTS", output={"value": value})

    found = replayed(office, forged(record_of(office), change))
    assert (found.line, found.divergence) == (7, omnibachi.Divergence("known", "exit", "sent", "known"))


def without(record: bytes, *lines: int) -> bytes:
    """Leave lines (from 1) out, count the others anew and make every hash anew."""
    events = [event for event in read(record) if event.line not in lines]
    return export((event.body_bytes, encode({**event.obs, "seq": at})) for at, event in enumerate(events, 1))


def test_steps_left_out_are_found(office: Workspace) -> None:
    record = record_of(office)
    for line in range(2, 7):
        changed = without(record, line)
        assert omnibachi.verify(changed).verdict == "INTACT"
        found = replayed(office, changed)
        assert found.divergence is not None and (found.line, found.divergence.field) == (line, "path")
        assert "goes on with" in found.diagnostics[0].message


def test_an_unfinished_record_is_recomputed_as_far_as_it_goes(office: Workspace) -> None:
    names = ["label", "allowed", "price", "now", "keep", "sent"]
    lines = record_of(office).splitlines(True)
    for count, name in enumerate(names, 1):
        found = replayed(office, b"".join(lines[:count]), data_root=office.data_root)
        assert (found.same, found.finished, found.stops_at, codes(found)) == (True, False, name, [("warning", "OB741")])
    rejected = replayed(office, record_of(office, "T3").splitlines(True)[0])
    assert (rejected.same, rejected.stops_at) == (True, "rejected")


def test_a_resumed_run_is_the_same_again(office: Workspace) -> None:
    events = [(event.body, event.obs) for event in read(record_of(office))]
    for place in range(1, len(events)):
        more = [*events[:place], ({"kind": "RESUMED"}, {"at_us": 1}), *events[place:]]
        found = replayed(office, export((encode(b), encode({**o, "seq": n})) for n, (b, o) in enumerate(more, 1)))
        assert found.same and found.finished


def refusal(workspace: Workspace, record: bytes | None = None, **more: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        replayed(workspace, record, **more)
    assert refused.value.exit_code == 4
    return refused.value.diagnostics[0].code, refused.value.diagnostics[0].message


def test_a_broken_or_foreign_record_is_said_first(office: Workspace, call: Call) -> None:
    record = record_of(office)
    assert refusal(office, record[:-1]) == (
        "OB740",
        "the record is broken at line 7: the line has no end: the record was cut",
    )
    assert refusal(office, b"")[0] == "OB740"
    assert refusal(office, record, trace_id="T9") == (
        "OB740", "the record is broken at line 1: this is the record of `T0`, not of `T9`",
    )  # fmt: skip
    Path("cut.jsonl").write_bytes(record[:-1])
    said = call("replay", "cut.jsonl", "--workspace", office.root, "--json").json()
    assert (said["exit_code"], said["same"], said["divergence"]) == (4, False, None)
    assert said["diagnostics"][0]["code"] == "OB740"
    assert call("replay", "T99", "--workspace", office.root).status == 3


def changed_workflow(shop: Workspace) -> None:
    edit(Path(shop.root), "protocols/post/send.yaml", "weight * 300", "weight * 200")


def test_a_workflow_that_was_edited_is_never_replayed_with(shop: Workspace) -> None:
    edit(Path(shop.root), f"{SNAPSHOT}/post/WF_SEND_V0.json", "300", "200")
    assert refusal(shop) == ("OB602", "`post/WF_SEND_V0.json` is not what the manifest says")
    found = replayed(shop, data_root=shop.data_root)
    assert found.same and codes(found) == [("warning", "OB602")], "the journal stored the one that ran"


def test_a_workflow_that_was_sealed_anew_is_told_and_the_stored_one_used(
    shop: Workspace, tmp_path: Path, call: Call
) -> None:
    shutil.copytree(Path(shop.root) / SNAPSHOT, tmp_path / "old")
    ran = str(shop.load().seal)
    changed_workflow(shop)
    post_office.compiled(Path(shop.root))
    code, message = refusal(shop)
    now = shop.load().manifest["workflows"][WF]["sha256"]
    assert code == "OB746" and f"the snapshot at hand has `{now}`" in message
    found = replayed(shop, data_root=shop.data_root)
    assert found.same and codes(found) == [("warning", "OB746")]
    # Named snapshots: the new one is refused and says which is needed, the old one does.
    at = ("--workspace", shop.root)
    said = call("replay", "T0", "--snapshot", f"{shop.root}/{SNAPSHOT}", *at)
    assert (
        said.status == 4
        and "error[OB746]" in said.err
        and f"use the snapshot of the seal `{ran}`" in " ".join(said.err.split())
    )
    assert call("replay", "T0", "--snapshot", shop.root, *at).status == 4
    for old in ("old", "old/manifest.json"):
        assert call("replay", "T0", "--snapshot", old, *at).out == "SAME  7 events\n"
    assert "OB601" in call("replay", "T0", "--snapshot", "nothing", *at).err


def test_a_forged_digest_does_not_hide_a_changed_workflow(shop: Workspace) -> None:
    """Whoever changes a workflow and claims in the record that it is the one that ran is told by the routes."""
    changed_workflow(shop)
    post_office.compiled(Path(shop.root))
    now = shop.load().manifest["workflows"][WF]["sha256"]
    found = replayed(shop, forged(record_of(shop), lambda bodies, obs: bodies[0].update(workflow_digest=now)))
    assert found.divergence == omnibachi.Divergence("price", "output", {"cents": 2100}, {"cents": 1400})
    assert found.diagnostics[0].span is not None and found.diagnostics[0].span.line == 17


def test_a_changed_capability_is_told_whether_it_matters_or_not(shop: Workspace) -> None:
    root = Path(shop.root)
    edit(root, LABELS, '"P-"', '"P" "-"')
    harmless = replayed(shop)
    assert harmless.same and codes(harmless) == [("warning", "OB604")]
    assert harmless.diagnostics[0].message == (
        f"the source of `post_office.labels`, which `{LABEL}` relies on, is not what was sealed"
    )
    post_office.compiled(root)
    sealed_anew = replayed(shop)
    assert sealed_anew.same and codes(sealed_anew) == [("warning", "OB604")]
    assert sealed_anew.diagnostics[0].message == f"`{LABEL}` is not sealed as it was for this run"
    edit(root, LABELS, 'if to == "raise"', 'if to == "Rome"')
    crash = replayed(shop)
    assert crash.divergence == omnibachi.Divergence("label", "outcome", "SUCCESS", "FAULT")
    assert codes(crash) == [("error", "OB749"), ("warning", "OB604"), ("warning", "OB604")]


@pytest.mark.parametrize(
    ("text", "code"),
    [("import nothing_of_this_name\n", "OB409"), ("label = 1\n", "OB605"), ("def label(:\n", "OB409"), (None, "OB605")],
    ids=["import fails", "no function", "no Python", "no module"],
)
def test_a_capability_that_cannot_be_called_is_refused(shop: Workspace, text: str | None, code: str) -> None:
    path = Path(shop.root) / LABELS
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert refusal(shop)[0] == code


def test_a_capability_that_is_sealed_no_more_is_refused(shop: Workspace) -> None:
    root = Path(shop.root)
    snapshot = shop.load()
    del snapshot.manifest["capabilities"][LABEL]
    with pytest.raises(Refused, match="OB605"):
        omnibachi.replay(record_of(shop), snapshot)
    shutil.rmtree(root / "capabilities")
    assert refusal(shop)[0] == "OB605"


def test_a_damaged_data_root_is_a_warning(shop: Workspace) -> None:
    (Path(shop.data_root) / "store.db").write_bytes(b"no database" * 100)
    found = replayed(shop, data_root=shop.data_root)
    assert found.same and codes(found) == [("warning", "OB723")]


def test_what_the_run_read_of_itself_is_compared(tmp_path: Path) -> None:
    """`$.run` is told twice, in the body and in `obs`; a record in which they differ is broken, not replayed."""
    workspace = Workspace(ROOT)
    payload = json.loads((ROOT / "examples/register_actor.json").read_bytes())
    with workspace.engine() as engine:
        ended = engine.run("blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0", payload, actor="me")
    assert replayed(workspace, ended.record).same
    later = {"started_at": "2027-01-01T00:00:00.000Z"}

    def both(bodies: list[Any], obs: list[Any]) -> None:
        bodies[0]["run"] = later
        obs[0].update(later)

    assert refusal(workspace, forged(ended.record, lambda bodies, obs: bodies[0].update(run=later)))[0] == "OB740"
    found = replayed(workspace, forged(ended.record, both))
    assert (found.line, found.divergence and found.divergence.field) == (4, "inputs")
