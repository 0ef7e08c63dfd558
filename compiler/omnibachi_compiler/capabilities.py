"""Declaration against function: what is declared must be implemented, take what it is given, and answer what it may.

Everything is read from source text (see `catalogue`); nothing is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from omnibachi_model.addresses import split
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.nearest import nearest

from .implementations import outcomes_returned
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
        if capability.effect == "EXTERNAL":
            continue  # refused where it is used
        implementation = implementations.get(address)
        found.extend(_missing(capability, implementations) if implementation is None else _match(capability, implementation))
    transforms = [
        (transform.name, implementations[address])
        for address, transform in library.transforms.items()
        if address in implementations
    ]
    found.extend(check_purity(transforms, shown))
    return tuple(found)


def _missing(capability: Capability, implementations: Mapping[str, Implementation]) -> Iterator[Diagnostic]:
    domain = split(capability.address)[0]
    near = nearest(capability.address, [known for known in implementations if split(known)[0] == domain])
    yield Diagnostic(
        "OB406",
        f"`{capability.address}` has no function in a catalogue",
        capability.span,
        help=f"add `\"{capability.address}\": function` to `CATALOGUE`" + (f"; there is `{near}`" if near else ""),
    )


def _match(capability: Capability, implementation: Implementation) -> Iterator[Diagnostic]:
    name = f"`{implementation.module}:{implementation.function}`"
    wanted, shape = PARAMETERS[capability.governor is None]
    if implementation.parameters not in (-1, wanted):
        yield Diagnostic(
            "OB407",
            f"{name} takes {implementation.parameters} parameters where `{capability.address}` needs {wanted}",
            capability.span,
            help=f"write it as `def {implementation.function}{shape.strip('`')}`",
        )
    source = implementation.modules.get(implementation.module)
    returned = outcomes_returned(source, implementation.function) if source is not None else None
    for outcome in sorted((returned or set()) - set(capability.outcomes)):
        near = nearest(outcome, capability.outcomes)
        yield Diagnostic(
            "OB407",
            f"{name} answers `{outcome}`, which `{capability.address}` does not declare",
            capability.span,
            help=f"did you mean `{near}`?" if near else f"declared: {', '.join(f'`{item}`' for item in capability.outcomes)}",
        )
