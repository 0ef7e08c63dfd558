"""`omnibachi schema`: the JSON Schema of the language, for editors that check and complete YAML by one."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from omnibachi import wiring
from omnibachi.compiling import gather
from omnibachi.exits import FINDINGS, OK
from omnibachi.workspace import Workspace, shipped_root
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble

from .options import as_command, needs_sources
from .output import Output

UNREADABLE = ("OB101", "OB102", "OB103", "OB104", "OB105")
SWITCH = "# yaml-language-server: $schema="


@as_command("schema", "omnibachi.schema/1", "omnibachi schema --project --output schema.json")
@click.option("--project", is_flag=True, help="With the names that this project declares, as enums.")
@click.option("--output", "-o", "file", metavar="FILE", help="Where to write it.  [default: stdout]")
def schema(output: Output, workspace: Workspace, project: bool, file: str | None) -> int:
    """Print the JSON Schema (2020-12) of the protocol language; it judges one YAML document of any kind.

    An editor that understands it checks and completes while you type. In editors that run yaml-language-server, this
    line at the top of a file switches it on (the path is relative to the file):

    \b
      # yaml-language-server: $schema=../../schema.json

    A schema of a project knows the names that stand when it is made: make it again when they change. Exit status 3 when
    one of its sources cannot be read.
    """
    made = _of_project(workspace) if project else wiring.language_schema()
    text = json.dumps(made, ensure_ascii=False, indent=2) + "\n"
    value: dict[str, Any] = {"project": project, "output": file}
    if file is None:
        if output.as_json:
            return output.give(OK, {**value, "language": made}, [])
        click.echo(text, nl=False)
        return OK
    _put(text, file)
    line = SWITCH + os.path.abspath(file).replace(os.sep, "/")
    lines = [f"written: {file}", "to switch it on, put this at the top of a file; a path relative to it will do too:"]
    return output.give(OK, {**value, "line": line}, [*lines, line])


def _of_project(workspace: Workspace) -> dict[str, Any]:
    """Return the schema with the workspace's names; raises Refused where a source cannot be read, whose names would
    be missing."""
    needs_sources(workspace)
    found: list[Diagnostic] = []
    sources, _ = gather(workspace.root, found, shipped=shipped_root())
    names = wiring.names_of(sources)
    found.extend(names.diagnostics)
    broken = [item for item in found if item.code in UNREADABLE]
    if broken:
        raise Refused(broken, FINDINGS)
    return wiring.project_schema(names.value)


def _put(text: str, file: str) -> None:
    try:
        with open(file, "w", encoding="utf-8", newline="\n") as target:
            target.write(text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Trouble(Diagnostic("OB753", f"`{file}` cannot be written: {reason}", help="name another file")) from error


command = schema
