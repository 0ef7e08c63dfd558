"""Renaming a named schema: its declaration and every `$ref` that means it, in all texts of a workspace."""

from __future__ import annotations

from omnibachi_model.addresses import CODE, split
from omnibachi_model.diagnostics import Diagnostic

from .calls import address_in
from .references import span_of
from .roles import role_of
from .scan import Token
from .spots import Open, Project, Spot

KIND = "schema"


def schema_at(opened: Open, spot: Spot) -> str | None:
    """Return the name of a schema that is declared or referred to at a spot, as it is written there."""
    token = spot.token
    declared = spot.kind == KIND and token.path == (KIND,) and not token.key
    return token.text if declared or (spot.role == KIND and "#" not in token.text) else None


def places_of(project: Project, opened: Open, name: str) -> list[tuple[Open, Token]] | None:
    """Return every text and token that names a schema; None where no such schema is known."""
    known = project.library.schemas
    address = address_in(known, name, opened.domain)
    if address is None:
        return None
    found: list[tuple[Open, Token]] = []
    for path, text in sorted({**project.texts, opened.path: opened.text}.items()):
        other = opened if path == opened.path else Open(path, path.split("/")[1], text)
        for token in other.tokens:
            kind = other.kind(token.document)
            if kind is None or token.key:
                continue
            if kind == KIND and token.path == (KIND,):
                meant: str | None = f"{other.domain}::{token.text}"
            elif role_of(kind, token.path, key=False) == KIND:
                meant = address_in(known, token.text, other.domain)
            else:
                continue
            if meant == address:
                found.append((other, token))
    return found


def refused(project: Project, opened: Open, token: Token, new: str) -> Diagnostic | None:
    """Return why a schema cannot have a name; None where it can."""
    place = span_of(opened, token)
    if CODE.match(new) is None or not new.startswith("SC_"):
        message = f"`{new[:80]}` cannot be the name of a schema"
        return Diagnostic("OB771", message, place, help="write it as in `SC_ACTOR_RECORD_V0`")
    if any(split(address)[1] == new for address in project.library.schemas):
        help_ = f"choose another name for `{split(token.text)[1]}`"
        return Diagnostic("OB772", f"`{new}` is taken already", place, help=help_)
    return None
