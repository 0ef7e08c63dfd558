"""Two versions of a workspace on one data root, and a workspace that changes under its runs.

Every run ends as the version that it was begun by says, or is refused by name; its record says which that was.
"""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from children import children
from crashing import NOW_NS
from dying import (
    CAPS,
    JOURNAL,
    KEEP,
    LOOK,
    ORDER,
    PUT,
    SHOUT,
    SWAP,
    calls,
    code,
    dies,
    dies_at,
    ends_well,
    here,
    keep,
    shop,
)  # fmt: skip
from omnibachi import Workspace, replay, verify
from omnibachi_ledger import Ledger, open_root
from omnibachi_model.digests import digest
from omnibachi_model.record import read
from performing import everywhere, journal, ledger, raw, root, trouble
from trial import CLAIM, FILES, NAMES, SAY, lay_trial

__all__ = ["here", "ledger", "root"]

OTHER_CAPS = CAPS.replace(".upper()", '.upper() + "!"')
ACCEPT = (PUT, LOOK, SWAP, SHOUT)


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data root of workspaces that lie beside it; the present folder is theirs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def version(folder: Path, **changed: Any) -> Workspace:
    """Seal a version of the workspace in a folder of its own."""
    made = shop(folder, **changed)
    made.data_root = str(folder.parent / "data")
    return made


def kept(root: Path) -> list[Any]:
    tables = ("runs", "events", "receipts", "records", "streams", "workflows")
    with raw(str(root)) as db:
        found = [db.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    db.close()
    return found


def died(shared: Path, folder: str) -> None:
    """Let a run of the version in `folder` die after its first commit."""
    command = ["run", "--wf", KEEP, "--set", "text=tea", "--trace-id", "T1", "--no-picture"]
    where = ["--workspace", str(shared.parent / folder), "--data-root", str(shared)]
    dies(shared.parent, "dying", f"{JOURNAL}.commit", 1, True, [*command, *where])


# Side by side


def test_runs_of_two_versions_end_as_each_says_and_tell_which_it_was(shared: Path) -> None:
    one, two = version(shared.parent / "one"), version(shared.parent / "two", nodes=keep("shouted"), caps=OTHER_CAPS)
    seals = {
        name: digest((shared.parent / name / "protocol_snapshot/manifest.json").read_bytes()) for name in ("one", "two")
    }
    numbers = count()
    with one.engine(shared) as first, two.engine(shared) as second:
        ended = [
            (name, engine.run(KEEP, {"text": f"tea {next(numbers)}"}))
            for _ in range(5)
            for name, engine in (("one", first), ("two", second))
        ]
    digests = {name: {result.workflow_digest for other, result in ended if other == name} for name in seals}
    assert all(len(found) == 1 for found in digests.values()) and digests["one"] != digests["two"]
    for number, (name, result) in enumerate(ended):
        begun = next(read(result.record))
        assert begun.obs["seal"] == seals[name] and {begun.body["workflow_digest"]} == digests[name]
        said = f"TEA {number}" + ("!!" if name == "two" else "")
        assert (result.exit, result.result) == ("done", {"text" if name == "one" else "shouted": said, "seen": 1})
        # Whoever looks: the journal has the workflow of each, and the capabilities of today are told from its own.
        assert verify(result.record, data_root=shared).verdict == "ANCHORED"
        mine, others = (one, two) if name == "one" else (two, one)
        assert replay(result.record, mine.load(), data_root=shared).same
        parted = replay(result.record, others.load(), data_root=shared)
        assert not parted.same and "OB604" in [item.code for item in parted.diagnostics]


def test_an_id_is_that_of_one_version(shared: Path) -> None:
    one, two = version(shared.parent / "one"), version(shared.parent / "two", nodes=keep("shouted"))
    assert one.run(KEEP, ORDER, data_root=shared, trace_id="T1", picture=False).exit == "done"
    before = kept(shared)
    found = two.run(KEEP, ORDER, data_root=shared, trace_id="T1", picture=False)
    assert (found.exit, code(found)) == (None, "OB711") and kept(shared) == before
    assert one.run(KEEP, ORDER, data_root=shared, trace_id="T1", picture=False).repeated


def test_another_version_goes_on_with_the_workflow_as_it_was_stored(shared: Path) -> None:
    version(shared.parent / "one")
    two = version(shared.parent / "two", nodes=keep("shouted"))
    died(shared, "one")
    found = two.resume("T1", picture=False)
    assert (found.exit, found.result) == ("done", {"text": "TEA", "seen": 1})
    assert calls(shared.parent) == ["first", "look", "second"]
    assert verify(found.record, data_root=shared).verdict == "ANCHORED"


def test_another_version_with_other_code_is_refused_by_name_and_the_first_goes_on(shared: Path) -> None:
    one, two = version(shared.parent / "one"), version(shared.parent / "two", caps=OTHER_CAPS)
    died(shared, "one")
    before = kept(shared)
    found = two.resume("T1", picture=False)
    assert [item.code for item in found.diagnostics] == ["OB714"] * 4
    assert all(name in str(found.diagnostics) for name in ACCEPT)
    # Who accepts it is told where it comes out otherwise; nothing was done by then.
    found = two.resume("T1", accept=ACCEPT, picture=False)
    assert (found.exit, code(found)) == (None, "OB715")
    found = version(shared.parent / "three", nodes=keep()[5:], without=SWAP).resume("T1", picture=False)
    assert (found.exit, code(found)) == (None, "OB605") and SWAP in found.diagnostics[0].message
    assert kept(shared) == before and calls(shared.parent) == ["first"]
    found = one.resume("T1", picture=False)
    assert (found.exit, found.result) == ("done", {"text": "TEA", "seen": 1})
    assert calls(shared.parent) == ["first", "look", "second"]


def test_all_left_runs_are_gone_on_with_by_whoever_can(shared: Path) -> None:
    one, two = version(shared.parent / "one"), version(shared.parent / "two", caps=OTHER_CAPS)
    died(shared, "one")
    found = two.recoverer(shared, picture=False).all()
    assert [item.code for result in found.results for item in result.diagnostics] == ["OB714"] * 4
    assert [result.exit for result in one.recoverer(shared, picture=False).all().results] == ["done"]
    assert two.recoverer(shared, picture=False).all().results == ()


# A store that two versions keep in two ways


@pytest.mark.parametrize("registered", [True, False])
@everywhere
def test_a_store_is_not_written_in_two_ways(ledger: Ledger, root: str, registered: bool) -> None:
    store, kinds = "shop::ST_A_V0", ["registry", "records"]
    sealed = [
        b'{"format":"omnibachi.workflow/1","stores":{"%s":{"keeps":"%s"}}}' % (store.encode(), kind.encode())
        for kind in (kinds if registered else reversed(kinds))
    ]
    held = journal(ledger, "one", sealed=sealed[0])
    held.begin()
    assert held.store(store).put("b", {"n": 1}) == 1
    held.receipt("node", "shop::CS_ANY_V0.PUT", "SUCCESS")
    held.commit()
    with raw(root) as db:
        before = db.execute("SELECT * FROM records").fetchall()
    for key in ("a", "b", "c"):  # One that is there, and those beside it.
        for expected in (None, 0, 1):
            held = journal(ledger, f"two-{key}-{expected}", sealed=sealed[1])
            held.begin()
            other = held.store(store)
            assert other.get("b") == ({"n": 1}, 1)
            assert trouble(lambda: other.put(key, {"n": 2}, revision=expected)) == "OB789"  # noqa: B023
            if key == "b":
                assert trouble(lambda: other.remove("b")) == "OB789"  # noqa: B023
            held.rollback()
    with raw(root) as db:
        assert db.execute("SELECT * FROM records").fetchall() == before
    held = journal(ledger, "three", sealed=sealed[0])
    held.begin()
    assert held.store(store).put("c", {"n": 3}, revision=0) == 1
    held.receipt("node", "shop::CS_ANY_V0.PUT", "SUCCESS")
    held.commit()


def test_rows_that_two_who_raced_kept_in_two_ways_are_each_kept_so(ledger: Ledger, root: str) -> None:
    """Nobody could see the other's first row; each row tells for itself from then on."""
    store = "shop::ST_A_V0"
    with raw(root) as db:
        for key, created, fixed in (("a", 1, 1), ("b", 2, 0)):
            db.execute("INSERT INTO records VALUES (?, ?, ?, 1, ?, 0, ?)", (store, key, b'{"n":1}', created, fixed))
    db.close()
    for kind, may in (("registry", "a"), ("records", "b")):
        sealed = b'{"format":"omnibachi.workflow/1","stores":{"%s":{"keeps":"%s"}}}' % (store.encode(), kind.encode())
        held = journal(ledger, kind, sealed=sealed)
        held.begin()
        assert held.store(store).put(may, {"n": 2}, revision=0) is None
        assert trouble(lambda: held.store(store).put("ab".replace(may, ""), {"n": 2})) == "OB789"  # noqa: B023
        held.rollback()


def test_a_workspace_that_keeps_a_store_in_another_way_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    one = lay_trial(tmp_path / "one")
    assert one.run(CLAIM, {"name": "a"}, data_root=data, picture=False).ok
    changed = {
        "ST_NAMES_V0\nsummary: Whose name it is; the first claim stands.\ngoverned_by: CS_REGISTRY_V0":
            "ST_NAMES_V0\ngoverned_by: CS_RECORDS_V0",
        "use: CS_REGISTRY_V0.REGISTER\n    store: ST_NAMES_V0": "use: CS_RECORDS_V0.CREATE\n    store: ST_NAMES_V0",
        "result: {owner: $.nodes.claim.value.owner}": "result: {}",
        "{$first: [$.nodes.claim.value.owner, $.payload.by]}": "$.payload.by",
    }  # fmt: skip
    for name, text in FILES.items():
        for before, after in changed.items():
            text = text.replace(before, after)
        (tmp_path / "two" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "two" / name).write_text(text.lstrip("\n"), "utf-8")
    two = Workspace(tmp_path / "two")
    compiled = two.compile()
    assert compiled.ok, compiled.diagnostics
    before = kept(data)
    found = two.run(CLAIM, {"name": "b"}, data_root=data, picture=False)
    assert (found.exit, found.exit_code, code(found)) == (None, 6, "OB789") and kept(data) == before
    assert NAMES in found.diagnostics[0].message and found.diagnostics[0].as_json()["help"]
    assert two.run(SAY, {"name": "b"}, data_root=data, picture=False).ok
    assert one.run(CLAIM, {"name": "b"}, data_root=data, picture=False).exit == "claimed"


# A workspace that changes under a run


class Doing:
    """A clock that stands still and does something when it is read for the n-th time."""

    def __init__(self, nth: int, action: Any) -> None:
        self._left = nth
        self._action = action

    def now_ns(self) -> int:
        """Return the one instant."""
        self._left -= 1
        if self._left == 0:
            self._action()
        return NOW_NS


@pytest.mark.parametrize("reading", range(1, 8))
@pytest.mark.parametrize("change", ["another workflow", "other code", "nothing left"])
def test_a_run_under_way_ends_as_it_was_begun(here: Path, reading: int, change: str) -> None:
    def changes() -> None:
        if change == "nothing left":
            shutil.rmtree(here / "protocol_snapshot")
            shutil.rmtree(here / "capabilities")
        else:
            shop(here, **({"caps": OTHER_CAPS} if change == "other code" else {"nodes": keep("shouted")}))

    with Workspace(here).engine(here / "data", clock=Doing(1000, None)) as engine:
        plain = engine.run(KEEP, ORDER, trace_id="T1")
    shutil.rmtree(here / "data")
    (here / "calls").unlink()
    with Workspace(here).engine(here / "data", clock=Doing(reading, changes)) as engine:
        result = engine.run(KEEP, ORDER, trace_id="T1")
        assert (result.exit, result.record) == ("done", plain.record)
        assert engine.run(KEEP, ORDER).digest == plain.digest  # The engine stays what it was when it was opened.
    assert calls(here)[:3] == ["first", "look", "second"]
    assert verify(result.record, data_root=here / "data").verdict == "ANCHORED"


def test_an_interrupted_run_waits_for_what_was_taken_away(here: Path) -> None:
    dies_at(here, "look")
    (here / "protocols").mkdir()
    before = kept(here / "data")
    for name, wanted in (("protocol_snapshot", (3, {"OB601"})), ("capabilities", (4, {"OB605"}))):
        (here / name).rename(here / f"{name}.gone")
        # In a process of its own, which has not loaded the same bytes from elsewhere.
        with children(("dying:resumed", "T1"), folder=here) as (child,):
            found = child.said()
        assert found["exit"] is None and (found["exit_code"], set(found["codes"])) == wanted
        (here / f"{name}.gone").rename(here / name)
    assert kept(here / "data") == before
    ends_well(here, Workspace(here).resume("T1", picture=False))


def test_two_recompile_and_run_at_once_and_each_run_is_one_version_whole(tmp_path: Path) -> None:
    """While one process seals one version after the other, runs are those of either, never a mixture."""
    lay_trial(tmp_path / "home")
    with children(
        ("test_versions_of_workspaces:seals", str(tmp_path / "home"), 4),
        ("test_versions_of_workspaces:runs", str(tmp_path / "home"), 25),
    ) as (sealing, running):
        seals, ended = sealing.said(), running.said()
    assert len(set(seals)) == 2 and len(ended) == 25
    for seal, exit, owner in ended:
        assert seal in seals and exit == ("claimed" if seal == seals[0] else "kept"), owner
    with open_root(str(tmp_path / "home/data")) as opened:
        assert len(opened.runs()) == 25 and not opened.unfinished()


def seals(barrier: Any, folder: str, times: int) -> list[str]:
    """Seal two versions in turns; return the seals of both."""
    workspace, path = Workspace(folder), Path(folder, "protocols/trial/single.yaml")
    texts = [FILES["protocols/trial/single.yaml"].lstrip("\n")]
    texts.append(texts[0].replace("SUCCESS: claimed,", "SUCCESS: kept,").replace("  claimed: {", "  kept: {"))
    barrier()
    made = []
    for number in range(times):
        path.write_text(texts[number % 2], "utf-8")
        compiled = workspace.compile()
        assert compiled.ok, compiled.diagnostics
        made.append(str(compiled.seal))
    return made[:2]


def runs(barrier: Any, folder: str, times: int) -> list[Any]:
    """Run so often, with a workspace opened anew each time; say seal, exit and what was claimed."""
    barrier()
    ended = []
    for number in range(times):
        with Workspace(folder).engine(f"{folder}/data") as engine:
            result = engine.run(CLAIM, {"name": str(number)})
        ended.append([result.seal, result.exit, [item.as_json() for item in result.diagnostics]])
    return ended
