"""The page of each diagnostic code, made from the one table in the model.

`omnibachi explain CODE` prints a page; `python -m omnibachi.error_pages DIR` writes them all (for docs/errors/), and a
test holds the written ones to what is made here.
"""

from __future__ import annotations

import os
import sys

from omnibachi_model.codes import Code, table

INDEX = "README.md"
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


def page(code: Code) -> str:
    """Write one code's page as Markdown."""
    parts = [f"# {code.code}: {code.slug}", _sentence(code.summary), "## What to do", _sentence(code.help)]
    if code.example.strip():
        parts += ["## What provokes it", _fenced(code.example.strip("\n"))]
    parts.append(f"Area: {AREAS[code.code[2]].lower()}. `omnibachi explain {code.code}` prints this page.")
    return "\n\n".join(parts) + "\n"


def pages() -> dict[str, str]:
    """Return every page by its file name, the index among them."""
    codes = table()
    lines = [
        "# Diagnostics",
        "",
        "Every finding has a code for ever. This folder is generated from `model/omnibachi_model/codes.toml`.",
    ]
    for digit, area in AREAS.items():
        rows = [code for code in codes.values() if code.code[2] == digit]
        if rows:
            lines += ["", f"## OB{digit}xx: {area.lower()}", "", "| code | slug | says |", "|---|---|---|"]
            lines += [f"| [{row.code}]({row.code}.md) | {row.slug} | {row.summary} |" for row in rows]
    return {INDEX: "\n".join(lines) + "\n", **{f"{name}.md": page(code) for name, code in codes.items()}}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _fenced(text: str) -> str:
    """Fence an example with more backticks than it holds in a row."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


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
