"""The pipeline: sources in, a snapshot and every finding out.

Each phase takes the type of the phase before it; only `check` makes a `Checked` graph and only those can be sealed.
All findings of all phases are collected and sorted; nothing is sealed when one of them is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from omnibachi_model.diagnostics import Defect, Diagnostic, Span, has_errors, in_order

from .binding import Place
from .capabilities import check_implementations
from .check import Checked, check_graph
from .declarations import Declaration, Scenario
from .declare import declare
from .graph import build_graph
from .language import SCHEMAS
from .library import Library, address_of, collect
from .loader import load
from .phase import Implementation, Source
from .seal import Sealed, seal

_DOMAIN = re.compile(rb"^domain[ \t]*:", re.M)
_DOCUMENT = re.compile(r"^---(?: .*)?$", re.M)
_KEY = re.compile(r"^[\"']?(\w+)[\"']?[ \t]*:", re.M)
_ARTIFACT = re.compile(r"^(?:workflow|transform|side_effect|intent|event|store): *[\"']?([A-Z]{2}_[A-Z0-9_]+)", re.M)


@dataclass(frozen=True, slots=True)
class Compilation:
    """What compiling gave: the snapshot (None when something is wrong), all findings in order, the workflows that were
    proven, the places that are checked when run, the scenarios, and the library (for tools)."""

    sealed: Sealed | None
    diagnostics: tuple[Diagnostic, ...]
    workflows: tuple[Checked, ...]
    places: tuple[Place, ...]
    scenarios: tuple[Scenario, ...]
    library: Library


def compile_sources(
    sources: Sequence[Source],
    implementations: Mapping[str, Implementation],
    versions: Mapping[str, str],
    shown: Callable[[str], str],
) -> Compilation:
    """Compile a whole workspace. `implementations` are by capability address (`…::CS_X_V0.OP` for an operation);
    `shown` gives the path of a module as people know it."""
    found: list[Diagnostic] = []
    declarations: list[Declaration] = []
    for source in sorted(sources, key=lambda item: item.path):
        trees = load(source)
        found.extend(trees.diagnostics)
        declared = declare(source, trees.value)
        found.extend(declared.diagnostics)
        declarations.extend(declared.value)
    library = collect(declarations, _broken(sources, declarations))
    found.extend(library.diagnostics)
    found.extend(_missing_domains(declarations, library.value, sources))
    found.extend(check_implementations(library.value, implementations, shown))
    workflows: list[Checked] = []
    for address, workflow in sorted(library.value.workflows.items()):
        graph = build_graph(address, workflow, library.value)
        found.extend(graph.diagnostics)
        if graph.value is not None:
            checked = check_graph(graph.value)
            found.extend(checked.diagnostics)
            if checked.value is not None:
                workflows.append(checked.value)
    diagnostics = in_order(found)
    ready = not has_errors(diagnostics)
    if ready and len(workflows) < len(library.value.workflows):
        raise Defect("a workflow was left unproven, and no finding says why")
    left_out = _scenarios_alone(declarations)
    sealed_sources = [source for source in sources if source.path not in left_out]
    sealed = seal(workflows, library.value, sealed_sources, implementations, versions) if ready else None
    places = tuple(place for item in workflows for place in item.places)
    return Compilation(sealed, diagnostics, tuple(workflows), places, tuple(library.value.scenarios), library.value)


def _broken(sources: Sequence[Source], declarations: Sequence[Declaration]) -> frozenset[str]:
    """Return the addresses that the text declares but that no declaration came of."""
    declared = {address_of(item) for item in declarations}
    named: set[str] = set()
    for source in sources:
        for document in _DOCUMENT.split(source.data.decode("utf-8", "replace")):
            first, found = _KEY.search(document), _ARTIFACT.search(document)
            # A workflow names its intent and a scenario its workflow: where the first key is of a kind, it declares.
            if found and first and (found.start() == first.start() or first[1] not in SCHEMAS):
                named.add(f"{source.domain}::{found[1]}")
    return frozenset(named - declared)


def _scenarios_alone(declarations: Sequence[Declaration]) -> set[str]:
    """Return the sources that hold scenarios and nothing else: they are no part of the snapshot."""
    scenarios = {item.span.file for item in declarations if isinstance(item, Scenario)}
    return scenarios - {item.span.file for item in declarations if not isinstance(item, Scenario)}


def _missing_domains(
    declarations: Sequence[Declaration], library: Library, sources: Sequence[Source]
) -> list[Diagnostic]:
    """Report each folder without a `domain:`; silent where there is one that could not be understood."""
    found: dict[str, Diagnostic] = {}
    broken = {source.domain for source in sources if _DOMAIN.search(source.data)}
    for item in declarations:
        domain = getattr(item, "domain", None)
        if domain is not None and domain not in library.domains and domain not in found and domain not in broken:
            span: Span = item.span
            found[domain] = Diagnostic(
                "OB308",
                f"the folder `{domain}` has no `domain:` of its name",
                span,
                help=f"add `protocols/{domain}/domain.yaml` with `domain: {domain}`",
            )
    return list(found.values())
