"""The library: every declaration of a workspace under its full address, with its schemas sealed.

Phase between the declarations and the graphs. Here duplicates, missing domains, governors that keep no state and
functions that are missing or do not match are found; workflows are only filed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnibachi_model.addresses import candidates
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.nearest import nearest_address

from .declarations import (
    Body,
    Contract,
    Declaration,
    Domain,
    EventShape,
    Intent,
    Invariant,
    Name,
    NamedSchema,
    Outcome,
    Policy,
    Scenario,
    SideEffect,
    Store,
    Transform,
    Workflow,
)
from .declarations import Operation as OperationDeclaration
from .fixes import readdressed
from .leaving import check_hosts, check_leaving
from .marks import GIVEN, NONE, TAKEN
from .named_schemas import NamedSchemas, name_schemas
from .phase import Phase
from .programs import seal_programs
from .schemas import Named, member_places, seal_fields, seal_schema
from .tree import Mapping as TreeMapping
from .tree import Scalar, Sequence

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Capability:
    """A transform, or one operation of a side effect (its address ends in `.OPERATION`)."""

    address: str
    effect: str
    needs: frozenset[str]
    inputs: Schema
    outcomes: Mapping[str, Schema]
    governor: str | None  # the side effect's address
    keeps: str | None
    summary: str
    span: Span
    repeat: str | None = None  # of what leaves the house: `key` or `never`

    @property
    def signature(self) -> dict[str, Any]:
        """What is sealed of it, and what its lock's signature digest covers."""
        if self.governor is None:
            return {"inputs": self.inputs, "outcomes": dict(self.outcomes)}
        signature = {
            "effect": self.effect,
            "needs": sorted(self.needs),
            "inputs": self.inputs,
            "outcomes": dict(self.outcomes),
        }
        return signature if self.repeat is None else {**signature, "repeat": self.repeat}


@dataclass(frozen=True, slots=True)
class SealedStore:
    """A store with its governor's full address."""

    address: str
    governed_by: str
    keeps: str
    record: Schema
    seed: bool
    evidence: bool
    summary: str
    span: Span
    rules: Mapping[str, Any] = field(default_factory=dict)  # of accounts: what was declared, sealed with workflows too

    @property
    def sealed(self) -> dict[str, Any]:
        """What is sealed of it."""
        return {
            "governed_by": self.governed_by,
            "keeps": self.keeps,
            "record": self.record,
            "seed": self.seed,
            "evidence": self.evidence,
            **self.rules,
        }


@dataclass(frozen=True, slots=True)
class Shape:
    """An intent, an event or a named schema: an address and a schema; of an intent also where its payload's members are
    declared."""

    address: str
    schema: Schema
    summary: str
    span: Span
    payload: Span | None = None
    members: Mapping[str, Span] = field(default_factory=dict)  # by JSON Pointer


@dataclass(slots=True)
class Library:
    """Everything declared, by address; filled once by `collect` and only read afterwards."""

    domains: dict[str, Domain] = field(default_factory=dict)
    programs: dict[str, dict[str, Any]] = field(default_factory=dict)  # of each domain by name, as sealed
    capabilities: dict[str, Capability] = field(default_factory=dict)
    side_effects: dict[str, SideEffect] = field(default_factory=dict)
    transforms: dict[str, Transform] = field(default_factory=dict)
    stores: dict[str, SealedStore] = field(default_factory=dict)
    intents: dict[str, Shape] = field(default_factory=dict)
    events: dict[str, Shape] = field(default_factory=dict)
    schemas: dict[str, Shape] = field(default_factory=dict)  # those with a name, as sealed where anything may stand
    named: NamedSchemas = field(default_factory=NamedSchemas)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    contract_inputs: dict[str, Schema] = field(default_factory=dict)
    invariants: dict[str, Invariant] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    scenarios: list[Scenario] = field(default_factory=list)
    broken: frozenset[str] = frozenset()  # addresses whose declarations could not be understood

    @property
    def bodies(self) -> dict[str, Body]:
        """Everything that has a graph: contracts and workflows."""
        return {**self.contracts, **self.workflows}


def address_of(declaration: Declaration) -> str:
    """Return the full address of a declaration (of a domain or a scenario: its bare name)."""
    if isinstance(declaration, Domain | Scenario):
        return declaration.name.text
    return f"{declaration.domain}::{declaration.name.text}"


def collect(
    declarations: Iterable[Declaration], broken: frozenset[str] = frozenset(), known: Library | None = None
) -> Phase[Library]:
    """File every declaration under its address and seal its schemas.

    `broken` are addresses that stand in the text but could not be understood: naming one is no further mistake. Where
    there is a library of what is `known` already, it is added to.
    """
    found: list[Diagnostic] = []
    library = known or Library(broken=broken)
    seen: dict[tuple[str, str], Span] = {}
    stores: list[Store] = []
    declarations = list(declarations)
    named = name_schemas([item for item in declarations if isinstance(item, NamedSchema)], library.broken)
    library.named = named.value
    found.extend(named.diagnostics)
    for item in declarations:
        address = address_of(item)
        kind = "test" if isinstance(item, Scenario) else "artifact"
        key = (f"test {item.span.file}", address) if kind == "test" else (kind, address)
        if key in seen:
            found.append(
                Diagnostic(
                    "OB307",
                    f"`{address}` is declared twice",
                    item.name.span,
                    help="rename or remove one of them",
                    related=[(seen[key], "first declared here")],
                )
            )
            continue
        seen[key] = item.name.span
        if isinstance(item, Store):
            stores.append(item)
        else:
            _file(item, address, library, found)
    for store in stores:
        _store(store, library, found)
    return Phase(library, tuple(found))


def _file(item: Declaration, address: str, library: Library, found: list[Diagnostic]) -> None:
    named = library.named.of(getattr(item, "domain", ""))
    if isinstance(item, Domain):
        found.extend(check_hosts(item))
        library.programs[item.name.text] = _taken(seal_programs(item.programs), found)
        library.domains[item.name.text] = item
    elif isinstance(item, Workflow):
        library.workflows[address] = item
    elif isinstance(item, Contract):
        library.contracts[address] = item
        library.contract_inputs[address] = _taken(seal_fields(item.inputs, marks=TAKEN, named=named), found)
    elif isinstance(item, Invariant):
        library.invariants[address] = item
    elif isinstance(item, Policy):
        library.policies[address] = item
    elif isinstance(item, Scenario):
        library.scenarios.append(item)
    elif isinstance(item, Transform):
        library.transforms[address] = item
        library.capabilities[address] = Capability(
            address,
            "PURE",
            frozenset(),
            _taken(seal_fields(item.inputs, marks=TAKEN, named=named), found),
            _outcomes(item.outcomes, named, found, GIVEN),
            None,
            None,
            item.summary,
            item.name.span,
        )
    elif isinstance(item, SideEffect):
        library.side_effects[address] = item
        for operation in item.operations:
            found.extend(check_leaving(operation))
            library.capabilities[f"{address}.{operation.name.text}"] = _operation(
                item, operation, address, named, found
            )
    elif isinstance(item, Intent):
        payload = _record("payload", item.payload, named, found, defaults=True, marks=TAKEN)
        library.intents[address] = Shape(
            address, payload, item.summary, item.name.span, item.payload.span, member_places(item.payload)
        )
    elif isinstance(item, EventShape):
        record = _record("record", item.record, named, found)
        library.events[address] = Shape(address, record, item.summary, item.name.span)
    elif isinstance(item, NamedSchema):
        library.schemas[address] = Shape(address, library.named.value(address), item.summary, item.name.span)


def _operation(
    item: SideEffect, operation: OperationDeclaration, address: str, named: Named, found: list[Diagnostic]
) -> Capability:
    return Capability(
        f"{address}.{operation.name.text}",
        operation.effect.text,
        frozenset(need.text for need in operation.needs),
        _taken(seal_fields(operation.inputs, named=named), found),
        _outcomes(operation.outcomes, named, found),
        address,
        item.keeps,
        item.summary,
        operation.name.span,
        operation.repeat.text if operation.repeat else None,
    )


def _outcomes(
    outcomes: tuple[Outcome, ...], named: Named, found: list[Diagnostic], marks: frozenset[str] = NONE
) -> dict[str, Schema]:
    return {
        outcome.name.text: _taken(seal_fields(outcome.fields, defaults=False, marks=marks, named=named), found)
        for outcome in outcomes
    }


def _taken(phase: Phase[Schema], found: list[Diagnostic]) -> Schema:
    found.extend(phase.diagnostics)
    return phase.value


def _record(
    key: str,
    tree: TreeMapping,
    named: Named,
    found: list[Diagnostic],
    *,
    defaults: bool = False,
    marks: frozenset[str] = NONE,
) -> Schema:
    """Seal the schema of a payload or a record: an object, also where the text does not say so."""
    schema = _taken(seal_schema(tree, defaults=defaults, marks=marks, named=named), found)
    typed = tree.get("type") or tree.get("$ref")
    if typed is not None and schema.get("type", "object") != "object":
        found.append(Diagnostic("OB208", f"a {key} is an object", typed.span, help="write `type: object`"))
    return {**schema, "type": "object"}


def _store(store: Store, library: Library, found: list[Diagnostic]) -> None:
    named = library.named.of(store.domain)
    record: Schema = {"type": "object"} if store.record is None else _record("record", store.record, named, found)
    governor = lookup(
        store.governed_by, store.domain, library.side_effects, "OB301", "side effect", found, library.broken
    )
    address = address_of(store)
    if governor is None:
        # Filed all the same, so that what uses the store is judged by the rest of its declaration.
        library.stores[address] = SealedStore(
            address, "", "records", record, store.seed, store.evidence, store.summary, store.name.span
        )
        return
    side_effect = library.side_effects[governor]
    if not any(need.text == "store" for operation in side_effect.operations for need in operation.needs):
        found.append(
            Diagnostic(
                "OB405",
                f"`{governor}` keeps no state: none of its operations needs a store",
                store.governed_by.span,
                related=[(side_effect.name.span, "declared here")],
            )
        )
    if store.seed and side_effect.keeps != "records":
        found.append(
            Diagnostic(
                "OB405",
                f"facts cannot be loaded into `{store.name.text}`: `{governor}` keeps no records that may change",
                store.name.span,
                help="leave `seed` out, or let `std::CS_RECORDS_V0` govern the store",
                related=[(side_effect.name.span, "declared here")],
                severity="warning",
            )
        )
    found.extend(_misplaced(store, governor, side_effect))
    library.stores[address] = SealedStore(
        address,
        governor,
        side_effect.keeps,
        record,
        store.seed,
        store.evidence,
        store.summary,
        store.name.span,
        _rules(store),
    )


def _misplaced(store: Store, governor: str, side_effect: SideEffect) -> Iterator[Diagnostic]:
    """Find what is said of accounts where there are none, and of records where none is declared."""
    related = [(side_effect.name.span, "declared here")]
    if side_effect.keeps != "accounts":
        for entry in store.accounts:
            message = f"`{entry.key}` speaks of accounts, and `{governor}` keeps none"
            help = "leave it out, or let `std::CS_ACCOUNTS_V0` govern the store"
            yield Diagnostic("OB405", message, entry.key_span, help=help, related=related)
    shapes = {"accounts": "accounts, which have a balance", "decisions": "decisions, which have a shape"}
    if store.record is not None and side_effect.keeps in shapes:
        message = f"`{governor}` keeps {shapes[side_effect.keeps]} and no `record`"
        yield Diagnostic("OB405", message, store.record.span, help="leave `record` out", related=related)


def _rules(store: Store) -> dict[str, Any]:
    """Return what is declared of accounts as it is sealed: names once and in order, switches where they are on."""
    rules: dict[str, Any] = {}
    for entry in store.accounts:
        if isinstance(entry.value, Sequence):
            rules[entry.key] = sorted({str(item.value) for item in entry.value.items if isinstance(item, Scalar)})
        elif isinstance(entry.value, Scalar) and entry.value.value is True:
            rules[entry.key] = True
    return rules


def lookup(
    name: Name,
    domain: str,
    known: Mapping[str, object],
    code: str,
    what: str,
    found: list[Diagnostic],
    broken: frozenset[str],
) -> str | None:
    """Return the full address that a name means inside a domain; report `code` and the nearest one otherwise.

    Silent about an address in `broken`: its own declaration is what is wrong.
    """
    for address in candidates(name.text, domain):
        if address in known:
            return address
        if address in broken:
            return None
    near = nearest_address(name.text, known, domain)
    found.append(
        Diagnostic(
            code,
            f"no {what} is called `{name.text}`",
            name.span,
            help=f"did you mean `{near}`?" if near else _inventory(what, known),
            fix=readdressed(name.span, name.text, known, domain),
        )
    )
    return None


def _inventory(what: str, known: Mapping[str, object]) -> str:
    if not known:
        return f"no {what} is declared"
    shown = sorted(known)[:5]
    return f"known: {', '.join(f'`{item}`' for item in shown)}{', …' if len(known) > 5 else ''}"
