"""`omnibachi init`: a new workspace that compiles, passes its test and runs at once."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator

import click

from omnibachi.exits import FINDINGS, OK
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble

from .options import as_command
from .output import Output

TEMPLATE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "templates", "workspace")
SAMPLE = "greeting::WF_GREET_V0"
# Hidden files have another name in the template, lest tools take them for this project's own.
HIDDEN = "dot-"


@as_command("init", "omnibachi.init/1", "omnibachi init my-workspace", workspace=False)
@click.argument("folder", metavar="DIR")
def init(output: Output, folder: str) -> int:
    """Make a workspace in DIR (new or empty): a sample workflow with an own transform, its test, and the snapshot."""
    place = os.path.abspath(folder)
    if os.path.lexists(place) and not (os.path.isdir(place) and not os.listdir(place)):
        message = f"`{folder}` is there and is no empty folder"
        raise Refused([Diagnostic("OB750", message, help="name a new folder")], FINDINGS)
    aside = os.path.join(os.path.dirname(place), f".{os.path.basename(place)}.{os.getpid()}.new")
    try:
        files = list(_lay(aside))
        compiled = Workspace(aside).compile()
        if not compiled.ok:
            return output.refused(compiled.diagnostics, FINDINGS)
        os.replace(aside, place)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"`{folder}` cannot be made: {reason}"
        raise Trouble(Diagnostic("OB753", message, help="check the permissions of the folder around it")) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    lines = [
        f"made {folder}: {len(files)} files, compiled",
        "next:",
        f"  cd {shlex.quote(folder)}",
        f"  omnibachi run --wf {SAMPLE} --payload examples/greet.json",
        "  omnibachi test",
    ]
    return output.give(OK, {"folder": place, "workflow": SAMPLE, "seal": compiled.seal, "files": sorted(files)}, lines)


def _lay(target: str) -> Iterator[str]:
    """Copy the template and yield the paths that were written."""
    os.makedirs(target)
    for folder, folders, names in os.walk(TEMPLATE):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            source = os.path.join(folder, name)
            shown = os.path.relpath(os.path.join(folder, name.replace(HIDDEN, ".", 1)), TEMPLATE)
            path = os.path.join(target, shown)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copyfile(source, path)
            yield shown


command = init
