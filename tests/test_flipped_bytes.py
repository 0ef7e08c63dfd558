"""Tampering: every byte of one snapshot and of one trace, every line, and whole records that are not what they seem.

Each byte is flipped once: its lowest bit, which turns most characters of JSON and Python into others of their kind, so
that the text as a rule stays well formed and only a digest can tell. A run relies on the manifest, its workflow's file
and the sources of its capabilities, so loading must refuse those; `verify` must name a change of any file, also of
those that are for people (`manifest.sha256`) or noted beside (`versions.json`, where it warns).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import omnibachi
import post_office
from forging import forged
from front_door import Call, call
from omnibachi import Refused, Workspace, wiring
from omnibachi.commands.verify_command import _version
from omnibachi_model.digests import decode
from post_office import PARCEL, SNAPSHOT, STORE, WF

__all__ = ["call"]

MANIFEST, SEAL, VERSIONS = "manifest.json", "manifest.sha256", "versions.json"
SEALED, ORIGINS = "post/WF_SEND_V0.json", "post/WF_SEND_V0.origins.json"
HERE = {name: _version(name) for name in ("omnibachi", "orjson")}
FILES = {MANIFEST, SEAL, VERSIONS, SEALED, ORIGINS, "post/domain.json", "std/domain.json"}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A compiled workspace in which three runs were made: T1, T2 (the same parcel again) and D1 (denied)."""
    workspace = post_office.build(tmp_path_factory.mktemp("office"))
    for trace_id, payload in (("T1", PARCEL), ("T2", PARCEL), ("D1", {**PARCEL, "weight": 31})):
        assert workspace.run(WF, payload, trace_id=trace_id, picture=False).exit
    return workspace


@pytest.fixture(scope="module")
def files(office: Workspace) -> dict[str, bytes]:
    found = post_office.sealed_files(Path(office.root))
    assert found.keys() == FILES
    return found


@pytest.fixture(scope="module")
def sources(office: Workspace) -> dict[str, bytes]:
    """The source of every module that a lock covers."""
    locks = office.load().manifest["capabilities"].values()
    found = {module: office.capabilities.source(module) for lock in locks for module in lock["modules"]}
    assert found["post_office.labels"] == post_office.LABELS.encode()
    return {module: data for module, data in found.items() if data is not None}


@pytest.fixture
def trace(office: Workspace) -> bytes:
    found = office.traces.read("T1")
    assert found is not None and verified(found, office) == "ANCHORED"
    return found


def flips(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each place and the data with the lowest bit of the byte there flipped."""
    for place in range(len(data)):
        yield place, data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def findings(files: dict[str, bytes], sources: dict[str, bytes]) -> list[tuple[str, str]]:
    found = wiring.verify_snapshot(files.get, files, sources.get, HERE.get)
    return [(item.severity, f"{item.code} {item.message}") for item in found]


def loads(files: dict[str, bytes], sources: dict[str, bytes]) -> str | None:
    """Load the workflow as a run does; return the code of the refusal, None where it is loaded."""
    try:
        wiring.load_workflow(wiring.open_snapshot(files.get), WF, sources.get)
    except Refused as refused:
        return refused.diagnostics[0].code
    return None


def test_what_was_sealed_holds_and_loads(files: dict[str, bytes], sources: dict[str, bytes]) -> None:
    assert findings(files, sources) == []
    assert loads(files, sources) is None


@pytest.mark.parametrize("name", sorted(FILES))
def test_verify_names_every_flipped_byte_of_a_snapshot(
    name: str, files: dict[str, bytes], sources: dict[str, bytes]
) -> None:
    severity = "warning" if name == VERSIONS else "error"
    for place, data in flips(files[name]):
        found = findings({**files, name: data}, sources)
        told = [text for kind, text in found if kind == severity and f"`{name}`" in text]
        assert told and (name != VERSIONS or len(told) == len(found)), (place, found)


@pytest.mark.parametrize("name", [MANIFEST, SEALED, "post_office.labels", "omnibachi_capabilities.registry"])
def test_loading_refuses_every_flipped_byte_that_a_run_relies_on(
    name: str, files: dict[str, bytes], sources: dict[str, bytes]
) -> None:
    expected = "OB602" if name in files else "OB604"
    for place, data in flips(files[name] if name in files else sources[name]):
        code = loads({**files, name: data}, sources) if name in files else loads(files, {**sources, name: data})
        assert code == expected, place


def test_verify_names_every_flipped_byte_of_a_capabilitys_source(
    files: dict[str, bytes], sources: dict[str, bytes]
) -> None:
    for place, data in flips(sources["post_office.labels"]):
        found = findings(files, {**sources, "post_office.labels": data})
        assert [text[:5] for _, text in found] == ["OB604"] and "`post_office.labels`" in found[0][1], place


@pytest.mark.parametrize("name", sorted(FILES - {VERSIONS}))
def test_the_door_refuses_what_the_rooms_refuse(name: str, tmp_path: Path, call: Call) -> None:
    """The same through files and commands, for one byte of each file."""
    post_office.build(tmp_path / "office")
    path = tmp_path / "office" / SNAPSHOT / name
    before = path.read_bytes()
    path.write_bytes(before[:40] + bytes([before[40] ^ 1]) + before[41:])
    said = call("verify", str(path.parents[name.count("/")]), "--workspace", "office")
    assert (said.status, said.out.split()[0], f"`{name}`" in said.err) == (4, "BROKEN", True)
    result = Workspace(tmp_path / "office").run(WF, PARCEL, picture=False)
    if name in (MANIFEST, SEAL, SEALED):
        assert (result.exit, result.exit_code, result.diagnostics[0].code) == (None, 4, "OB602")
    else:
        assert result.ok, "no run relies on it"


def test_a_changed_source_stops_the_run(tmp_path: Path) -> None:
    workspace = post_office.build(tmp_path)
    post_office.edit(tmp_path, "capabilities/post_office/labels.py", '"P-"', '"Q-"')
    result = workspace.run(WF, PARCEL, picture=False)
    assert (result.exit, result.exit_code, result.diagnostics[0].code) == (None, 4, "OB604")
    assert not (tmp_path / "data").exists()


def test_an_edited_place_is_not_believed_and_an_edited_domain_is_refused(tmp_path: Path) -> None:
    workspace = post_office.build(tmp_path)
    post_office.edit(tmp_path, f"{SNAPSHOT}/{ORIGINS}", "Send a parcel once.", "Send a parcel.")
    fault = workspace.run(WF, {**PARCEL, "to": "raise"}, picture=False).diagnostics[0]
    assert (fault.code, fault.span) == ("OB702", None)
    post_office.edit(tmp_path, f"{SNAPSHOT}/post/domain.json", "Parcels.", "Letters.")
    called = workspace.call("post::CT_LABEL_V0", {"to": "Rome"})
    assert (called.outcome, called.diagnostics[0].code) == (None, "OB602")


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_is_missing_is_named(name: str, files: dict[str, bytes], sources: dict[str, bytes]) -> None:
    left = {other: data for other, data in files.items() if other != name}
    (found,) = findings(left, sources)
    code = {MANIFEST: "OB601", VERSIONS: "OB611"}.get(name, "OB602")
    assert found[1].startswith(code) and (name == MANIFEST or f"`{name}` is missing" in found[1])
    assert loads(left, sources) == {MANIFEST: "OB601", SEALED: "OB602"}.get(name)


def test_what_lies_there_beside_is_named(tmp_path: Path, call: Call) -> None:
    post_office.build(tmp_path)
    place = tmp_path / SNAPSHOT
    (place / "post/WF_MORE_V0.json").write_text("{}")
    (place / ".hidden").write_text("")
    (place / "linked").symlink_to(tmp_path / "capabilities")
    found = call("verify", SNAPSHOT, "--json").json()
    assert (found["exit_code"], [item["code"] for item in found["diagnostics"]]) == (4, ["OB610"] * 3)
    (place / MANIFEST).unlink()
    gone = call("verify", SNAPSHOT, "--json").json()
    assert (gone["exit_code"], gone["seal"], gone["diagnostics"][0]["code"]) == (4, None, "OB601")


def test_other_versions_are_a_warning_and_no_break(tmp_path: Path, call: Call) -> None:
    post_office.build(tmp_path)
    (tmp_path / SNAPSHOT / VERSIONS).write_bytes(b'{\n  "nobodys-package": "1.0"\n}\n')
    said = call("verify", SNAPSHOT)
    assert (said.status, said.out.split()[0]) == (0, "INTACT")
    assert "warning[OB611]" in said.err and "`nobodys-package` 1.0; here it is not installed" in said.err


# Traces.


def verified(data: bytes, office: Workspace | None = None, **more: Any) -> str:
    return omnibachi.verify(data, data_root=office.data_root if office else None, **more).verdict


def test_every_flipped_byte_of_a_trace_is_broken_at_its_line(trace: bytes) -> None:
    for place, data in flips(trace):
        found = omnibachi.verify(data)
        line = trace[:place].count(b"\n") + 1
        # A flipped end of a line makes one line of two; a flipped byte may make two of one.
        assert found.verdict == "BROKEN" and found.line == line and found.reason, place


def test_every_cut_is_broken_or_unfinished(trace: bytes, office: Workspace) -> None:
    ends = [place + 1 for place, byte in enumerate(trace) if byte == 0x0A]
    for count in range(len(trace)):
        found = omnibachi.verify(trace[:count])
        if count in ends:
            assert (found.verdict, found.finished, found.events) == ("INTACT", False, ends.index(count) + 1)
        else:
            assert (found.verdict, found.line) == ("BROKEN", sum(end <= count for end in ends) + 1)
    kept = omnibachi.verify(trace[: ends[1]], data_root=office.data_root)
    assert (kept.verdict, kept.reason) == ("INTACT", f"the journal holds {len(ends) - 2} more events")


CHANGES: dict[str, Callable[[list[bytes], int, list[bytes]], list[bytes]]] = {
    "removed": lambda lines, at, other: lines[:at] + lines[at + 1 :],
    "doubled": lambda lines, at, other: lines[: at + 1] + lines[at:],
    "swapped": lambda lines, at, other: [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
    "taken from another": lambda lines, at, other: [*lines[:at], other[at], *lines[at + 1 :]],
    "spliced": lambda lines, at, other: lines[: at + 1] + other[at + 1 :],
    "added from another": lambda lines, at, other: [*lines[: at + 1], other[at], *lines[at + 1 :]],
    "emptied": lambda lines, at, other: [*lines[: at + 1], b"\n", *lines[at + 1 :]],
    "ended otherwise": lambda lines, at, other: [*lines[:at], lines[at][:-1] + b"\r\n", *lines[at + 1 :]],
    "indented": lambda lines, at, other: [*lines[:at], b" " + lines[at], *lines[at + 1 :]],
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_changed_line_is_broken(change: str, trace: bytes, office: Workspace) -> None:
    lines, other = trace.splitlines(True), (office.traces.read("T2") or b"").splitlines(True)
    assert len(lines) == len(other) == 7
    for at in range(len(lines) - 1):
        found = omnibachi.verify(b"".join(CHANGES[change](lines, at, other)))
        assert found.verdict == "BROKEN" and found.line in (at + 1, at + 2), at


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\r"),
        lambda data: data + b"\n",
        lambda data: b"\n" + data,
        lambda data: data + data,
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data + b"\x00",
        lambda data: data.decode().encode("utf-16"),
    ],
    ids=["empty", "no last end", "crlf", "cr", "empty line", "empty first line", "twice", "bom", "nul", "utf-16"],
)
def test_what_is_not_byte_for_byte_a_record_is_broken(change: Callable[[bytes], bytes], trace: bytes) -> None:
    assert verified(change(trace)) == "BROKEN"


def test_hashes_made_anew_are_intact_and_not_anchored(trace: bytes, office: Workspace, call: Call) -> None:
    data = forged(trace, lambda bodies, obs: bodies[-1]["result"].update(cents=1))
    assert omnibachi.verify(data).verdict == "INTACT"
    weak = omnibachi.verify(data, require="anchored")
    assert (weak.reaches("anchored"), weak.reason) == (False, "no journal at hand holds this run")
    found = omnibachi.verify(data, data_root=office.data_root)
    assert (found.verdict, found.line, found.reason) == ("BROKEN", 7, "the line is not what the journal holds")
    Path("forged.jsonl").write_bytes(data)
    elsewhere = ("--workspace", office.root, "--data-root", "nowhere")
    assert call("verify", "forged.jsonl", *elsewhere).status == 0
    said = call("verify", "forged.jsonl", "--require", "anchored", *elsewhere)
    assert said.status == 4 and "error[OB748]" in said.err and "no journal at hand holds this run" in said.err
    assert call("verify", "forged.jsonl", "--workspace", office.root).status == 4


def test_every_event_of_the_journal_is_compared(trace: bytes, office: Workspace) -> None:
    for line in range(7):
        data = forged(trace, lambda bodies, obs, at=line: obs[at].update(at_us=obs[at]["at_us"] + 1))  # type: ignore[misc]
        found = omnibachi.verify(data, data_root=office.data_root)
        assert (found.verdict, found.line) == ("BROKEN", line + 1)


def test_another_run_under_this_ones_name(trace: bytes, office: Workspace, call: Call) -> None:
    other = office.traces.read("T2")
    assert other is not None and verified(other, office) == "ANCHORED"
    found = omnibachi.verify(other, trace_id="T1", data_root=office.data_root)
    assert (found.verdict, found.line, found.reason) == ("BROKEN", 1, "this is the record of `T2`, not of `T1`")
    # With the id changed and all hashes made anew, the journal still knows better.
    claimed = forged(other, lambda bodies, obs: obs[0].update(trace_id="T1"))
    assert verified(claimed, trace_id="T1") == "INTACT"
    assert verified(claimed, office, trace_id="T1") == "BROKEN"
    unknown = omnibachi.verify(
        forged(other, lambda bodies, obs: obs[0].update(trace_id="T9")), data_root=office.data_root
    )
    assert (unknown.verdict, unknown.reason) == ("INTACT", "no journal at hand holds this run")
    Path("traces/T1").mkdir(parents=True)
    Path("traces/T1/T1.jsonl").write_bytes(other)
    for target in ("traces/T1/T1.jsonl", "traces/T1", "./traces/T1/"):
        said = call("verify", target, "--workspace", office.root)
        assert said.status == 4 and "this is the record of `T2`, not of `T1`" in said.err, target
        told = call("examine", target, "--workspace", office.root)
        assert told.status == 4 and "this is the record of `T2`" in " ".join(told.out.split()), target


def test_what_the_start_says_twice_must_agree(trace: bytes) -> None:
    def change(bodies: list[Any], obs: list[Any]) -> None:
        bodies[0]["run"] = {"started_at": "2026-01-01T00:00:00.000Z"}

    assert decode(trace.splitlines()[0])["body"]["run"] == {}
    found = omnibachi.verify(forged(trace, change))
    assert (found.verdict, found.line, found.reason) == (
        "BROKEN", 1, "`started_at` in `run` is not what `obs` says of the run",
    )  # fmt: skip


def test_a_run_goes_on_as_if_nothing_had_been_forged(trace: bytes, office: Workspace) -> None:
    """The journal is the truth: a forged trace changes neither what a repeated id answers nor what is stored."""
    path = Path(office.traces.path("T1", "jsonl"))
    path.write_bytes(forged(trace, lambda bodies, obs: bodies[-1]["result"].update(cents=1)))
    again = office.run(WF, PARCEL, trace_id="T1", picture=False)
    assert again.repeated and again.record == trace and again.result == {"code": "P-ROME", "cents": 2100}
    assert [item["key"] for item in office.records(STORE)] == ["P-ROME"]
    path.write_bytes(trace)
