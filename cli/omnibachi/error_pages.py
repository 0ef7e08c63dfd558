"""The page of each diagnostic code, made from the one table in the model.

`omnibachi explain CODE` prints a page; `python -m omnibachi.error_pages DIR` writes them all (for docs/errors/), and a
test holds the written ones to what is made here.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from typing import NamedTuple

from omnibachi_model.codes import Code, table

from .terminal import BOLD, PLAIN

INDEX = "README.md"
UNNAMED = "protocols/shop/example.yaml"
FILE = re.compile(r"# ([\w.-]+(?:/[\w.-]+)*\.(?:yaml|py|json))")
FOR = "Examples are for a compiled copy of `examples/errors`."
FOR_SERVERS = "Examples are for an empty folder."
SERVES = re.compile(r"^\$ omnibachi serve .*&$", re.MULTILINE)
DONE = ("$ ", "> ")
LANGUAGES = {".yaml": "yaml", ".py": "python", ".json": "json"}
AREAS = {
    "1": "Text",
    "2": "Shape",
    "3": "Names",
    "4": "Weaving",
    "5": "Graph and data flow",
    "6": "Seal and load",
    "7": "Run",
    "8": "Governance",
    "9": "Transport",
}


class Part(NamedTuple):
    """A piece of an example: the text of a file, or (where `file` is empty) commands and what they show."""

    file: str
    text: str


def parts(example: str) -> list[Part]:
    """Take an example apart into files, in order, and the commands after them.

    A line `# path/of/a/file.yaml` begins a file, `$ ` a command, `> ` what is done in an editor. What comes first
    without a name is a file of its own, `protocols/shop/example.yaml`.
    """
    found: list[Part] = []
    file, lines = UNNAMED, list[str]()

    def close() -> None:
        text = "\n".join(lines).strip("\n")
        if text:
            found.append(Part(file, text + "\n"))
        lines.clear()

    for line in example.splitlines():
        named = FILE.fullmatch(line)
        if named or (file and line.startswith(DONE)):
            close()
            file = named[1] if named else ""
        if not named:
            lines.append(line)
    close()
    return found


def page(code: Code) -> str:
    """Write one code's page as Markdown."""
    written = [f"# {code.code}: {code.slug}", _sentence(code.summary)]
    if code.why:
        written += ["## Why it matters", code.why.strip()]
    if code.example.strip():
        written += ["## What provokes it", *_shown(code.example)]
    said = _messages().get(code.code)
    if said:
        written += ["It says:", _fenced(said)]
    if code.staged:
        written.append(f"No command surely provokes this: {code.staged}.")
    written += ["## What to do", _sentence(code.help)]
    if code.mended.strip():
        written += ["## Mended", *_shown(code.mended)]
    area = AREAS[code.code[2]].lower()
    where = FOR_SERVERS if SERVES.search(code.example) else FOR
    written.append(f"Area: {area}. `omnibachi explain {code.code}` prints this page. {where}")
    return "\n\n".join(written) + "\n"


def _shown(example: str) -> list[str]:
    shown = []
    for part in parts(example):
        if part.file:
            shown.append(f"`{part.file}`:")
        kind = LANGUAGES.get(os.path.splitext(part.file)[1], "")
        shown.append(_fenced(part.text.strip("\n"), kind if part.file else "sh"))
    return shown


@functools.cache
def _messages() -> dict[str, str]:
    """Read what each example is answered with; `tests/showing.py` notes it, and tests hold it to what is said."""
    with open(os.path.join(os.path.dirname(__file__), "error_messages.json"), encoding="utf-8") as file:
        found: dict[str, str] = json.load(file)
    return found


def lines_of(text: str, *, colour: bool = False) -> list[str]:
    """Write a page for a terminal: headings without signs (bold in `colour`), what is fenced off indented."""
    lines: list[str] = []
    fence = ""
    for line in text.rstrip("\n").splitlines():
        if fence or line.startswith("```"):
            if not fence:
                fence = line[: len(line) - len(line.lstrip("`"))]
            elif line == fence:
                fence = ""
            else:
                lines.append(f"    {line}".rstrip())
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
            lines.append(f"{BOLD}{heading}{PLAIN}" if colour else heading)
        else:
            lines.append(line)
    return lines


def pages() -> dict[str, str]:
    """Return every page by its file name, the index among them."""
    codes = table()
    lines = [
        "# Diagnostics",
        "",
        "Every finding has a code for ever. This folder is generated from `model/omnibachi_model/codes.toml`.",
        "Examples are for a compiled copy of [examples/errors](../../examples/errors/README.md), or, where they ask a",
        "server, for an empty folder; tests do them all.",
    ]
    for digit, area in AREAS.items():
        rows = [code for code in codes.values() if code.code[2] == digit]
        if rows:
            lines += ["", f"## OB{digit}xx: {area.lower()}", "", "| code | slug | says |", "|---|---|---|"]
            lines += [f"| [{row.code}]({row.code}.md) | {row.slug} | {row.summary} |" for row in rows]
    return {INDEX: "\n".join(lines) + "\n", **{f"{name}.md": page(code) for name, code in codes.items()}}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _fenced(text: str, kind: str = "") -> str:
    """Fence a text with more backticks than it holds in a row."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{kind}\n{text}\n{fence}"


def write(folder: str) -> None:
    """Write all pages into `folder` and remove pages of codes that are no more. Raises OSError."""
    made = pages()
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        if name.endswith(".md") and name not in made:
            os.unlink(os.path.join(folder, name))
    for name, text in made.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)


if __name__ == "__main__":
    write(sys.argv[1])
