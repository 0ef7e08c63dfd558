"""Batches: every line is run, in whatever order, and told in the order of the lines; what fails stops nothing else."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from front_door import GREET, Call, call, workspace
from omnibachi import Workspace
from omnibachi.batches import payloads as module
from omnibachi.batches.batching import Asked, run_batch
from omnibachi.batches.payloads import MOST_BYTES, MOST_LINES, TOO_LONG, Payloads
from omnibachi.commands.output import Output
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.record import read
from omnibachi_model.values import MAX_PAYLOAD_BYTES
from posting import KEEP, SHOUT, calls, lines, once_each, runs, said, shop

__all__ = ["call", "workspace"]


@pytest.fixture
def here(call: Call, tmp_path: Path) -> Path:
    """The workspace, which is the present folder."""
    shop(tmp_path)
    return tmp_path


def test_every_line_is_run_once_and_told_in_order(here: Path, call: Call) -> None:
    texts = [f"t{number}" for number in range(130)]
    lines(here / "lines.jsonl", texts)
    done = call("batch", "--wf", KEEP, "lines.jsonl", "--workers", "2", "--batch-id", "may")
    assert (done.status, done.err) == (0, ""), done.err
    assert done.out.startswith("130 lines: 130 COMPLETED\n  130 ended done\n  record   batches/may.jsonl\n")
    record = here / "batches/may.jsonl"
    assert said(record) == [text.upper() for text in texts] and sorted(calls(here)) == sorted(said(record))
    ids = [next(read(run)).obs["trace_id"] for run in runs(record)]
    assert ids == [f"may-{number:08d}" for number in range(1, 131)]
    once_each(here, texts)
    assert {path.name for path in (here / "batches").iterdir()} == {"may.jsonl", "may.summary.json"}
    assert (here / "data/registry/shop/ST_ORDERS_V0.jsonl").read_text("utf-8").count("\n") == 130
    again = call("batch", "--wf", KEEP, "lines.jsonl", "--batch-id", "may", "--json").json()
    assert again["repeated"] and len(calls(here)) == 130


def test_one_run_is_read_out_of_the_file(here: Path, call: Call) -> None:
    lines(here / "lines.jsonl", ["one", "two", "three"])
    call("batch", "--wf", KEEP, "lines.jsonl", "--batch-id", "may")
    name = "batches/may.jsonl#may-00000002"
    assert call("verify", name, "--require", "anchored").out.startswith("ANCHORED  4 events")
    assert call("replay", name).out.startswith("SAME")
    assert '"TWO"' in call("examine", name, "--select", "$[*].body.result.said").out
    assert call("diff", name, "batches/may.jsonl#may-00000003").out.startswith("first difference: payload")
    for command in ("verify", "replay", "examine"):
        many = call(command, "batches/may.jsonl")
        assert many.status == 3 and "error[OB755]" in many.err and "may.jsonl#may-00000002" in many.err
    for unknown in ("may-4", "", "may-0000000"):
        assert "error[OB316]" in call("verify", f"batches/may.jsonl#{unknown}").err


def test_what_is_refused_or_fails_stops_nothing_else(here: Path, call: Call) -> None:
    bad = [b'{"text": "a"}', b"nonsense", b"[1]", b"", b'{"text": 1}', b'{"text": "crash"}', b"\xff", b"{" * 90,
           b'{"text": "x", "text": "y"}', b'{"text": "b"}']  # fmt: skip
    (here / "lines.jsonl").write_bytes(b"\r\n".join(bad))
    done = call("batch", "--wf", KEEP, "lines.jsonl", "--output", "out.jsonl", "--json")
    told = done.json()
    assert (done.status, told["lines"], told["by_exit"], told["refused"]) == (
        3, 9, {"done": 2, "failed": 1, "rejected": 1}, 5,
    )  # fmt: skip
    codes = {item["line"]: (item["exit"], [one["code"] for one in item["diagnostics"]]) for item in told["failed"]}
    assert codes == {
        2: (None, ["OB121"]), 3: (None, ["OB123"]), 5: ("rejected", ["OB701"]), 6: ("failed", ["OB702"]),
        7: (None, ["OB121"]), 8: (None, ["OB121"]), 9: (None, ["OB121"]),
    }  # fmt: skip
    assert said(here / "out.jsonl") == ["A", None, None, "B"]
    text = call("batch", "--wf", KEEP, "lines.jsonl", "--output", "out.jsonl")
    assert (
        "as recorded; nothing was run" in text.out and "error[OB121] payload-not-json: line 2: the line: " in text.err
    )


def test_without_effects_the_records_are_those_of_one_worker(here: Path, call: Call) -> None:
    lines(here / "lines.jsonl", (f"t{number}" for number in range(90)))
    for workers in ("1", "3"):
        name = f"w{workers}"
        assert call("batch", "--wf", SHOUT, "lines.jsonl", "--workers", workers, "--batch-id", name).status == 0
    bodies = [
        [event.body_bytes for run in runs(here / f"batches/{name}.jsonl") for event in read(run)]
        for name in ("w1", "w3")
    ]
    assert bodies[0] == bodies[1] and not (here / "data").exists()


def test_what_is_there_of_another_batch_is_left_alone(here: Path, call: Call) -> None:
    lines(here / "lines.jsonl", ["a"])
    lines(here / "more.jsonl", ["a", "b"])
    (here / "mine.jsonl").write_text("mine")
    taken = call("batch", "--wf", KEEP, "lines.jsonl", "--output", "mine.jsonl")
    assert taken.status == 4 and "error[OB756]" in taken.err and (here / "mine.jsonl").read_text() == "mine"
    assert not calls(here) and not list((here / "batches").iterdir())
    assert call("batch", "--wf", KEEP, "lines.jsonl", "--batch-id", "may").status == 0
    others = [
        (KEEP, "more.jsonl"),
        (SHOUT, "lines.jsonl"),
        (KEEP, "lines.jsonl", "--actor", "me"),
        (KEEP, "lines.jsonl", "--data-root", "d"),
    ]
    for other in others:
        assert "error[OB756]" in call("batch", "--batch-id", "may", "--wf", *other).err
    assert "error[OB756]" in call("batch", "--wf", KEEP, "more.jsonl", "--output", "batches/may.jsonl").err
    assert calls(here) == ["A"] and not list((here / "batches").glob("*.parts"))


def test_workers_know_whose_signature_counts(workspace: Path, call: Call) -> None:
    assert call("compile").status == 0
    assert call("keys", "new", "prod", "--role", "snapshot").status == 0
    (workspace / "greet.jsonl").write_text(json.dumps(json.loads((workspace / "examples/greet.json").read_text())))
    refused = call("batch", "--wf", GREET, "greet.jsonl", "--trust", "trust.json")
    assert refused.status == 4 and not (workspace / "batches").exists(), refused.err
    assert call("sign", "protocol_snapshot", "--key", "keys/prod.key").status == 0
    done = call("batch", "--wf", GREET, "greet.jsonl", "--trust", "trust.json", "--batch-id", "may")
    assert done.status == 0, done.err
    first = next(read((workspace / "batches/may.jsonl").read_bytes()))
    assert first.obs["origin"] == "signed"


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (("--wf", KEEP, "none.jsonl"), "OB120", 3),
        (("--wf", "shop::WF_NONE_V0", "lines.jsonl"), "OB311", 3),
        (("--wf", KEEP, "lines.jsonl", "--seal", "sha256:" + "0" * 64), "OB606", 4),
        (("--wf", KEEP, "lines.jsonl", "--batch-id", "a/b"), "OB752", 2),
        (("--wf", KEEP, "lines.jsonl", "--workers", "0"), "OB752", 2),
        (("--wf", KEEP, "lines.jsonl", "--output", "lines.jsonl/x"), "OB753", 6),
    ],
)
def test_what_no_line_can_be_run_with(
    here: Path, call: Call, arguments: tuple[str, ...], code: str, status: int
) -> None:
    lines(here / "lines.jsonl", ["a"])
    found = call("batch", *arguments)
    assert (found.status, found.err.count(f"error[{code}]")) == (status, 1), found.err


def test_no_line_is_no_mistake(here: Path, call: Call) -> None:
    (here / "lines.jsonl").write_bytes(b"\n \n")
    done = call("batch", "--wf", KEEP, "lines.jsonl", "--batch-id", "none")
    assert (done.status, done.out.splitlines()[0]) == (0, "0 lines: nothing to run")
    assert (here / "batches/none.jsonl").read_bytes() == b""


def test_a_line_whose_process_dies_is_given_up_and_tried_again_when_asked(here: Path, call: Call) -> None:
    texts = ["a", "once", "b", "kill", "c"]
    lines(here / "lines.jsonl", texts)
    done = call("batch", "--wf", KEEP, "lines.jsonl", "--batch-id", "may", "--json")
    told = done.json()
    assert (done.status, told["completed"]) == (6, 4)
    assert [(item["line"], item["diagnostics"][0]["code"]) for item in told["failed"]] == [(4, "OB758")]
    assert said(here / "batches/may.jsonl") == ["A", "ONCE", "B", "C"]
    assert calls(here).count("KILL") == 3 and {calls(here).count(name) for name in "ABC"} == {1}
    caps = here / "capabilities/shop_posting/caps.py"
    assert caps.exists()
    again = call("batch", "--wf", KEEP, "lines.jsonl", "--batch-id", "may", "--json").json()
    assert (again["repeated"], again["found_done"], calls(here).count("KILL")) == (False, 4, 6)


def test_a_batch_that_ended_before_its_summary_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    lines(here / "lines.jsonl", ["a", "b"])
    workspace, asked = Workspace(here), Asked(KEEP, "lines.jsonl", batch="may")

    def full(path: str, data: bytes) -> None:
        raise Trouble(Diagnostic("OB753", "no space"))

    with monkeypatch.context() as patch:
        patch.setattr("omnibachi.batches.batching.laid", full)
        with pytest.raises(Trouble):
            run_batch(workspace, asked, lambda done, of: None)
    assert (here / "batches/may.jsonl").exists() and (here / "batches/may.parts").exists()
    done = run_batch(workspace, asked, lambda done, of: None)
    assert (done.found_done, done.exit_code, said(here / "batches/may.jsonl")) == (2, 0, ["A", "B"])
    assert calls(here) == ["A", "B"]
    (here / "batches/may.jsonl").unlink()  # A record that was taken away is made again from the journal.
    assert not run_batch(workspace, asked, lambda done, of: None).repeated
    assert calls(here) == ["A", "B"] and said(here / "batches/may.jsonl") == ["A", "B"]


def test_a_chunk_that_was_damaged_is_done_again(here: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    lines(here / "lines.jsonl", ["a", "b", "c"])
    workspace, asked = Workspace(here), Asked(SHOUT, "lines.jsonl", batch="may")
    with monkeypatch.context() as patch:
        patch.setattr("omnibachi.batches.batching._gathered", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_batch(workspace, asked, lambda done, of: None)
    parts = here / "batches/may.parts"
    (parts / "00000000.jsonl").write_bytes(b"")
    (parts / "00000001.json").write_bytes(b"{}")
    done = run_batch(workspace, asked, lambda done, of: None)
    assert (done.found_done, said(here / "batches/may.jsonl")) == (1, ["A", "B", "C"])


def test_no_room_for_the_one_file_is_told_and_the_rest_stays(here: Path, call: Call) -> None:
    """Each chunk has room, all together have none; the batch goes on when there is room again."""
    lines(here / "lines.jsonl", ["a", "b", "c", "d"])
    workspace = Workspace(here)
    size = run_batch(workspace, Asked(SHOUT, "lines.jsonl", batch="one"), lambda done, of: None).summary["size"]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size * 3 // 4, hard))  # the moment may be a digit longer
    try:
        with pytest.raises(Trouble) as trouble:
            run_batch(workspace, Asked(SHOUT, "lines.jsonl", batch="may"), lambda done, of: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert trouble.value.diagnostic.code == "OB753"
    assert sorted(os.listdir(here / "batches")) == ["may.parts", "one.jsonl", "one.summary.json"]
    done = run_batch(workspace, Asked(SHOUT, "lines.jsonl", batch="may"), lambda done, of: None)
    assert (done.found_done, said(here / "batches/may.jsonl")) == (4, ["A", "B", "C", "D"])


@pytest.mark.parametrize("passed", [0, 1, 40])
def test_where_the_system_cannot_copy_it_is_copied(
    here: Path, monkeypatch: pytest.MonkeyPatch, call: Call, passed: int
) -> None:
    """Whatever was copied before the system refused is neither missing nor there twice."""
    lines(here / "lines.jsonl", ["a", "b", "c"])
    real, left = os.sendfile, [passed]

    def sendfile(into: int, out: int, offset: int, count: int) -> int:
        count = min(count, left[0])
        if not count:
            raise OSError(errno.EINVAL, "not here")
        left[0] -= count
        return real(into, out, offset, count)

    monkeypatch.setattr(os, "sendfile", sendfile)
    done = run_batch(Workspace(here), Asked(SHOUT, "lines.jsonl", batch="may"), lambda done, of: None)
    assert said(here / "batches/may.jsonl") == ["A", "B", "C"] and left == [0]
    assert (here / "batches/may.jsonl").stat().st_size == done.summary["size"]


@pytest.mark.parametrize(
    "text", ["{}", '{"batch": "may"}', '{"batch": "may", "plan": 1}', '{"batch": "may", "plan": {}}']
)
def test_a_summary_that_is_none_is_left_alone(here: Path, call: Call, text: str) -> None:
    lines(here / "lines.jsonl", ["a"])
    (here / "batches").mkdir()
    (here / "batches/may.summary.json").write_text(text)
    found = call("batch", "--wf", KEEP, "lines.jsonl", "--batch-id", "may")
    assert found.status == 4 and "error[OB756]" in found.err and not calls(here)


# The lines


@given(st.lists(st.sampled_from([b"", b" ", b"a", b"b" * 40, b"\xff"]), max_size=40), st.booleans())
def test_chunks_are_all_lines_in_order(tmp_path_factory: pytest.TempPathFactory, texts: list[bytes], end: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "texts.jsonl"
    path.write_bytes(b"\n".join(texts) + (b"\n" if end else b""))
    payloads = Payloads(str(path))
    chunks = list(payloads.chunks())
    wanted = [(number, text) for number, text in enumerate(texts, 1) if text.strip()]
    assert [line for chunk in chunks for line in chunk.lines] == wanted and payloads.count == len(wanted)
    assert [chunk.number for chunk in chunks] == list(range(len(chunks))) and chunks == list(payloads.chunks())
    assert all(0 < len(chunk.lines) <= MOST_LINES for chunk in chunks)
    payloads.close()


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"", b"  ", b"\r", b"a\r", b"ab", b"c" * 7, b"d" * 8, b"e" * 9, b"f" * 40]), max_size=20),
    st.booleans(), st.integers(1, 50),
)  # fmt: skip
def test_lines_are_the_same_wherever_pieces_end(
    tmp_path_factory: pytest.TempPathFactory, texts: list[bytes], end: bool, piece: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "pieces.jsonl"
    path.write_bytes(b"\n".join(texts) + (b"\n" if end else b""))
    with patch.object(module, "PIECE", piece), patch.object(module, "MOST_KEPT", 8):
        payloads = Payloads(str(path))
        found = [line for chunk in payloads.chunks() for line in chunk.lines]
        payloads.close()
    assert found == [
        (number, text.rstrip(b"\r") if len(text) <= 8 else TOO_LONG)
        for number, text in enumerate(texts, 1)
        if text.strip()
    ]


def test_long_lines_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(
        b"x" * (MAX_PAYLOAD_BYTES + 1) + b"\n" + b"y" * MOST_BYTES + b"\n{}\n" + b"z" * (MAX_PAYLOAD_BYTES * 2)
    )
    payloads = Payloads(str(path))
    chunks = list(payloads.chunks())
    payloads.close()
    assert [[(number, data[:1], len(data)) for number, data in chunk.lines] for chunk in chunks] == [
        [(1, b"x", MAX_PAYLOAD_BYTES + 1)], [(2, b"y", MOST_BYTES)], [(3, b"{", 2)], [(4, TOO_LONG, 1)],
    ]  # fmt: skip


def test_a_file_that_changes_under_the_batch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    lines(path, ["a", "b"])
    payloads = Payloads(str(path))
    lines(path, ["a", "c"])
    with pytest.raises(Refused) as refused:
        list(payloads.chunks())
    payloads.close()
    assert refused.value.diagnostics[0].code == "OB756"


def test_standard_input_is_a_file_too(here: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b'{"text": "a"}\n{"text": "b"}'))
    monkeypatch.setattr(sys, "stdin", stdin)
    done = call("batch", "--wf", SHOUT, "-", "--json").json()
    assert done["completed"] == 2 and json.loads(Path(done["summary"]).read_text("utf-8"))["batch"] == done["batch"]


def test_a_bar_shows_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    for as_json, shown in ((False, "2/4"), (True, "")):
        with Output(as_json, "x").bar() as tell:
            tell(1, 4)
            tell(2, 4)
        said = capfd.readouterr()
        assert shown in said.err and said.out == "" and bool(said.err) is not as_json
