"""`omnibachi fmt`: declarations in canonical layout."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import click

from omnibachi import wiring
from omnibachi.compiling import MOST_READ, SUFFIXES
from omnibachi.exits import FAILED, FINDINGS, OK
from omnibachi.rewriting import write_over
from omnibachi.workspace import PROTOCOLS, Workspace
from omnibachi_model.diagnostics import Diagnostic, Span, in_order

from .options import as_command, needs_sources
from .output import Output, counted


@as_command("fmt", "omnibachi.fmt/1", "omnibachi fmt --check")
@click.argument("files", nargs=-1, metavar="[FILES]...")
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 when a file would change.")
def fmt(output: Output, workspace: Workspace, files: tuple[str, ...], check: bool) -> int:
    """Bring declarations into canonical layout: FILES (or folders), or all below protocols/.

    Comments stay, and what is declared does not change. A file whose text is not understood is left alone (exit status
    3).
    """
    if not files:
        needs_sources(workspace, writes=not check)
    changed: list[str] = []
    found: list[Diagnostic] = []
    paths = list(_paths(files) if files else _below(os.path.join(workspace.root, PROTOCOLS)))
    for path in paths:
        shown = os.path.relpath(path, workspace.root).replace(os.sep, "/") if not files else path
        data = _content(path, shown, found)
        if data is None:
            continue
        phase = wiring.format_source(wiring.Source(shown, "", data))
        found.extend(phase.diagnostics)
        if phase.value != data:
            changed.append(shown)
            if not check:
                write_over(path, phase.value, shown)
    status = FINDINGS if found else FAILED if check and changed else OK
    what = "would change" if check else "changed"
    lines = [f"{what}: {path}" for path in changed]
    if not changed and not found:
        lines = [f"{counted(len(paths), 'file')} in canonical layout"]
    value = {"files": len(paths), "changed": changed, "written": not check}
    return output.give(status, value, lines, in_order(found), None if files else workspace.root)


def _paths(given: Sequence[str]) -> Iterator[str]:
    """Yield the files that are named, and those below the folders that are."""
    for path in given:
        if os.path.isdir(path):
            yield from _below(path)
        else:
            yield path


def _below(folder: str) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(place, name)


def _content(path: str, shown: str, found: list[Diagnostic]) -> bytes | None:
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise OSError("it is no regular file")
        if os.path.exists(path) and not path.endswith(SUFFIXES):
            # Many a text can be read as YAML and means something else altogether.
            raise OSError(f"it is no source; those end in {' or '.join(f'`{suffix}`' for suffix in SUFFIXES)}")
        with open(path, "rb") as file:
            return file.read(MOST_READ)
    except (OSError, ValueError) as error:
        place = shown.encode("utf-8", "backslashreplace").decode()
        reason = str(getattr(error, "strerror", None) or error).lower()
        found.append(Diagnostic("OB101", f"`{place}` cannot be read: {reason}", Span(place, 1, 1, 1, 1)))
        return None


command = fmt
