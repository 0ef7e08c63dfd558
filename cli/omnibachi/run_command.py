"""`omnibachi run`: one workflow from payload to exit. Parses its own few options, so that it starts at once."""

from __future__ import annotations

import json
import sys

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import encode, pretty

from .clocks import new_trace_id
from .exits import INTERRUPTED, TROUBLE, USAGE
from .results import RunResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

VALUES = ("--actor", "--data-root", "--payload", "--seal", "--set", "--trace-id", "--trust", "--wf", "--workspace")
FLAGS = ("--help", "--json", "--no-picture", "--strict")
LONGEST_RESULT = 160

HELP = """\
Usage: omnibachi run --wf DOMAIN::WF_X_V0 [OPTIONS]

Run one workflow to an exit; write its state, its trace, a page and a picture.

Options:
  --wf ADDRESS         the workflow to run (required)
  --payload FILE|-     JSON file, or - for standard input   [default: {}]
  --set KEY=TEXT       set a member of the payload to a text; KEY may be dotted (repeatable)
  --set KEY:=JSON      set a member of the payload to a JSON value (repeatable)
  --actor NAME         who asks; recorded with the run      [default: nobody]
  --trace-id ID        1 to 64 letters, digits, _ and -     [default: drawn, sorts by time]
  --seal DIGEST        refuse any other snapshot            [default: unpinned]
  --trust FILE         refuse a snapshot that none of its keys signed
                       [default: <workspace>/trust.json judges a signature that is there]
  --strict             compile the capability bytes that were checked, whatever Python has cached
  --no-picture         draw no picture
  --data-root DIR      where state lives, a folder or postgresql://USER@HOST/DATABASE
                                                            [default: <workspace>/data]
  --workspace DIR      the workspace                        [default: the nearest folder upward with protocols/ or
                       protocol_snapshot/; outside one the shipped snapshot, with data and traces here]
  --json               print one JSON object
  --help               show this

Example:
  omnibachi run --wf blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0 --payload examples/register_actor.json
  omnibachi run --wf shop::WF_ORDER_V0 --set customer.name=Given --set quantity:=3 --json

Exit status: 0 COMPLETED, 1 REJECTED or FAILED, 2 usage, 3 diagnostics, 4 snapshot refused, 5 DENIED,
6 store or file trouble, 7 WAITING for people, 70 defect, 130 interrupted.
"""


class Usage(Exception):
    """The command line cannot be understood: what is wrong, and what to do."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class Options:
    """The options of one call: single values, flags, and `--set` in order."""

    __slots__ = ("flags", "sets", "values")

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.flags: set[str] = set()
        self.sets: list[str] = []


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    try:
        options = parsed(arguments)
    except Usage as usage:
        found = Diagnostic("OB752", usage.message, help=usage.help or "`omnibachi run --help` shows every option")
        return _report(RunResult(None, "", USAGE, diagnostics=[found]), "--json" in arguments, ".")
    if "--help" in options.flags:
        _out(HELP.encode())
        return 0
    trace_id = options.values.get("--trace-id")
    if trace_id is None:
        trace_id = new_trace_id()
    as_json = "--json" in options.flags
    workflow = options.values["--wf"]
    root = "."
    try:
        from .payloads import payload_of
        from .workspace import Workspace

        named = options.values.get("--workspace")
        workspace = Workspace(named) if named is not None else Workspace.find()
        root = workspace.root
        result = workspace.run(
            workflow, payload_of(options.values.get("--payload"), options.sets), trace_id=trace_id,
            data_root=options.values.get("--data-root"), actor=options.values.get("--actor"),
            seal=options.values.get("--seal"), strict="--strict" in options.flags, trust=options.values.get("--trust"),
            picture="--no-picture" not in options.flags,
        )  # fmt: skip
    except Refused as refused:
        result = RunResult(trace_id, workflow, refused.exit_code, diagnostics=refused.diagnostics)
    except KeyboardInterrupt:
        help = f"run it again, or `omnibachi resume {trace_id}` if it had started to write"
        found = Diagnostic("OB745", f"the run `{trace_id}` was interrupted", help=help)
        result = RunResult(trace_id, workflow, INTERRUPTED, diagnostics=[found])
    return _report(result, as_json, root)


def parsed(arguments: Sequence[str]) -> Options:
    """Read the options; raises Usage."""
    options = Options()
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name == "-h":
            name = "--help"
        if name in FLAGS:
            if equals:
                raise Usage(f"`{name}` takes no value")
            options.flags.add(name)
        elif name in VALUES:
            if not equals:
                if not rest:
                    raise Usage(f"`{name}` needs a value")
                value = rest.pop(0)
            _take(options, name, value)
        else:
            raise _unknown(word)
    if "--help" in options.flags:
        return options
    if "--wf" not in options.values:
        raise Usage("`--wf` is missing", "name the workflow: `omnibachi run --wf DOMAIN::WF_X_V0`")
    return options


def _take(options: Options, name: str, value: str) -> None:
    if name == "--set":
        options.sets.append(value)
    elif name in options.values:
        raise Usage(f"`{name}` is given twice")
    else:
        options.values[name] = value


def _unknown(word: str) -> Usage:
    if not word.startswith("-"):
        return Usage(f"`{word[:120]}` stands alone; every value follows its option")
    from omnibachi_model.nearest import nearest

    name = word.partition("=")[0]
    near = nearest(name, (*VALUES, *FLAGS))
    return Usage(f"`{name[:120]}` is no option of `omnibachi run`", f"did you mean `{near}`?" if near else None)


def _report(result: RunResult, as_json: bool, root: str) -> int:
    """Print how it ended: the result on standard output, diagnostics on standard error."""
    if as_json:
        _out(json.dumps(_printable(result.as_json()), ensure_ascii=False).encode() + b"\n")
        return result.exit_code
    if result.exit is not None:
        _out(_summary(result).encode("utf-8", "replace"))
    elif result.waiting is not None:
        from .parked import summary

        _out("\n".join([*summary(result), ""]).encode("utf-8", "replace"))
    if result.diagnostics:
        from .terminal import render

        text = render(result.diagnostics, root)
        if result.exit is None and result.exit_code == TROUBLE and result.trace_id:
            text += f"trace id: {result.trace_id}\n"
        _err(text.encode("utf-8", "replace"))
    return result.exit_code


def _summary(result: RunResult) -> str:
    lines = [f"{result.workflow}: {result.exit} ({result.status})"]
    if result.repeated:
        lines[0] += ", as recorded; nothing was run"
    if result.result:
        line = encode(result.result).decode()
        if len(line) <= LONGEST_RESULT:
            lines.append(f"  result  {line}")
        else:
            body = pretty(result.result).decode().rstrip().replace("\n", "\n          ")
            lines.append(f"  result  {body}")
    lines.append(f"  digest  {result.digest}")
    heads = ["  trace "] + ["        "] * len(result.trace)
    lines.extend(f"{head}  {path}" for head, path in zip(heads, result.trace.values(), strict=False))
    return "\n".join(lines) + "\n"


def _printable(value: Any) -> Any:
    """Replace lone surrogates, which arguments may hold and JSON cannot."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


def _out(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _err(data: bytes) -> None:
    sys.stderr.flush()
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()
