"""Decision tables and computations of one node: every row judged, dead rows found, fields typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnibachi_model.diagnostics import Diagnostic

from .binding import Reader
from .declarations import Compute, Decide, Name
from .infer import Inferred, check_condition, check_expression
from .loader import short
from .rows import dead_rows
from .sizes import held

Schema = dict[str, Any]
MISFIT = "may meet what is absent or of another type"
NO_RESULT = "may divide by zero or leave the range of numbers"


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One row as it is sealed; `when` is None in the last."""

    when: list[Any] | None
    outcome: str
    because: str | None


def judge_rows(
    declaration: Decide, names: Mapping[str, Schema], reader: Reader
) -> tuple[tuple[SealedRow, ...], dict[str, Schema]]:
    """Judge a decision table: its sealed rows, and the type of `because` for each outcome."""
    rows: list[SealedRow] = []
    readable = True
    known = names  # what the rows above, being false, tell of the names
    for row in declaration.rows:
        sealed: list[Any] | None = None
        if row.when is not None:
            phase = check_condition(row.when, names)
            reader.found.extend(phase.diagnostics)
            readable = readable and phase.value is not None and not phase.diagnostics
            sealed = phase.value.sealed if phase.value else ["lit", True]
            known = _reached(row.when, phase.value, known, reader)
        rows.append(SealedRow(sealed, row.outcome.text, row.because.text if row.because else None))
    if all(row.when is not None for row in declaration.rows):
        reader.report(
            "OB511",
            f"the table of `{declaration.name.text}` has no last row without `when`",
            declaration.rows[-1].span,
            help="end the table with a row that has only an outcome",
        )
    if readable:
        _dead(declaration, rows, names, reader)
    return tuple(rows), _texts(rows)


def _reached(when: Name, sealed: Inferred | None, known: Mapping[str, Schema], reader: Reader) -> Mapping[str, Schema]:
    """Note a condition that may end in FAULT, given what is known where it is asked; return what is known where it is
    false."""
    found = check_condition(when, known)
    if found.value is None:
        return known
    # Operations are sealed as the names' own types have it: what is known here may have made `/` another one.
    other = sealed is not None and sealed.sealed != found.value.sealed
    _note(when, sealed if other and sealed else found.value, reader, misfit=bool(found.diagnostics))
    return found.value.otherwise


def _note(text: Name, found: Inferred, reader: Reader, *, misfit: bool = False) -> None:
    """Note an expression that ends in FAULT for some values of its names."""
    if found.may_misfit or misfit:
        reader.check(text.span, f"`{short(text.text)}` {MISFIT}")
    elif found.may_fault:
        reader.check(text.span, f"`{short(text.text)}` {NO_RESULT}")


def _dead(declaration: Decide, rows: list[SealedRow], names: Mapping[str, Schema], reader: Reader) -> None:
    for index, by in dead_rows([row.when for row in rows], names):
        covered = by is not None and by != index
        related = [(declaration.rows[by].span, "by this row")] if covered and by is not None else []
        why = "earlier rows cover it" if covered else "its condition is never true"
        row = declaration.rows[index]
        advice = None if covered else "mend the condition, or remove the row"
        if covered and by is not None and row.when is None and declaration.rows[by].when is not None:
            advice = "remove it, and the `when` of the last row that can win"
        place = row.when.span if row.when is not None else row.outcome.span
        message = f"row {index + 1} can never win: {why}"
        reader.found.append(Diagnostic("OB510", message, place, help=advice, related=related))


def _texts(rows: list[SealedRow]) -> dict[str, Schema]:
    """Return the type of `because` for each outcome: text where all its rows have one, null where none has."""
    found: dict[str, Schema] = {}
    for outcome in {row.outcome: None for row in rows}:
        texts = [row.because for row in rows if row.outcome == outcome]
        if all(text is None for text in texts):
            found[outcome] = {"type": "null"}
        else:
            found[outcome] = {"type": ["string", "null"]} if None in texts else {"type": "string"}
    return found


def judge_fields(
    declaration: Compute, names: Mapping[str, Schema], reader: Reader
) -> tuple[dict[str, list[Any]], dict[str, Schema]]:
    """Judge a computation: its sealed expressions and the types of its fields."""
    sealed: dict[str, list[Any]] = {}
    types: dict[str, Schema] = {}
    for name, text in declaration.fields:
        phase = check_expression(text, names)
        reader.found.extend(phase.diagnostics)
        types[name.text] = held(phase.value.type) if phase.value else {}
        if phase.value is not None:
            sealed[name.text] = phase.value.sealed
            _note(text, phase.value, reader)
    return sealed, types
