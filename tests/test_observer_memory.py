"""What an observer remembers: whole or not at all, and never in the way of what it does."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observing import ledger
from omnibachi.observer_memory import Memory
from omnibachi_model.diagnostics import Trouble
from omnibachi_observer.folding import Folds
from omnibachi_transport import remembering


def folded(count: int = 3) -> Folds:
    folds = Folds()
    folds.fold(ledger(*["ok", "denied", "asked"][:count]))
    return folds


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    root = tmp_path / "new" / "folder"
    memory = Memory(str(root))
    assert memory.recall() == (None, None)
    for count in (1, 3):
        assert memory.keep(folded(count).to_json()) is None
        found, why = Memory(str(root)).recall()
        assert found is not None and why is None
        assert json.dumps(found.to_json()) == json.dumps(folded(count).to_json())
    assert os.listdir(root) == ["observer.json"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_changed_or_missing_byte_is_found_out(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """OB951."""
    root = tmp_path_factory.getbasetemp() / "changed"
    memory = Memory(str(root))
    assert memory.keep(folded().to_json()) is None
    file = root / "observer.json"
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.sampled_from([0, 1, 4, 128]))
    file.write_bytes(whole[:at] + (bytes([whole[at] ^ bit]) + whole[at + 1 :] if bit else b""))
    found, why = memory.recall()
    assert found is None and why is not None and (why.code, why.severity) == ("OB951", "warning")


def test_a_whole_file_of_another_form_is_told(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path))
    assert memory.keep({"schema": "omnibachi.observer/0"}) is None
    found, why = memory.recall()
    assert found is None and why is not None and "another format" in why.message


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """OB950, at the start; and later, when it goes on."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(Trouble) as caught:
        Memory(str(tmp_path / "file"))
    assert caught.value.diagnostic.code == "OB950"
    memory = Memory(str(tmp_path / "root"))
    (tmp_path / "root" / "observer.json.new").mkdir()
    found = memory.keep(folded().to_json())
    assert found is not None and found.code == "OB950"


def test_it_is_remembered_only_when_there_is_more_and_what_changes_meanwhile_is_not_mixed_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remembering, "LEAST_SECONDS", 0.01)
    folds, kept = Folds(), list[Any]()
    events = ledger("ok", "ok")

    async def run() -> None:
        job = asyncio.create_task(remembering.remember(lambda: folds.last_index, folds.to_json, kept.append))
        await asyncio.sleep(0.1)
        assert kept == []
        for event in events:
            folds.fold([event])
            while not kept or kept[-1]["head"] != folds.head:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        job.cancel()

    asyncio.run(asyncio.wait_for(run(), 20))
    assert [said["head"] for said in kept] == [event["digest"] for event in events]
    assert [len(said["turns"]["turn_id"]) for said in kept] == [1, 1, 1, 2, 2, 2]
