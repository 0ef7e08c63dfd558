"""Programs of a domain: what may be run, read from `programs` in `domain.yaml`, and what a call gives to one.

A program is sealed with every call that may run it: the one that stands in its text, else all of the call's domain. The
sealed form is `{"command", "arguments", "environment"?, "directory"?}`: the command as texts and `{"argument",
"prefix"}`, the arguments as schemas, the environment as templates of texts and named secrets.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.named_secrets import SECRET_NAME
from omnibachi_model.nearest import nearest
from omnibachi_model.programs import OPTION, may_be_option
from omnibachi_model.sealed import PROGRAMS

from .fixes import renamed
from .phase import Phase
from .reading import entries_at, fields_at, items_at, optional
from .schemas import seal_fields
from .templates import Literal, Record, secrets_in
from .tree import Mapping as MappingTree
from .tree import Scalar, Tree

if TYPE_CHECKING:
    from .library import Capability, Library

Json = dict[str, Any]
KEYWORDS = frozenset(("type", "pattern", "minLength", "maxLength", "enum", "const", "minimum", "maximum"))
ASIDE = frozenset(("title", "description", "examples", "format"))
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def seal_programs(tree: MappingTree | None) -> Phase[dict[str, Json]]:
    """Seal the programs of a domain, by name. Diagnostics: OB425, OB426, and of schemas."""
    found: list[Diagnostic] = []
    if tree is None:
        return Phase({}, ())
    made = {entry.key: _program(entry.value, found) for entry in tree if isinstance(entry.value, MappingTree)}
    return Phase(made, tuple(found))


def _program(tree: MappingTree, found: list[Diagnostic]) -> Json:
    fields = fields_at(tree, "arguments")
    phase = seal_fields(fields, defaults=False)
    found.extend(phase.diagnostics)
    schemas: dict[str, Json] = phase.value["properties"]
    for item in fields:
        found.extend(_argument(item.name.text, schemas[item.name.text], item.schema))
    command: list[Any] = []
    used: set[str] = set()
    for number, part in enumerate(items_at(tree, "command")):
        command.append(_part(part, number, schemas, used, found))
    for item in fields:
        if item.name.text not in used:
            message = f"the command has no place for the argument `{item.name.text}`"
            advice = f"add `{{argument: {item.name.text}}}` to `command`, or remove it"
            found.append(Diagnostic("OB425", message, item.name.span, help=advice))
    made: Json = {"command": command, "arguments": schemas}
    environment = {entry.key: _variable(entry.key, entry.value, found) for entry in entries_at(tree, "environment")}
    if environment:
        made["environment"] = environment
    directory = optional(tree, "directory")
    if directory is not None:
        made["directory"] = directory.text
        if not os.path.isabs(directory.text) or "\0" in directory.text:
            message = f"`{directory.text[:200]}` is no absolute path"
            found.append(Diagnostic("OB425", message, directory.span, help="write it from the root: `/srv/work`"))
    return made


def _argument(name: str, schema: Json, tree: MappingTree) -> Iterator[Diagnostic]:
    """Hold an argument to what can stand in a command line as one text."""
    kind = schema.get("type")
    other = sorted(schema.keys() - KEYWORDS - ASIDE)
    if kind not in ("string", "integer") or other:
        what = f"`{other[0]}`" if other else "its type"
        message = f"the argument `{name}` is no plain text or integer: {what} says otherwise"
        advice = "write `{type: string}` with `pattern`, `maxLength` or `enum`, or `{type: integer}` with its bounds"
        yield Diagnostic("OB426", message, tree.span, help=advice)


def _part(item: Tree, number: int, schemas: Mapping[str, Json], used: set[str], found: list[Diagnostic]) -> Any:
    if isinstance(item, Scalar):
        text = str(item.value)
        if "\0" in text or (number == 0 and not os.path.isabs(text)):
            message = f"`{text[:200]}` is no absolute path of a program" if number == 0 else "this holds U+0000"
            advice = "write the whole path: nothing looks for a program"
            found.append(Diagnostic("OB425", message, item.span, help=advice))
        return text
    assert isinstance(item, MappingTree)
    argument, prefix = optional(item, "argument"), optional(item, "prefix")
    name = argument.text if argument is not None else ""
    used.add(name)
    if number == 0:
        message = "which program runs stands in the text, and is no argument"
        found.append(Diagnostic("OB425", message, item.span, help="write the whole path of the program first"))
    elif name not in schemas and argument is not None:
        near = nearest(name, schemas)
        advice = f"did you mean `{near}`?" if near else "declare it under `arguments`"
        fix = renamed(argument.span, name, schemas)
        found.append(Diagnostic("OB425", f"`arguments` has no `{name}`", argument.span, help=advice, fix=fix))
    return {"argument": name, "prefix": prefix.text if prefix is not None else ""}


def _variable(name: str, tree: Tree, found: list[Diagnostic]) -> list[str]:
    if not _VARIABLE.match(name):
        found.append(Diagnostic("OB425", f"`{name[:80]}` is no name of a variable", tree.span))
    if isinstance(tree, Scalar):
        if "\0" in str(tree.value):
            found.append(Diagnostic("OB425", "this holds U+0000", tree.span))
        return ["lit", str(tree.value)]
    assert isinstance(tree, MappingTree)
    secret = tree.entry("$secret")
    text = str(secret.value.value) if secret is not None and isinstance(secret.value, Scalar) else ""
    if not SECRET_NAME.match(text):
        advice = "write capital letters, digits and `_`, as in `$secret: SHOP_KEY`: at most 64, and a letter first"
        found.append(Diagnostic("OB222", f"`{text[:80]}` is no name of a secret", tree.span, help=advice))
    return ["secret", text]


def programs_of(
    capability: Capability, domain: str, library: Library, bindings: Record, found: list[Diagnostic]
) -> dict[str, Json] | None:
    """Return the programs that a call may run; None where its operation needs none.

    Diagnostics: OB319, OB427, OB429.
    """
    if PROGRAMS not in capability.needs:
        return None
    programs = library.programs.get(domain, {})
    given = dict(bindings.entries)
    arguments, name = given.get("arguments"), given.get("program")
    for secret in secrets_in(arguments) if arguments is not None else ():
        message = "an argument can be read by everybody on the machine, and cannot be a secret"
        advice = "let the program read it from its `environment`, or from `stdin`"
        found.append(Diagnostic("OB429", message, secret.span, help=advice))
    if not isinstance(name, Literal) or not isinstance(name.value, str):
        return programs
    if name.value not in programs:
        near = nearest(name.value, programs)
        known = ", ".join(f"`{item}`" for item in sorted(programs)) or "none"
        advice = f"did you mean `{near}`?" if near else f"`programs` of the domain has {known}"
        fix = renamed(name.span, name.value, programs)
        message = f"`{domain}` declares no program `{name.value[:80]}`"
        found.append(Diagnostic("OB319", message, name.span, help=advice, fix=fix))
        return {}
    program = programs[name.value]
    if isinstance(arguments, Record):
        found.extend(_options(program, arguments))
    return {name.value: program}


def _options(program: Json, arguments: Record) -> Iterator[Diagnostic]:
    """Refuse a text that stands in the declaration and would be an option where it goes."""
    bare = {part["argument"] for part in program["command"] if not isinstance(part, str) and not part["prefix"]}
    for key, value in arguments.entries:
        text = str(value.value) if isinstance(value, Literal) and type(value.value) in (str, int) else ""
        schema = program["arguments"].get(key)
        if text.startswith(OPTION) and key in bare and schema is not None and not may_be_option(schema, text):
            message = f"`{text[:80]}` would be an option of the program, which `{key}` is not meant to be"
            advice = "write options into the command, or list what may begin with `-` in an `enum`"
            yield Diagnostic("OB427", message, value.span, help=advice)


def narrowed(inputs: Json, programs: Mapping[str, Json] | None) -> Json:
    """Return the inputs of a call with the arguments of its program where there is only one."""
    if programs is None or len(programs) != 1:
        return inputs
    (program,) = programs.values()
    schemas = program["arguments"]
    closed: Json = {"type": "object", "properties": schemas, "additionalProperties": False}
    if schemas:
        closed["required"] = sorted(schemas)
    else:
        closed["default"] = {}
    required = sorted({*inputs.get("required", ()), *(["arguments"] if schemas else [])})
    return {**inputs, "properties": {**inputs["properties"], "arguments": closed}, "required": required}
