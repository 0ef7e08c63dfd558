"""What commands print: the result on stdout, as text or as one JSON object, and all else on stderr.

`NO_COLOR` and a pipe turn colour off; progress shows only when stderr is a terminal. Exit statuses are those of
docs/ARCHITECTURE.md, "Errors".
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from omnibachi.exits import OK
from omnibachi_model.diagnostics import Diagnostic


def traced(files: dict[str, str]) -> list[str]:
    """Return the lines that name the files of a trace."""
    heads = ["  trace "] + ["        "] * len(files)
    return [f"{head}  {path}" for head, path in zip(heads, files.values(), strict=False)]


class Output:
    """Where a command's result goes: text for people, or one JSON object of a schema."""

    def __init__(self, as_json: bool, schema: str) -> None:
        self.as_json = as_json
        self.schema = schema

    def give(
        self,
        status: int,
        value: dict[str, Any],
        lines: Sequence[str],
        diagnostics: Sequence[Diagnostic] = (),
        root: str | None = None,
    ) -> int:
        """Print a result and return its exit status: `value` as JSON, or `lines` and the diagnostics beside them.

        `root` is the folder that the diagnostics' files are relative to.
        """
        if self.as_json:
            head = {"schema": self.schema, "ok": status == OK, "exit_code": status}
            found = {"diagnostics": [item.as_json() for item in diagnostics]}
            write({**head, **value, **found})
            return status
        self.findings(diagnostics, root)
        for line in lines:
            click.echo(line)
        return status

    def refused(self, diagnostics: Sequence[Diagnostic], status: int) -> int:
        """Print what was refused and return the exit status."""
        return self.give(status, {}, [], diagnostics)

    def findings(self, diagnostics: Sequence[Diagnostic], root: str | None = None) -> None:
        """Print diagnostics on stderr for people."""
        if diagnostics:
            show(diagnostics, root)

    @contextlib.contextmanager
    def progress(self, text: str) -> Iterator[Any]:
        """Show on a terminal that something is being done; the value has `update(text)`."""
        if self.as_json or not sys.stderr.isatty():
            yield _Silence()
            return
        from rich.console import Console

        with Console(stderr=True).status(text) as status:
            yield status

    @contextlib.contextmanager
    def bar(self) -> Iterator[Callable[[int, int], None]]:
        """Show a bar with rate and remaining time, only on a terminal; the value is told (how many are done, of how
        many)."""
        if self.as_json or not sys.stderr.isatty():
            yield lambda done, of: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as shown:
            bar = shown.add_task("", total=None, rate="")

            def tell(done: int, of: int) -> None:
                speed = shown.tasks[0].finished_speed or shown.tasks[0].speed
                shown.update(bar, completed=done, total=of, rate=f"{speed:.0f}/s" if speed else "")

            yield tell


class _Silence:
    def update(self, text: str) -> None:
        """Say nothing."""


def show(diagnostics: Sequence[Diagnostic], root: str | None = None) -> None:
    """Print diagnostics on stderr, each with its place in the source."""
    from omnibachi.terminal import render

    click.echo(render(diagnostics, root), err=True, nl=False)


def write(value: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True))


def counted(count: int, noun: str, nouns: str | None = None) -> str:
    """Write a number with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {nouns or noun + 's'}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay rows out in columns of equal width."""
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
