"""What the pages of diagnostics show, done: each example in a copy of examples/errors, and what it is answered with.

An example is files, commands, or files and then commands, as `omnibachi.error_pages` takes it apart. Commands that are
no more than one call of `omnibachi` are done in this process, all others by `sh`; requests of `curl` go to a gateway
here (`curling`). As a program it does the examples anew and notes what is said: `.venv/bin/python tests/showing.py
[CODE …]`, then `.venv/bin/python -m omnibachi.error_pages docs/errors`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import curling
from omnibachi import Workspace, error_pages, wiring
from omnibachi.__main__ import main
from omnibachi.compiling import compile_workspace
from omnibachi.language_server.desk import Desk
from omnibachi.terminal import render
from omnibachi.workspace import shipped_root
from omnibachi_model.codes import table
from omnibachi_model.diagnostics import Diagnostic

ROOT = Path(__file__).resolve().parent.parent
SHOP = ROOT / "examples" / "errors"
MESSAGES = ROOT / "cli" / "omnibachi" / "error_messages.json"
RENAME = re.compile(r"> rename `(\w+)` to `([^`]*)` in (\S+):(\d+):(\d+)")
# What differs from one time to the next, and what is shown instead.
VARYING = (
    (re.compile(r"sha256:[0-9a-f]{8,64}"), "sha256:…"),
    (re.compile(r"\b\d+-[0-9a-f]{16}\b"), "4321-0123456789abcdef"),
    (re.compile(r"\bprocess \d+"), "process 4321"),
    (re.compile(r"here it is \d[\w.]+"), "here it is …"),
    (re.compile(r"\b(prod|log)\+[0-9a-f]{8}\b"), r"\1+1a2b3c4d"),
    (re.compile(r"(signed at|revoked at|came after) 20[\d-]{8}T[\d:.]+Z"), r"\1 2026-01-31T12:00:00.000Z"),
)
# What comes with a finding, always: where no exit is reached there is a cycle; why things differ; what is unsound.
COMPANIONS = {"OB504": {"OB505"}, "OB749": {"OB604"}, "OB768": {"OB203"}, "OB812": {"OB601"}}


@dataclass(frozen=True)
class Shown:
    """What an example was answered with: the findings of its code, all codes found, and whether all went well."""

    said: str
    codes: frozenset[str]
    good: bool
    whole: str


def compiled_shop(folder: Path) -> Path:
    """Copy the workspace of the examples into `folder`, and compile it there; beside it lies `bin/omnibachi`."""
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = folder.parent / "bin" / "omnibachi"
    command.parent.mkdir()
    start = "import sys; from omnibachi.__main__ import main; sys.exit(main())"
    command.write_text(f"#!/bin/sh\nexec '{sys.executable}' -P -c '{start}' \"$@\"\n", "utf-8")
    command.chmod(0o755)
    assert Workspace(str(folder)).compile().ok
    return folder


def shown(shop: Path, folder: Path, code: str, example: str) -> Shown:
    """Do an example in `folder`: a new copy of the compiled workspace `shop`, or empty where it asks a server."""
    if error_pages.SERVES.search(example):
        folder.mkdir(parents=True)
    else:
        shutil.copytree(shop, folder)
    parts = error_pages.parts(example)
    for part in parts:
        if part.file:
            place = folder / part.file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(part.text, "utf-8")
    lines = [line for part in parts if not part.file for line in part.text.splitlines()]
    done = [line for line in lines if line.startswith(("$ ", "> "))]
    if not done:
        found = compile_workspace(str(folder), shipped=shipped_root())
        return _of_findings(folder, code, found.diagnostics, found.sealed is not None)
    path = os.pathsep.join([str(shop.parent / "bin"), os.path.dirname(sys.executable), os.environ["PATH"]])
    if done[-1].startswith(curling.CURL):
        return _of_answer(*curling.last_answer(done, folder, lambda line: _do(line, folder, path)))
    for line in done[:-1]:
        _do(line, folder, path)
    if done[-1].startswith("> "):
        findings = _rename(done[-1], folder)
        return _of_findings(folder, code, findings, not findings)
    status, text = _do(done[-1], folder, path)
    if text.startswith('{"ok":false,"accepted":false,'):
        return _of_answer(400, json.loads(text))
    blocks = re.findall(r"^ *((?:error|warning|note)\[OB\d{3}\].*\n(?:.+\n)*)", text, re.MULTILINE)
    said = "\n".join(block for block in blocks if f"[{code}]" in block.splitlines()[0])
    return Shown(_settled(said, folder), frozenset(re.findall(r"\[(OB\d{3})\]", text)), status == 0, text)


def _of_findings(folder: Path, code: str, found: tuple[Diagnostic, ...], good: bool) -> Shown:
    said = render([item for item in found if item.code == code], str(folder), colour=False)
    whole = render(found, str(folder), colour=False)
    return Shown(_settled(said, folder), frozenset(item.code for item in found), good and not found, whole)


def _of_answer(status: int, value: Any) -> Shown:
    said = json.dumps(value, indent=1, ensure_ascii=False)
    return Shown(said, frozenset([value["code"]] if status >= 400 else ()), status < 400, said)


def _do(line: str, folder: Path, path: str) -> tuple[int, str]:
    """Do one command: its exit status, and what it wrote on both outputs."""
    command = line.removeprefix("$ ")
    if command.startswith("omnibachi ") and not re.search(r"[|&;<>$()`*?#]", command):
        told = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
        with contextlib.chdir(folder), contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            status = main(shlex.split(command)[1:])
        told.seek(0)
        return status, told.read()
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout.decode("utf-8", "replace")


def _rename(line: str, folder: Path) -> tuple[Diagnostic, ...]:
    """Rename a node as an editor would; return why not, if it cannot be."""
    asked = RENAME.fullmatch(line)
    assert asked, f"cannot read {line!r}"
    old, new, file, row, column = asked.groups()
    text = (folder / file).read_text("utf-8")
    desk = Desk(str(folder), shipped_root())
    desk.put(file, text)
    opened = desk.opened[file]
    offset = opened.places.offset(int(row), int(column))
    assert text[offset:].startswith(old), text[offset:][:40]
    found = wiring.rename(desk.whole(), opened, offset, new)
    return (found,) if isinstance(found, Diagnostic) else ()


def _settled(text: str, folder: Path) -> str:
    for place in {str(folder), os.path.realpath(folder)}:
        text = text.replace(place + "/", "").replace(place, ".")
    for varying, instead in VARYING:
        text = varying.sub(instead, text)
    return text.rstrip("\n")


def noted() -> dict[str, str]:
    """Return what each example is said to be answered with."""
    found: dict[str, str] = json.loads(MESSAGES.read_text("utf-8"))
    return found


def unlike(shop: Path, folder: Path, code: str, messages: Mapping[str, str]) -> list[str]:
    """Do both examples of a code; return what is not as its page says."""
    item = table()[code]
    wrong = []
    if not item.staged:
        failing = shown(shop, folder / "failing", code, item.example)
        if code not in failing.codes:
            wrong.append(f"the example does not give {code}, but:\n{failing.whole}")
        elif failing.codes - {code} - COMPANIONS.get(code, set()):
            wrong.append(f"the example gives more than {code}:\n{failing.whole}")
        elif not failing.said or failing.said != messages.get(code):
            wrong.append(f"what is said is not noted (.venv/bin/python tests/showing.py {code}):\n{failing.said}")
    mended = shown(shop, folder / "mended", code, item.mended)
    if code in mended.codes or not mended.good:
        wrong.append(f"the mended example gives:\n{mended.whole}")
    return wrong


def note(codes: list[str]) -> int:
    """Do the examples of these codes, note what is said, and print what is wrong with them; return how many are."""
    messages = noted()
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        shop = compiled_shop(Path(place) / "shop")
        for code in codes:
            messages.pop(code, None)
            if not table()[code].staged:
                messages[code] = shown(shop, Path(place) / code / "first", code, table()[code].example).said
            wrong = unlike(shop, Path(place) / code, code, messages)
            bad += bool(wrong)
            for text in wrong:
                print(f"== {code}: {text}\n")
    messages = {code: text for code, text in messages.items() if code in table() and text}
    MESSAGES.write_text(json.dumps(messages, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    return bad


if __name__ == "__main__":
    sys.exit(min(note([code.upper() for code in sys.argv[1:]] or list(table())), 1))
