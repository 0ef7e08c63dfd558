"""Two records compared: what made the runs part is named, what followed is told, and nothing else counts as a cause."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import omnibachi
import post_office
from forging import forged, planted
from front_door import Call, call
from omnibachi import Workspace
from omnibachi_model.digests import encode
from omnibachi_observer.parting import MOST_PLACES, places
from post_office import LABEL, PARCEL, WF, edit

__all__ = ["call"]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "~", "/", "~1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["", "a", "~", "/", "b/c"]), inner),
    max_leaves=30,
)
LABELS = "capabilities/post_office/labels.py"
NOON, LATER = ({"at": f"2026-01-01T{hour}:00:00.000Z", "unix_ms": 1} for hour in (12, 13))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return post_office.build(tmp_path_factory.mktemp("parting") / "office")


def ran(office: Workspace, trace_id: str = "T1", at: Any = NOON, keep: Any = None, **payload: Any) -> bytes:
    """Run the workflow once in memory, at a forced time."""
    forced = {"now": ("SUCCESS", at)} | ({"keep": keep} if keep else {})
    with office.engine(forced=forced) as engine:
        ended = engine.run(WF, {**PARCEL, **payload}, trace_id=trace_id)
    assert ended.exit is not None, ended.diagnostics
    return ended.record


def causes(old: bytes, new: bytes) -> list[tuple[str, str]]:
    return [(cause.kind, cause.path) for cause in omnibachi.diff(old, new).causes]


def test_equal_runs_are_the_same(office: Workspace) -> None:
    found = omnibachi.diff(ran(office), ran(office, "T2"))
    assert found.same and not found.causes and not found.followed and found.runs == ("T1", "T2")
    assert found.shared == 5


def test_a_payload_parts_runs(office: Workspace) -> None:
    found = omnibachi.diff(ran(office), ran(office, weight=31))
    assert [cause.as_json() for cause in found.causes] == [
        {"kind": "payload", "path": "", "places": [{"pointer": "/weight", "old": 7, "new": 31}], "note": None}
    ]
    assert [(item.path, item.what) for item in found.followed] == [
        ("allowed", "inputs"), ("price", "only-old"), ("now", "only-old"), ("keep", "only-old"),
    ]  # fmt: skip
    assert found.shared == 1 and [end and end["exit"] for end in found.ends] == ["sent", "refused"]


def test_an_answer_parts_runs_and_a_second_one_parts_them_again(office: Workspace) -> None:
    taken = ("ALREADY_EXISTS", {"value": {"to": "Rome", "cents": 1, "at": "then"}})
    assert causes(ran(office), ran(office, keep=taken)) == [("recorded answer", "keep")]
    found = omnibachi.diff(ran(office), ran(office, at=LATER))
    assert [(cause.kind, cause.path) for cause in found.causes] == [("recorded answer", "now")]
    assert found.causes[0].places[0] == ("/output/at", NOON["at"], LATER["at"])
    assert [(item.path, item.what) for item in found.followed] == [("keep", "inputs")]
    assert found.ends[0] == found.ends[1]


def test_code_parts_runs(office: Workspace, tmp_path: Path) -> None:
    post_office.build(tmp_path / "new")
    edit(tmp_path / "new", LABELS, '"P-"', '"Q-"')
    found = omnibachi.diff(ran(office), ran(post_office.compiled(tmp_path / "new")))
    assert [(cause.kind, cause.path) for cause in found.causes] == [("code", "label")]
    assert found.locks == [LABEL] and LABEL in str(found.causes[0].note)
    assert [(item.path, item.what) for item in found.followed] == [("keep", "inputs")]


def test_code_that_answers_alike_is_no_difference(office: Workspace, tmp_path: Path) -> None:
    post_office.build(tmp_path / "new")
    edit(tmp_path / "new", LABELS, '"P-"', "'P-'")
    found = omnibachi.diff(ran(office), ran(post_office.compiled(tmp_path / "new")))
    assert found.same and found.locks == [LABEL]


def test_code_beyond_the_locks_is_told(office: Workspace) -> None:
    """A lock covers the modules of one package; what these rely on elsewhere may change the answer all the same."""

    def answer_otherwise(bodies: list[Any], obs: list[Any]) -> None:
        bodies[1]["output"] = {"code": "X"}

    found = omnibachi.diff(ran(office), forged(ran(office), answer_otherwise))
    assert [(cause.kind, cause.path) for cause in found.causes] == [("code", "label")]
    assert "was sealed alike" in str(found.causes[0].note)


def test_another_workflow_parts_runs(office: Workspace, tmp_path: Path) -> None:
    post_office.build(tmp_path / "new")
    edit(tmp_path / "new", "protocols/post/send.yaml", "weight * 300", "weight * 301")
    found = omnibachi.diff(ran(office), ran(post_office.compiled(tmp_path / "new"), at=LATER))
    assert [(cause.kind, cause.path) for cause in found.causes] == [("workflow", ""), ("recorded answer", "now")]
    assert [item.path for item in found.followed] == ["price", "keep"]


def test_a_record_without_an_end_and_one_that_no_run_left(office: Workspace) -> None:
    whole = ran(office)
    cut = b"".join(whole.splitlines(keepends=True)[:3])
    for sides in ((whole, cut), (cut, whole)):
        assert causes(*sides) == [("end", "price")]
    assert causes(whole, b"".join(whole.splitlines(keepends=True)[:-1])) == [("end", "")]
    assert causes(whole, planted(whole, 3, outcome="NO")) == [("edited", "allowed")]
    assert causes(whole, planted(whole, len(whole.splitlines()), exit="known")) == [("edited", "")]
    with pytest.raises(omnibachi.Refused) as refused:
        omnibachi.diff(whole, whole.replace(b"Rome", b"Bonn", 1))
    assert refused.value.diagnostics[0].code == "OB740"


def test_any_two_runs_part_for_a_reason_that_is_one(office: Workspace) -> None:
    """Over payloads and times, the first cause is exactly what was given otherwise, and equal only without."""
    payloads: list[dict[str, Any]] = [{}, {"to": "nowhere"}, {"to": "raise"}, {"weight": 31}, {"weight": "x"}]
    runs = [(payload, at, ran(office, at=at, **payload)) for payload, at in product(payloads, (NOON, LATER))]
    for (old, before, one), (new, after, other) in product(runs, runs):
        found = omnibachi.diff(one, other)
        kinds = [cause.kind for cause in found.causes]
        assert ("payload" in kinds) is (old != new)
        assert ("recorded answer" in kinds) is (before != after and b'"path":"now"' in one and b'"path":"now"' in other)
        assert set(kinds) <= {"payload", "recorded answer"} and found.same is not bool(kinds)


@given(VALUES, VALUES)
def test_places_are_where_two_values_differ(old: Any, new: Any) -> None:
    found = places(old, new)
    assert bool(found) is (encode(old) != encode(new)) and len(found) <= MOST_PLACES
    assert found == [(pointer, one, other) for pointer, other, one in places(new, old)]
    for pointer, one, other in found:
        for value, expected in ((old, one), (new, other)):
            assert encode(at(value, pointer)) == encode(expected)


def at(value: Any, pointer: str) -> Any:
    """Return what lies at a JSON Pointer, None where nothing does."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name)
    return value


def test_the_command_tells_records_from_snapshots(office: Workspace, tmp_path: Path, call: Call) -> None:
    inside = ("--workspace", office.root, "--data-root", str(tmp_path / "data"))
    for name, record in (("T1", ran(office)), ("T2", ran(office, "T2", weight=31)), ("T3", ran(office, "T3"))):
        office.traces.write(name, "jsonl", record)
    folder = Path(office.root) / "traces/T2"
    for target in ("T2", str(folder), str(folder / "T2.jsonl")):
        said = call("diff", "T1", target, *inside)
        assert said.status == 1 and said.err == ""
        assert said.out.startswith("first difference: payload\n  /weight: `7` -> `31`\n\nwhat followed, after 1 step")
        assert "  price: only in the first\n" in said.out and f"{target}: refused (DENIED)" in said.out
    same = call("diff", "T1", "T3", *inside, "--json")
    assert (same.status, same.json()["same"], same.json()["schema"]) == (0, True, "omnibachi.diff.records/1")
    mixed = call("diff", "T1", f"{office.root}/protocol_snapshot", *inside)
    assert mixed.status == 3 and "error[OB754]" in mixed.err
    assert "OB316" in call("diff", "T1", "T4", *inside).err
    (folder / "T2.jsonl").write_bytes(ran(office, "T2").replace(b"Rome", b"Bonn", 1))
    broken = call("diff", "T1", "T2", *inside)
    assert broken.status == 4 and "OB740" in broken.err and broken.out == ""
