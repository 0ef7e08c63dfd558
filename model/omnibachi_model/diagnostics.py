"""Diagnostics: a user's mistake as a value; and Defect: our own mistake as an exception.

A diagnostic has a code for ever (`codes.toml` holds slug, summary, help and example of each), a message in lower case
without a final stop and with user text in backticks, the place, advice apart from the message, related places, and the
graph path that proves it where there is one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from .values import JSON


class Span:
    """A stretch of a source file: path as shown to people, lines and columns from 1, the end column exclusive."""

    __slots__ = ("column", "end_column", "end_line", "file", "line")

    def __init__(self, file: str, line: int, column: int, end_line: int, end_column: int) -> None:
        self.file = file
        self.line = line
        self.column = column
        self.end_line = end_line
        self.end_column = end_column

    def __repr__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def key(self) -> tuple[str, int, int, int, int]:
        """Return what spans are compared and sorted by."""
        return (self.file, self.line, self.column, self.end_line, self.end_column)


class Fix:
    """A certain correction: `says` what it does; `edits` are (span, text), what to write in place of what stands there.

    Where `old` is not None, only that word inside the span is meant, until the compiler has looked where it stands.
    """

    __slots__ = ("edits", "old", "says")

    def __init__(self, says: str, edits: Sequence[tuple[Span, str]], old: str | None = None) -> None:
        self.says = says
        self.edits = tuple(edits)
        self.old = old

    def __repr__(self) -> str:
        return f"Fix({self.says}: {self.edits})"

    def as_json(self) -> dict[str, JSON]:
        """Return the shape that fixes have in every command's `--json`."""
        return {
            "says": self.says,
            "edits": [
                {
                    "file": span.file,
                    "line": span.line,
                    "column": span.column,
                    "end_line": span.end_line,
                    "end_column": span.end_column,
                    "text": text,
                }
                for span, text in self.edits
            ],
        }


class Diagnostic:
    """One finding. `related` is a sequence of (span, label); `path` the graph path that proves the finding; `fix` a
    correction, where one is certain."""

    __slots__ = ("code", "fix", "help", "message", "path", "related", "severity", "span")

    def __init__(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        help: str | None = None,
        related: Sequence[tuple[Span, str]] = (),
        path: Sequence[str] = (),
        severity: str = "error",
        fix: Fix | None = None,
    ) -> None:
        self.code = code
        self.message = message
        if ":/" in message:
            # An address is quoted where it stands in the wrong place; its password is not.
            from .passwords import without_passwords

            self.message = without_passwords(message)
        self.span = span
        self.help = help
        self.related = tuple(related)
        self.path = tuple(path)
        self.severity = severity
        self.fix = fix

    def __repr__(self) -> str:
        return f"Diagnostic({self.code} {self.span}: {self.message})"

    def key(self) -> tuple[Any, ...]:
        """Return what diagnostics are sorted by: file, line, column, code, message."""
        place = self.span.key() if self.span else ("", 0, 0, 0, 0)
        return (*place, self.code, self.message)

    def as_warning(self) -> Diagnostic:
        """Return the same finding as a warning, where it stands in nobody's way."""
        return self._again("warning", self.fix)

    def with_fix(self, fix: Fix | None) -> Diagnostic:
        """Return the same finding with another fix, or without one."""
        return self._again(self.severity, fix)

    def _again(self, severity: str, fix: Fix | None) -> Diagnostic:
        return Diagnostic(
            self.code,
            self.message,
            self.span,
            help=self.help,
            related=self.related,
            path=self.path,
            severity=severity,
            fix=fix,
        )

    def as_json(self) -> dict[str, JSON]:
        """Return the one shape that diagnostics have in every command's `--json`."""
        from .codes import help_of, slug_of

        span = self.span
        value: dict[str, JSON] = {
            "code": self.code,
            "slug": slug_of(self.code),
            "severity": self.severity,
            "message": self.message,
            "file": span.file if span else None,
            "line": span.line if span else None,
            "column": span.column if span else None,
            "end_line": span.end_line if span else None,
            "end_column": span.end_column if span else None,
            "help": self.help or help_of(self.code),
            "related": [
                {"file": place.file, "line": place.line, "column": place.column, "label": label}
                for place, label in self.related
            ],
            "path": list(self.path),
        }
        if self.fix is not None:
            value["fix"] = self.fix.as_json()
        return value


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort by file, line and column and drop exact repeats."""
    found: dict[tuple[Any, ...], Diagnostic] = {}
    for item in diagnostics:
        found.setdefault(item.key(), item)
    return tuple(found[key] for key in sorted(found))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Tell whether one of them is an error (and not a warning or a note)."""
    return any(item.severity == "error" for item in diagnostics)


class Refused(Exception):
    """What was asked for is refused; `diagnostics` say why. Raised by `Workspace.load` and `Workspace.engine`."""

    def __init__(self, diagnostics: Sequence[Diagnostic], exit_code: int = 4) -> None:
        super().__init__("; ".join(f"{item.code}: {item.message}" for item in diagnostics))
        self.diagnostics = tuple(diagnostics)
        self.exit_code = exit_code


class Trouble(Exception):
    """The data root's own database or files cannot do what is needed; a started run stays resumable (exit status 6)."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(f"{diagnostic.code}: {diagnostic.message}")
        self.diagnostic = diagnostic


class Cancelled(Exception):
    """Somebody asked that the run end, and it is at a place where it can; raised by its journal, seen by its walk."""


class Defect(Exception):
    """A mistake of OmniBachi itself: never caused by what a user wrote (exit status 70)."""
