"""The pipeline: sources in, a snapshot and every finding out.

Each phase takes the type of the phase before it; only `check` makes a `Checked` graph and only those can be sealed.
All findings of all phases are collected and sorted; nothing is sealed when one of them is an error.
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibachi_model.diagnostics import Defect, Diagnostic, Span, has_errors, in_order

from .binding import Place
from .bodies import Body, prove
from .bounds import bounds, check_limits
from .capabilities import check_implementations
from .check import Checked
from .copies import check_copies
from .declarations import Declaration, Scenario, Workflow
from .declare import declare
from .fixes import located
from .language import SCHEMAS
from .laws import inlined_uses, prove_laws
from .library import Library, address_of, collect
from .loader import load
from .lower import lower
from .nesting import check_nesting
from .phase import Implementation, Source
from .points import Subject, subject
from .policies import seal_policies
from .seal import Sealed, seal, signatures, written

_DOMAIN = re.compile(rb"^domain[ \t]*:", re.M)
_DOCUMENT = re.compile(r"^---(?: .*)?$", re.M)
_KEY = re.compile(r"^[\"']?(\w+)[\"']?[ \t]*:", re.M)
_KINDS = "workflow|contract|transform|side_effect|intent|event|schema|store|invariant|policy"
_ARTIFACT = re.compile(rf"^(?:{_KINDS}): *[\"']?([A-Z]{{2}}_[A-Z0-9_]+)", re.M)


@dataclass(frozen=True, slots=True)
class Compilation:
    """What compiling gave: the snapshot (None when something is wrong), all findings in order, the workflows that were
    proven, the places that are checked when run (in order), the scenarios, and the library (for tools)."""

    sealed: Sealed | None
    diagnostics: tuple[Diagnostic, ...]
    workflows: tuple[Checked, ...]
    places: tuple[Place, ...]
    scenarios: tuple[Scenario, ...]
    library: Library

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the workflows that were proven, sorted."""
        return tuple(sorted(item.graph.address for item in self.workflows))


def compile_sources(
    sources: Sequence[Source],
    implementations: Mapping[str, Implementation],
    versions: Mapping[str, str],
    shown: Callable[[str], str],
) -> Compilation:
    """Compile a whole workspace. `implementations` are by capability address (`…::CS_X_V0.OP` for an operation);
    `shown` gives the path of a module as people know it.

    Nearly all that is made lives until the end, so the collector, which would go through it again and again, rests.
    """
    with collector_rests():
        return _compile(sources, implementations, versions, shown)


@contextlib.contextmanager
def collector_rests() -> Iterator[None]:
    """Let the collector rest meanwhile; what was made then is old for it, lest it go through all of it at once."""
    working = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if working and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        if working:
            gc.enable()


def _compile(
    sources: Sequence[Source],
    implementations: Mapping[str, Implementation],
    versions: Mapping[str, str],
    shown: Callable[[str], str],
) -> Compilation:
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
    bodies = prove(library.value)
    found.extend(bodies.diagnostics)
    proven = bodies.value
    whole = [address for address in library.value.workflows if address in proven]
    workflows = {address: lower_proven(proven[address], found) for address in whole}
    laws = prove_laws(library.value, subjects(library.value, proven, workflows))
    for address, bound in laws.value.bound.items():
        workflows[address]["laws"] = dict(bound)
    found.extend(laws.diagnostics)
    policies = seal_policies(library.value)
    found.extend(policies.diagnostics)
    diagnostics = in_order(located(found, sources))
    ready = not has_errors(diagnostics)
    if ready and len(proven) < len(library.value.bodies):
        raise Defect("a workflow or contract was left unproven, and no finding says why")
    left_out = _scenarios_alone(declarations)
    sealed_sources = [source for source in sources if source.path not in left_out]
    sealed = None
    if ready:
        files = {address: written(proven[address], workflow) for address, workflow in workflows.items()}
        contracts, forms = signatures(proven), laws.value.laws
        sealed = seal(files, contracts, forms, policies.value, library.value, sealed_sources, implementations, versions)
    places = in_place(place for body in proven.values() for place in body.checked.places)
    checked = tuple(proven[address].checked for address in workflows)
    return Compilation(sealed, diagnostics, checked, places, tuple(library.value.scenarios), library.value)


def lower_proven(body: Body, found: list[Diagnostic]) -> dict[str, Any]:
    """Return a workflow as it is sealed, with its bounds; a limit that they break is reported."""
    sealed = lower(body.checked, body.flat, body.secret)
    sealed["bounds"] = bounds(sealed)
    sealed["laws"] = {}
    workflow = body.checked.graph.body
    assert isinstance(workflow, Workflow)
    found.extend(check_limits(workflow.limits, sealed, sealed["bounds"], workflow.name.span))
    found.extend(check_nesting(sealed, workflow.name.span))
    found.extend(check_copies(sealed, workflow.name.span))
    return sealed


def in_place(places: Iterable[Place]) -> tuple[Place, ...]:
    """Sort places by where they stand."""
    return tuple(sorted(places, key=lambda place: (place.span.key(), place.node, place.reason)))


def subjects(
    library: Library, proven: Mapping[str, Body], workflows: Mapping[str, dict[str, Any]]
) -> dict[str, Subject]:
    """Return the workflows as laws look at them; none where there is no law."""
    return {
        address: subject(
            workflow,
            inlined_uses(library.workflows[address], library),
            library,
            {step.name: step.origin.span for step in proven[address].flat.steps},
        )
        for address, workflow in (workflows.items() if library.invariants else ())
    }


def _broken(sources: Sequence[Source], declarations: Sequence[Declaration]) -> frozenset[str]:
    """Return the addresses that the text declares but that no declaration came of."""
    named = {address for source in sources for address in named_in(source)}
    return frozenset(named - {address_of(item) for item in declarations})


def named_in(source: Source) -> set[str]:
    """Return the addresses that a text declares, as far as can be seen without reading it."""
    named: set[str] = set()
    for document in _DOCUMENT.split(source.data.decode("utf-8", "replace")):
        first, found = _KEY.search(document), _ARTIFACT.search(document)
        # A workflow names its intent and a scenario its workflow: where the first key is of a kind, it declares.
        if found and first and (found.start() == first.start() or first[1] not in SCHEMAS):
            named.add(f"{source.domain}::{found[1]}")
    return named


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
