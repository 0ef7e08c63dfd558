"""Named schemas: what a document `schema:` gives a name to, and what a `$ref` to that name stands for.

A named schema is sealed once for each kind of place in which it is used (may there be defaults, may there be secrets),
those first that others refer to; so no chain of names is too long, and a name that leads back to itself is found before
anything is expanded. Whoever refers to it gets what would be sealed if it were written there: names leave no trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from omnibachi_model.addresses import candidates
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.nearest import nearest_address

from .declarations import NamedSchema
from .fixes import readdressed
from .marks import TAKEN
from .phase import Phase
from .schemas import OPEN, Named, Part, Schema, references, seal_part
from .tree import Scalar

Place = tuple[bool, bool]  # whether defaults, and whether secrets may stand there
ANYWHERE: Place = (True, True)


@dataclass(slots=True)
class NamedSchemas:
    """The named schemas of a workspace, by address, those first that others refer to; those in a circle are open."""

    declared: Mapping[str, NamedSchema] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    circular: frozenset[str] = frozenset()
    sealed: dict[Place, dict[str, Phase[Part]]] = field(default_factory=dict)

    def of(self, domain: str) -> Named:
        """Return what finds a named schema by a `$ref` that stands in a domain."""
        return partial(_find, self, domain)

    def value(self, address: str) -> Schema:
        """Return a schema as it is sealed where anything may stand."""
        found: Schema = self.sealed[ANYWHERE][address].value.value
        return found


def name_schemas(items: Iterable[NamedSchema], broken: frozenset[str]) -> Phase[NamedSchemas]:
    """Gather named schemas and seal each as for a payload.

    Diagnostics: OB228 (one that contains itself), OB322 (no such schema), and those of schemas.
    """
    unordered: dict[str, NamedSchema] = {}
    for item in items:
        unordered.setdefault(f"{item.domain}::{item.name.text}", item)
    found: list[Diagnostic] = []
    order, circular = _ordered(unordered, found)
    names = NamedSchemas({address: unordered[address] for address in order}, broken, circular)
    _seal_all(names, ANYWHERE)
    found += [item for phase in names.sealed[ANYWHERE].values() for item in phase.diagnostics]
    return Phase(names, tuple(found))


def _ordered(items: Mapping[str, NamedSchema], found: list[Diagnostic]) -> tuple[list[str], frozenset[str]]:
    """Return addresses, those first that others refer to, and those from which a name leads back to itself."""
    done: dict[str, None] = {}
    circular: set[str] = set()
    for start in sorted(items):
        trail: list[str] = []
        waiting: list[tuple[str, Scalar | None]] = [(start, None)]
        while waiting:
            address, at = waiting[-1]
            if address in done:
                waiting.pop()
                continue
            if trail and trail[-1] == address and at is None:
                # All that it refers to is done.
                done[trail.pop()] = None
                waiting.pop()
                continue
            if address in trail:
                waiting.pop()
                round_ = [*trail[trail.index(address) :], address]
                circular.update(round_)
                message = f"a schema contains itself: {' -> '.join(f'`{item}`' for item in round_)}"
                found.append(Diagnostic("OB228", message, at.span if at else None))
                continue
            trail.append(address)
            waiting[-1] = (address, None)
            for reference in references(items[address].tree):
                meant = _meant(str(reference.value), items[address].domain, items)
                if meant is not None and meant not in done:
                    waiting.append((meant, reference))
    return list(done), frozenset(circular)


def _meant(text: str, domain: str, known: Mapping[str, object]) -> str | None:
    return next((address for address in candidates(text, domain) if address in known), None)


def _seal_all(names: NamedSchemas, place: Place) -> None:
    """Seal every named schema for a kind of place."""
    names.sealed[place] = sealed = {}
    for address, item in names.declared.items():
        if address in names.circular:
            sealed[address] = Phase(OPEN, ())
            continue
        defaults, secrets = place
        marks = TAKEN if secrets else frozenset()
        sealed[address] = seal_part(item.tree, defaults=defaults, marks=marks, named=names.of(item.domain), member=True)


def _find(names: NamedSchemas, domain: str, reference: Scalar, defaults: bool, marks: frozenset[str]) -> Phase[Part]:
    """Return the schema that a `$ref` names; what of it cannot stand here is reported here."""
    text = str(reference.value)
    address = _meant(text, domain, names.declared)
    if address is None:
        if any(item in names.broken for item in candidates(text, domain)):
            return Phase(OPEN, ())
        near = nearest_address(text, names.declared, domain)
        advice = f"did you mean `{near}`?" if near else "declare it with `schema:`; `#/$defs/NAME` is one of your own"
        fix = readdressed(reference.span, text, names.declared, domain)
        message = f"no schema is called `{text}`"
        return Phase(OPEN, (Diagnostic("OB322", message, reference.span, help=advice, fix=fix),))
    place = (defaults, bool(marks & TAKEN))
    if place not in names.sealed:
        _seal_all(names, place)
    said = {item.key() for item in names.sealed[ANYWHERE][address].diagnostics} if place != ANYWHERE else set()
    phase = names.sealed[place][address]
    own = [item for item in phase.diagnostics if place != ANYWHERE and item.key() not in said]
    return Phase(phase.value, tuple(_here(item, address, reference) for item in own))


def _here(item: Diagnostic, address: str, reference: Scalar) -> Diagnostic:
    """Return what is wrong with a named schema in a place, as said of the place."""
    related = [*([(item.span, f"in `{address}`")] if item.span else []), *item.related]
    return Diagnostic(item.code, item.message, reference.span, help=item.help, related=related, severity=item.severity)
