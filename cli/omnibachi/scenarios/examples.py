"""The examples of transforms: each is asked as it stands, and must answer as it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from omnibachi.wiring import plain
from omnibachi_model.checks import conform, filler, link, listed
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import encode
from omnibachi_model.sealed import FAULT

from .again import Answered
from .matching import differences, mistakes
from .stage import Stage


def examples_of(stage: Stage, selector: str) -> Iterator[tuple[str, list[Diagnostic], Answered | None]]:
    """Ask every example of every transform whose address or file holds `selector`: (address, findings, answer).

    Those of the shipped library are not the workspace's, and some need packages that it may do without.
    """
    root = os.path.dirname(stage.capabilities.folder)
    for address, transform in sorted(stage.library.transforms.items()):
        file = transform.span.file
        if (selector in address.lower() or selector in file.lower()) and os.path.isfile(os.path.join(root, file)):
            for tree in transform.examples:
                yield address, *_asked(stage, address, tree)


def _asked(stage: Stage, address: str, tree: Any) -> tuple[list[Diagnostic], Answered | None]:
    example: Any = plain(tree)
    signature = stage.library.capabilities[address].signature
    wanted = example.get("output", {})
    found = [Diagnostic("OB743", f"`{address}`: {text}", tree.span) for text in mistakes(wanted)]
    inputs = dict(example.get("with", {}))
    fill = filler(signature["inputs"])
    inputs = fill(inputs) if fill else inputs
    inputs, misfits = conform(link(signature["inputs"]), inputs)
    for item in listed(misfits):
        message = f"`{address}`: the example's inputs break `{item['keyword']}` at `{item['pointer'] or '/'}`"
        found.append(Diagnostic("OB743", message, tree.span))
    if found:
        return found, None
    implementation = stage.snapshot.manifest["capabilities"][address]["implementation"]
    given = encode(inputs)
    outcome, output, crash = _answer(stage, implementation, inputs, signature["outcomes"])
    if outcome != example["gives"]:
        message = f"`{address}` answers `{outcome}`{crash}, and the example says `{example['gives']}`"
        found.append(Diagnostic("OB743", message, tree.span))
    elif "output" in example:
        for text in differences(wanted, output):
            found.append(Diagnostic("OB743", f"`{address}`: in the output, {text}", tree.span))
    if outcome == FAULT:
        return found, None
    return found, Answered(address, implementation, given, encode([outcome, output]))


def _answer(stage: Stage, implementation: str, inputs: Any, outcomes: Any) -> tuple[str, Any, str]:
    """Ask a transform as a run would: (outcome, output, why it crashed)."""
    try:
        outcome, output = stage.capabilities.function(implementation)(inputs)
    except (Exception, SystemExit) as error:
        return FAULT, {}, f" (it raised {type(error).__name__}: {error})"
    if outcome not in outcomes:
        return FAULT, {}, f" (it answered `{outcome}`, which is not declared)"
    output, misfits = conform(link(outcomes[outcome]), output)
    if misfits:
        broken = ", ".join(f"`{item['pointer'] or '/'}` ({item['keyword']})" for item in listed(misfits))
        return FAULT, {}, f" (its output breaks its schema: {broken})"
    return outcome, output, ""
