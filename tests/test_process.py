"""`CS_PROCESS_V0` with real programs: what they get, what is heard of them, and that they are ended whole."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crash_cases import ID, KILLED, Case, fresh_place
from crashing import in_child, state
from omnibachi import Workspace, verify
from omnibachi_capabilities import process
from omnibachi_model.programs import Unfit, written
from test_web import Ticking, Wall
from trial import a_copy

place = fresh_place
SCRIPT = {"type": "string", "maxLength": 10_000}
SHELL = {"command": ["/bin/sh", "-c", {"argument": "script", "prefix": ""}], "arguments": {"script": SCRIPT}}


class Asked:
    """A call, as far as a program needs one."""

    def __init__(self, program: Mapping[str, Any], seconds: float | None, stop: Callable[[], bool]) -> None:
        self.clock = Wall()
        self.entropy = Ticking()
        self.deadline = None if seconds is None else self.clock.now_ns() + int(seconds * 1e9)
        self.programs = {"shell": program}
        self.cancelled = stop

    def secret(self, name: str) -> str:
        """Give a secret."""
        return f"the secret {name}"


def shell(script: str, *, seconds: float | None = 20, stop: Callable[[], bool] = bool, **more: Any) -> Any:
    given = {key: more.pop(key) for key in ("stdin",) if key in more}
    call: Any = Asked({**SHELL, **more}, seconds, stop)
    return process.run({"program": "shell", "arguments": {"script": script}, **given}, None, call)


def gone(number: int) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            text = Path(f"/proc/{number}/stat").read_text()
        except OSError:
            return True
        if text.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("script", "outcome", "output"),
    [
        ("echo hi; echo ho >&2", "SUCCESS", {"stdout": "hi\n", "stderr": "ho\n", "lost": []}),
        ("cat", "SUCCESS", {"stdout": "", "stderr": "", "lost": []}),
        ("echo a; exit 3", "FAILED", {"status": 3, "stdout": "a\n", "stderr": "", "lost": []}),
        ("kill -9 $$", "OUTCOME_UNKNOWN", {}),
        ("printf 'a\\377b' >&2", "SUCCESS", {"stdout": "", "stderr": "a\ufffdb", "lost": ["stderr-replaced"]}),
        ("printf 'a\\000b'", "SUCCESS", {"stdout": "a\0b", "stderr": "", "lost": []}),
        ("exec >&- 2>&-; sleep 0.3; exit 4", "FAILED", {"status": 4, "stdout": "", "stderr": "", "lost": []}),
    ],
)
def test_what_is_heard_of_it(script: str, outcome: str, output: dict[str, Any]) -> None:
    assert shell(script) == (outcome, output)


def test_it_gets_what_is_declared_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "here")
    environment = {"A": ["lit", "b"], "KEY": ["secret", "K"]}
    outcome, output = shell("env; pwd; ls -l /proc/self/fd | wc -l", environment=environment, directory=str(tmp_path))
    assert outcome == "SUCCESS"
    *variables, folder, files = output["stdout"].splitlines()
    # A shell itself sets PWD and the like.
    assert {"A=b", "KEY=the secret K"} <= set(variables) and not any("PLANTED" in line for line in variables)
    assert not any(line.startswith(("PATH=", "HOME=", "USER=")) for line in variables)
    assert folder == str(tmp_path) and int(files) <= 5  # its three, that of the folder, and the line of the sum


def test_it_reads_what_it_is_given_and_need_not() -> None:
    text = "ß" * 200_000
    assert shell("wc -c", stdin=text)[1]["stdout"].strip() == "400000"
    assert shell("exit 0", stdin=text)[0] == "SUCCESS"
    outcome, output = shell("cat", stdin=text)
    assert (outcome, output["lost"], output["stdout"]) == ("SUCCESS", ["stdout-cut"], "ß" * 131_072)
    outcome, output = shell("printf x; cat", stdin=text)
    assert (output["lost"], output["stdout"]) == (["stdout-cut"], "x" + "ß" * 131_071)  # no half a character


@pytest.mark.parametrize("how", ["deadline", "cancelled", "deaf"])
def test_a_group_is_ended_whole(tmp_path: Path, how: str) -> None:
    deaf = "trap '' TERM; " if how == "deaf" else ""
    script = f"{deaf}sleep 60 & echo $! > {tmp_path}/inner; echo $$ > {tmp_path}/outer; echo said; wait; wait"
    began = time.monotonic()
    seconds = 0.4 if how != "cancelled" else 20.0
    answer = shell(script, seconds=seconds, stop=lambda: how == "cancelled" and time.monotonic() > began + 0.4)
    assert answer == ("OUTCOME_UNKNOWN", {})
    assert time.monotonic() - began < 5
    assert all(gone(int((tmp_path / name).read_text())) for name in ("inner", "outer"))


def test_what_it_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    began = time.monotonic()
    answer = shell(f"sleep 60 & echo $! > {tmp_path}/inner; echo done")
    assert answer == ("SUCCESS", {"stdout": "done\n", "stderr": "", "lost": []})
    assert time.monotonic() - began < 5 and gone(int((tmp_path / "inner").read_text()))


def test_what_cannot_be_given_is_known_before_it_runs(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        shell(f"echo here > {tmp_path}/ran; sleep 60", stdin="caf\udce9")
    time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []


def test_where_ends_are_ignored_nothing_is_begun(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        outcome, output = shell(f"echo here > {tmp_path}/ran")
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (outcome, "SIGCHLD" in output["reason"], list(tmp_path.iterdir())) == ("BACKEND_ERROR", True, [])


def test_one_that_cannot_be_started_was_not_run(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program\n")
    (tmp_path / "text").chmod(0o755)
    for command in ("/nowhere/at/all", str(tmp_path), str(tmp_path / "text")):
        outcome, output = shell("", command=[command])
        assert (outcome, bool(output["reason"])) == ("BACKEND_ERROR", True)
    assert shell("", directory="/nowhere")[0] == "BACKEND_ERROR"


def test_what_is_not_declared_is_a_violation() -> None:
    call: Any = Asked(SHELL, 5, bool)
    for given_, reason in (
        ({"program": "sh"}, "does not declare this program"),
        ({"program": "shell"}, "argument script is missing"),
        ({"program": "shell", "arguments": {"script": "", "x": 1}}, "declares no argument x"),
        ({"program": "shell", "arguments": {"script": 1}}, "does not fit (type)"),
        ({"program": "shell", "arguments": {"script": "-x"}}, "would be an option"),
        ({"program": "shell", "arguments": {"script": "a\0b"}}, "no command line can hold"),
        ({"program": "shell", "arguments": {"script": "x" * 10_001}}, "does not fit (maxLength)"),
    ):
        outcome, output = process.run(given_, None, call)
        assert outcome == "VIOLATION" and reason in output["reason"]


TEXTS = {"type": "string", "maxLength": 50}


@pytest.mark.parametrize(
    ("schema", "prefix", "value", "allowed"),
    [
        (TEXTS, "", "-x", False), (TEXTS, "", "--", False), (TEXTS, "", "-", False), (TEXTS, "", "x-", True),
        (TEXTS, "", "", True), (TEXTS, "--name=", "-x", True),
        ({**TEXTS, "pattern": "^.*$"}, "", "-x", False), ({**TEXTS, "pattern": "^-?[a-z]+$"}, "", "-x", True),
        ({**TEXTS, "enum": ["-x", "y"]}, "", "-x", True),
        ({"type": "integer"}, "", -4, False), ({"type": "integer", "minimum": -9}, "", -4, True),
        ({"type": "integer"}, "n", -4, True),
    ],
)  # fmt: skip
def test_no_argument_becomes_an_option(schema: dict[str, Any], prefix: str, value: Any, allowed: bool) -> None:
    program = {"command": ["/bin/x", {"argument": "a", "prefix": prefix}], "arguments": {"a": schema}}
    if allowed:
        assert written(program, {"a": value}) == ["/bin/x", f"{prefix}{value}"]
    else:
        with pytest.raises(Unfit, match="would be an option"):
            written(program, {"a": value})


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_free_text_is_one_argument_or_none(text: str) -> None:
    program = {"command": ["/bin/x", {"argument": "a", "prefix": ""}, "z"], "arguments": {"a": TEXTS}}
    try:
        made = written(program, {"a": text})
    except Unfit:
        assert text.startswith("-") or "\0" in text or len(text) > 50
        return
    assert made == ["/bin/x", text, "z"] and not text.startswith("-")


DECLARED = """
intent: IN_COUNT_V0
payload: {type: object, properties: {a: {type: integer, default: 1}}}
---
workflow: WF_COUNT_V0
summary: Count.
intent: IN_COUNT_V0
start: count
fault: failed
next: {VIOLATION: failed, BACKEND_ERROR: failed, OUTCOME_UNKNOWN: unsure, FAILED: failed}
nodes:
  count: {use: CS_PROCESS_V0.RUN, with: {program: count}, next: {SUCCESS: counted}}
exits:
  counted: {status: COMPLETED, result: {said: $.nodes.count.stdout}}
  unsure: {status: FAILED}
  failed: {status: FAILED}
"""


@pytest.fixture(name="counted")
def count(place: Path) -> Iterator[tuple[Path, Path]]:
    """Return a workspace whose program adds a line to a file, and that file."""
    file, folder = place / "lines", place / "counting"
    (folder / "protocols/work").mkdir(parents=True)
    (folder / "capabilities").mkdir()
    (folder / "protocols/work/domain.yaml").write_text(
        f"domain: work\nprograms:\n  count: {{command: [/bin/sh, -c, 'echo x >> {file}; echo ok']}}\n"
    )
    (folder / "protocols/work/count.yaml").write_text(DECLARED)
    compiled = Workspace(folder).compile()
    assert compiled.ok, [item.message for item in compiled.diagnostics]
    yield folder, file
    file.unlink(missing_ok=True)


def test_killed_anywhere_it_runs_at_most_once(place: Path, counted: tuple[Path, Path]) -> None:
    folder, file = counted
    (place / "count").mkdir()
    found = Case(place / "count", a_copy(folder, place / "count-template"), "work::WF_COUNT_V0", {}, "--no-picture")
    assert found.answer["exit"] == "counted" and file.read_text() == "x\n"
    commits = [edge for edge, name in enumerate(found.edges, 1) if name == "after COMMIT"]
    ends: set[tuple[str, int]] = set()
    for edge in range(commits[0], commits[-1] + 1):
        file.unlink(missing_ok=True)
        at = found.killed(edge)
        begun = any(row[0] == ID for row in state(at / "data").get("runs", ()))
        ended = in_child(("resume", "--all", "--json") if begun else found.command, at)
        said = json.loads(ended.out)
        exits = [result["exit"] for result in said["runs"]] if begun else [said["exit"]]
        times = len(re.findall("x", file.read_text())) if file.exists() else 0
        assert times <= 1 and ended.status != KILLED
        ends |= {(exit, times) for exit in exits}
        record = (at / f"traces/{ID}/{ID}.jsonl").read_bytes()
        assert verify(record, data_root=at / "data").verdict == "ANCHORED"
    assert ends == {("counted", 1), ("unsure", 0), ("unsure", 1)}
