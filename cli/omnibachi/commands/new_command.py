"""`omnibachi new`: a workflow, a transform or a side effect that compiles and passes its test at once."""

from __future__ import annotations

import os
from collections.abc import Iterable

import click

from omnibachi.compiling import compile_workspace, write_snapshot
from omnibachi.exits import FINDINGS, OK
from omnibachi.rewriting import write_over
from omnibachi.scaffold import PREFIXES, Plan, chosen_domain, named, planned
from omnibachi.wiring import Compilation
from omnibachi.workspace import PROTOCOLS, Workspace, shipped_root
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble

from .options import as_command, needs_sources
from .output import Output


@as_command("new", "omnibachi.new/1", "omnibachi new transform price --domain shop")
@click.argument("kind", type=click.Choice(tuple(PREFIXES)))
@click.argument("name")
@click.option(
    "--domain", metavar="D", help="The domain that it belongs to, perhaps a new one.  [default: the only one]"
)
def new(output: Output, workspace: Workspace, kind: str, name: str, domain: str | None) -> int:
    """Make a workflow, a transform or a side effect: declaration, function, catalogue line, example and scenario.

    NAME is plain (refund) or whole (WF_REFUND_V0). Nothing is overwritten; all is made, and compiled, or nothing.
    """
    needs_sources(workspace, writes=True)
    root = workspace.root
    before = _compiled(root)
    folder = os.path.join(root, PROTOCOLS)
    own = sorted(found for found in before.library.domains if os.path.isdir(os.path.join(folder, found)))
    what = named(kind, name, chosen_domain(name, domain, [found for found in own if found != "std"]))
    plan = planned(root, what, own)
    _free(plan.addresses, before)
    undo: list[tuple[str, bytes | None]] = []
    try:
        _lay(root, plan, undo)
        sealed = _compiled(root).sealed
        assert sealed is not None
        write_snapshot(root, dict(sealed.files))
    except OSError as error:
        _take_back(root, undo)
        reason = (error.strerror or str(error)).lower()
        message = f"`{what.address}` cannot be made: {reason}"
        raise Trouble(Diagnostic("OB753", message, help="check the permissions of the workspace")) from error
    except BaseException:
        _take_back(root, undo)
        raise
    lines = [f"made {path}" for path in plan.files]
    lines += [f"added to {path}" for path in plan.changed]
    lines += [
        f"{what.address} is compiled; next:",
        f"  omnibachi run --wf {plan.workflow} --payload {plan.example}",
        "  omnibachi test",
    ]
    value = {
        "address": what.address,
        "workflow": plan.workflow,
        "files": list(plan.files),
        "changed": list(plan.changed),
        "seal": sealed.seal,
    }
    return output.give(OK, value, lines)


def _compiled(root: str) -> Compilation:
    """Compile what stands there; raises Refused (OB768, and what was found) where it does not compile."""
    compilation = compile_workspace(root, shipped=shipped_root())
    if compilation.sealed is None:
        message = "nothing is made in a workspace that does not compile"
        raise Refused([Diagnostic("OB768", message), *compilation.diagnostics], FINDINGS)
    return compilation


def _free(addresses: Iterable[str], compilation: Compilation) -> None:
    """Refuse (OB764) an address that is declared already."""
    library = compilation.library
    kinds = (library.workflows, library.transforms, library.side_effects, library.intents, library.stores)
    for address in addresses:
        if any(address in kind for kind in kinds):
            raise Refused([Diagnostic("OB764", f"`{address}` is declared already")], FINDINGS)


def _lay(root: str, plan: Plan, undo: list[tuple[str, bytes | None]]) -> None:
    """Write what is planned, noting how to take it back; raises OSError, also where a file has come meanwhile."""
    for path, text in plan.files.items():
        place = os.path.join(root, path)
        _folders(os.path.dirname(place), undo)
        with open(place, "x", encoding="utf-8", newline="") as file:
            undo.append((place, None))
            file.write(text)
    for path, text in plan.changed.items():
        place = os.path.join(root, path)
        with open(place, "rb") as old:
            undo.append((place, old.read()))
        write_over(place, text.encode(), path)


def _folders(place: str, undo: list[tuple[str, bytes | None]]) -> None:
    missing = []
    while not os.path.isdir(place):
        missing.append(place)
        place = os.path.dirname(place)
    for folder in reversed(missing):
        os.mkdir(folder)
        undo.append((folder, None))


def _take_back(root: str, undo: list[tuple[str, bytes | None]]) -> None:
    """Remove what was made and put back what was changed, the last first."""
    for place, before in reversed(undo):
        try:
            if before is not None:
                write_over(place, before, os.path.relpath(place, root))
            elif os.path.isdir(place):
                os.rmdir(place)
            else:
                os.unlink(place)
        except (OSError, Trouble):
            continue  # the rest is taken back all the same


command = new
