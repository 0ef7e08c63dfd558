"""`omnibachi show`: a sealed workflow or policy, or the list of workflows."""

from __future__ import annotations

import sys
from typing import Any

import click

from omnibachi import wiring
from omnibachi.engine import link
from omnibachi.exits import OK, TROUBLE
from omnibachi.outline import depends_on, outline
from omnibachi.packs import in_force, summary_of
from omnibachi.workspace import Workspace
from omnibachi_model.addresses import kind_of, split
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.digests import decode
from omnibachi_model.named_secrets import needed

from .options import as_command
from .output import Output


@as_command(
    "show", "omnibachi.show/1", "omnibachi show blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0 --format png -o graph.png"
)
@click.argument("workflow", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "dot", "svg", "png", "mermaid")),
    default="text",
    show_default=True,
    help="What to print.",
)
@click.option("--output", "-o", "file", metavar="FILE", help="Where to write it.  [default: stdout]")
def show(output: Output, workspace: Workspace, workflow: str | None, form: str, file: str | None) -> int:
    """Show a sealed workflow: graph, bounds, laws, places that are checked when run, and what its digest depends on.

    Of a policy (dbl::PL_DEMO_V0), show its gates and its digest. Without a workflow, list those that are sealed.
    """
    snapshot = workspace.load()
    if workflow is None:
        return output.give(OK, {"seal": snapshot.seal, "workflows": list(snapshot.workflows)}, snapshot.workflows)
    if kind_of(split(workflow)[1]) == "policy":
        return _policy(output, snapshot, workflow, form, file)
    sealed = wiring.load_workflow(snapshot, workflow, workspace.capabilities.source)
    # Whatever has the right digest is shown, so its shape is looked at first, as before a run.
    link(sealed, dict.fromkeys(sealed.locks, print))
    origins = wiring.load_origins(snapshot, workflow)
    laws = _laws(snapshot, sealed.workflow)
    value = {
        "workflow": workflow,
        "workflow_digest": sealed.digest,
        "seal": snapshot.seal,
        "bounds": sealed.workflow.get("bounds"),
        "limits": origins.get("limits") if origins else None,
        "laws": laws,
        "checked_at_run": origins.get("checked", []) if origins else [],
        "depends_on": depends_on(sealed.workflow),
        "secrets": needed(sealed.workflow),
        "graph": decode(sealed.data),
    }
    if output.as_json and file is None:
        return output.give(OK, value, [])
    if form == "text":
        data = "\n".join([*outline(sealed.workflow, origins, sealed.digest, laws), ""]).encode()
    else:
        if form == "png" and file is None and sys.stdout.isatty():
            raise click.UsageError("a picture is no text: name a file with `--output`, or send stdout to one")
        data = _drawn(sealed.workflow, form)
    if file is None:
        sys.stdout.buffer.write(data)
        return OK
    _put(data, file)
    if not output.as_json:
        click.echo(f"written: {file}", err=True)
    return output.give(OK, {**value, "output": file}, [])


def _policy(output: Output, snapshot: wiring.Snapshot, address: str, form: str, file: str | None) -> int:
    if form != "text" or file is not None:
        raise click.UsageError("a policy is shown as text, and has no picture")
    found, summary = in_force(snapshot, address), summary_of(snapshot, address)
    value = {"policy": address, "summary": summary, "digest": found["digest"], "seal": snapshot.seal}
    lines = wiring.pack_outline(address, found["pack"], summary, found["digest"])
    return output.give(OK, {**value, "pack": found["pack"]}, lines)


def _laws(snapshot: wiring.Snapshot, workflow: dict[str, Any]) -> dict[str, str]:
    """Return the laws that are proven of a workflow, with their summaries."""
    found: dict[str, str] = {}
    for law in sorted(workflow.get("laws", {})):
        domain = wiring.load_domain(snapshot, split(law)[0])
        found[law] = domain.get("summaries", {}).get(law, "")
    return found


def _drawn(workflow: dict[str, Any], form: str) -> bytes:
    if form == "mermaid":
        return wiring.mermaid(workflow).encode()
    text = wiring.dot(workflow)
    if form == "dot":
        return text.encode()
    try:
        return wiring.render(text, form)
    except wiring.PictureFailed as failed:
        message = f"the picture could not be drawn: {failed.reason}"
        raise Refused(
            [Diagnostic("OB730", message, help="`--format dot` and `mermaid` need no drawing program")], TROUBLE
        ) from None


def _put(data: bytes, file: str) -> None:
    try:
        with open(file, "wb") as target:
            target.write(data)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Trouble(Diagnostic("OB753", f"`{file}` cannot be written: {reason}", help="name another file")) from error


command = show
