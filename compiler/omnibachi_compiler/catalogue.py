"""Catalogues: which function stands behind which address, read from source without running it.

A package of capabilities keeps `CATALOGUE = {"domain::CT_X_V0": function, …}` at the top of its `catalogue.py`: a
literal mapping from addresses to names of functions that are defined there, imported from modules of the same package,
or reached as `module.function`. So nothing is discovered, nothing is imported, and what is sealed is what stands in the text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from omnibachi_model.diagnostics import Diagnostic, Span

from .implementations import closure
from .phase import Implementation, Phase

Read = Callable[[str], "bytes | None"]


@dataclass(frozen=True, slots=True)
class _Place:
    """A name of a module."""

    module: str
    name: str


def read_catalogue(package: str, read: Read, shown: Callable[[str], str]) -> Phase[dict[str, Implementation]]:
    """Read one package's catalogue.

    `read` gives a module's source bytes by its dotted name (a package's name gives its `__init__`), `shown` the path
    under which people know it.
    """
    module = f"{package}.catalogue"
    source = read(module)
    if source is None:
        return Phase({}, ())
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        return Phase({}, (_broken(shown(module), error),))
    found: list[Diagnostic] = []
    entries: dict[str, Implementation] = {}
    for statement in tree.body:
        value = _catalogue_value(statement)
        if value is None:
            continue
        if not isinstance(value, ast.Dict):
            found.append(_diagnostic(shown(module), value, "`CATALOGUE` must be a literal mapping"))
            continue
        for key, item in zip(value.keys, value.values, strict=True):
            if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                found.append(_diagnostic(shown(module), item, "an entry of `CATALOGUE` is `\"address\": function`"))
                continue
            place = _function(module, tree, item, read)
            if place is None:
                text = ast.unparse(item)
                found.append(_diagnostic(shown(module), item, f"`{text}` is no function of this package"))
                continue
            parameters = _parameters(place, read)
            modules = closure(place.module, read)
            entries[key.value] = Implementation(place.module, place.name, parameters, modules)
            found.extend(_unreadable(modules, shown))
    return Phase(entries, tuple(found))


def _catalogue_value(statement: ast.stmt) -> ast.expr | None:
    if isinstance(statement, ast.Assign):
        targets: list[ast.expr] = statement.targets
        value: ast.expr | None = statement.value
    elif isinstance(statement, ast.AnnAssign):
        targets, value = [statement.target], statement.value
    else:
        return None
    named = any(isinstance(target, ast.Name) and target.id == "CATALOGUE" for target in targets)
    return value if named else None


def _function(module: str, tree: ast.Module, item: ast.expr, read: Read) -> _Place | None:
    """Return where the function that an entry names is defined: `name`, or `module.name`."""
    if isinstance(item, ast.Name):
        return _resolve(_Place(module, item.id), read)
    if not (isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name)):
        return None
    for statement in reversed(tree.body):
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                if (alias.asname or alias.name) == item.value.id:
                    parent = _absolute(module, statement)
                    return _resolve(_Place(f"{parent}.{alias.name}", item.attr), read) if parent else None
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if alias.asname == item.value.id and alias.name.partition(".")[0] == module.partition(".")[0]:
                    return _resolve(_Place(alias.name, item.attr), read)
    return None


def _resolve(place: _Place, read: Read, hops: int = 8) -> _Place | None:
    """Follow `from … import …` inside the package to the module that defines the function."""
    source = read(place.module)
    if source is None or not hops:
        return None
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    for statement in reversed(tree.body):
        if isinstance(statement, ast.FunctionDef) and statement.name == place.name:
            return place
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                if (alias.asname or alias.name) == place.name:
                    target = _absolute(place.module, statement)
                    if target is None or target.partition(".")[0] != place.module.partition(".")[0]:
                        return None
                    return _resolve(_Place(target, alias.name), read, hops - 1)
    return None


def _absolute(module: str, statement: ast.ImportFrom) -> str | None:
    if not statement.level:
        return statement.module
    parts = module.split(".")
    # A package's own name stands for its __init__; a module's relative imports start at its parent.
    base = parts[: len(parts) - statement.level] if "." in module else parts
    if not base:
        return None
    return ".".join([*base, statement.module] if statement.module else base)


def _parameters(place: _Place, read: Read) -> int:
    """Return how many positional parameters a function takes without defaults; -1 for `*args`."""
    tree = ast.parse(read(place.module) or b"")
    for statement in reversed(tree.body):
        if isinstance(statement, ast.FunctionDef) and statement.name == place.name:
            if statement.args.vararg is not None:
                return -1
            return len(statement.args.posonlyargs) + len(statement.args.args) - len(statement.args.defaults)
    return -1


def _unreadable(modules: Mapping[str, bytes], shown: Callable[[str], str]) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for name, data in modules.items():
        try:
            ast.parse(data)
        except (SyntaxError, ValueError) as error:
            found.append(_broken(shown(name), error))
    return found


def _broken(file: str, error: SyntaxError | ValueError) -> Diagnostic:
    line = getattr(error, "lineno", None) or 1
    column = getattr(error, "offset", None) or 1
    reason = getattr(error, "msg", None) or str(error)
    return Diagnostic("OB409", f"the module cannot be read: {reason}", Span(file, line, column, line, column + 1))


def _diagnostic(file: str, node: ast.expr, message: str) -> Diagnostic:
    end_line, end_column = node.end_lineno or node.lineno, (node.end_col_offset or node.col_offset) + 1
    return Diagnostic("OB409", message, Span(file, node.lineno, node.col_offset + 1, end_line, end_column))
