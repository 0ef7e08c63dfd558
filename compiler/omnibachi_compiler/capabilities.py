"""Declaration against function: what is declared must be implemented, take what it is given, and answer what it may.

Everything is read from source text (see `catalogue`); nothing is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.nearest import nearest, nearest_address

from .implementations import NO_ANSWER, outcomes_returned
from .leaving import reserved_of
from .library import Capability, Library
from .phase import Implementation
from .purity import check_purity

PARAMETERS = {True: (1, "`(inputs)`"), False: (3, "`(inputs, store, call)`")}


def check_implementations(
    library: Library, implementations: Mapping[str, Implementation], shown: Callable[[str], str]
) -> tuple[Diagnostic, ...]:
    """Check every declared capability against its function; `shown` gives the path of a module as people know it."""
    found: list[Diagnostic] = []
    for address, capability in library.capabilities.items():
        implementation = implementations.get(address)
        if implementation is None:
            found.extend(_missing(capability, library, implementations))
        elif implementation.function:
            found.extend(_match(capability, implementation))
    found.extend(_undeclared(library, implementations, found))
    transforms = [
        (transform.name, implementations[address])
        for address, transform in library.transforms.items()
        if address in implementations
    ]
    found.extend(check_purity(transforms, shown))
    return tuple(found)


def _missing(
    capability: Capability, library: Library, implementations: Mapping[str, Implementation]
) -> Iterator[Diagnostic]:
    """Report a capability without a function; an entry that nothing declares may be a misspelling of it."""
    near = nearest_address(capability.address, implementations.keys() - library.capabilities.keys())
    advice = f'add `"{capability.address}": function` to `CATALOGUE`'
    related: list[tuple[Span, str]] = []
    if near is not None:
        place = implementations[near].place
        advice = f"the catalogue has `{near}`, which nothing declares: is one of the two misspelt?"
        related = [(place, "in the catalogue")] if place else []
    message = f"`{capability.address}` has no function in a catalogue"
    yield Diagnostic("OB406", message, capability.span, help=advice, related=related)


def _undeclared(
    library: Library, implementations: Mapping[str, Implementation], found: Iterable[Diagnostic]
) -> Iterator[Diagnostic]:
    """Warn of entries of a catalogue that nothing declares, but for those that a finding already speaks of."""
    said = {place for item in found for place, _ in item.related}
    for address, implementation in implementations.items():
        place = implementation.place
        declared = address in library.capabilities or address.partition(".")[0] in library.broken
        if place is None or declared or place in said:
            continue
        near = nearest_address(address, library.capabilities)
        yield Diagnostic(
            "OB301",
            f"nothing declares `{address}`, which the catalogue names",
            place,
            help=f"did you mean `{near}`?" if near else "declare it, or take it out of the catalogue",
            severity="warning",
        )


def _match(capability: Capability, implementation: Implementation) -> Iterator[Diagnostic]:
    name = f"`{implementation.module}:{implementation.function}`"
    related = [(implementation.place, "the catalogue names it here")] if implementation.place else []
    wanted, shape = PARAMETERS[capability.governor is None]
    if implementation.parameters not in (-1, wanted):
        yield Diagnostic(
            "OB407",
            f"{name} takes {implementation.parameters} parameters where `{capability.address}` needs {wanted}",
            capability.span,
            help=f"write it as `def {implementation.function}{shape.strip('`')}`",
            related=related,
        )
    source = implementation.modules.get(implementation.module)
    returned = outcomes_returned(source, implementation.function) if source is not None else None
    if returned is not None and (not returned or NO_ANSWER in returned):
        yield Diagnostic(
            "OB407",
            f"{name} {'does not always return' if returned else 'never returns'} an answer",
            capability.span,
            help='return an outcome and its output, as in `return "SUCCESS", {}`',
            related=related,
        )
        returned.discard(NO_ANSWER)
    for outcome in sorted((returned or set()) - set(capability.outcomes) - reserved_of(capability).keys()):
        near = nearest(outcome, capability.outcomes)
        yield Diagnostic(
            "OB407",
            f"{name} answers `{outcome}`, which `{capability.address}` does not declare",
            capability.span,
            help=f"did you mean `{near}`?"
            if near
            else f"declared: {', '.join(f'`{item}`' for item in capability.outcomes)}",
            related=related,
        )
