"""Catalogues: which function stands behind which address, read from source without running it.

A package of capabilities keeps `CATALOGUE = {"domain::CT_X_V0": function, …}` at the top of its `catalogue.py`: a
literal mapping from addresses to names of functions that are defined there, imported from modules of the same package,
or reached as `module.function`. So nothing is discovered, nothing is imported, and what is sealed is what stands in
the text.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.nearest import nearest

from .implementations import closure, holds_modules, origin, parse, read_module
from .phase import Implementation, Phase

Read = Callable[[str], "bytes | None"]


@dataclass(frozen=True, slots=True)
class _Place:
    """A name of a module."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class _Nowhere:
    """Why an entry leads to no function: the message and advice, or the finding of the module that is to blame."""

    message: str
    help: str | None = None
    finding: Diagnostic | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """One package's catalogue while it is read."""

    module: str
    read: Read
    shown: Callable[[str], str]
    found: list[Diagnostic]
    entries: dict[str, Implementation] = field(default_factory=dict)
    closures: dict[str, dict[str, bytes]] = field(default_factory=dict)  # by module

    def report(self, node: ast.expr, message: str, help: str | None = None) -> None:
        """Add a finding about a piece of the catalogue's text."""
        self.found.append(Diagnostic("OB409", message, _span(self.shown(self.module), node), help=help))


def read_catalogue(package: str, read: Read, shown: Callable[[str], str]) -> Phase[dict[str, Implementation]]:
    """Read one package's catalogue (OB409).

    `read` gives a module's source bytes by its dotted name (a package's name gives its `__init__`), `shown` the path
    under which people know it. An entry whose function cannot be found stays in the value with an empty function name,
    so that its address is not reported a second time. Where the catalogue as a whole cannot be read there is no value.
    """
    module = f"{package}.catalogue"
    read = functools.cache(read)  # what is parsed is what is sealed, also where a file changes meanwhile
    source = read(module)
    if source is None:
        return Phase({}, ())
    tree = read_module(source)
    if isinstance(tree, SyntaxError):
        return Phase({}, (_broken(shown(module), tree),))
    state = _Reading(module, read, shown, [])
    values = [value for statement in tree.body if (value := _catalogue_value(statement)) is not None]
    if not values:
        place = Span(shown(module), 1, 1, 1, 2)
        advice = 'write `CATALOGUE = {"domain::CT_X_V0": function}`'
        return Phase({}, (Diagnostic("OB409", "the catalogue says no `CATALOGUE`", place, help=advice),))
    for value in values[1:]:
        state.report(value, "`CATALOGUE` is written twice", "write one mapping")
    if not isinstance(values[0], ast.Dict):
        state.report(values[0], "`CATALOGUE` must be a literal mapping", "write its entries out: it is read, not run")
        return Phase({}, tuple(state.found))
    for key, item in zip(values[0].keys, values[0].values, strict=True):
        _entry(key, item, tree, state)
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "CATALOGUE"]
    for use in uses[len(values) :] if len(uses) > len(values) else ():
        state.report(use, "`CATALOGUE` is changed after it was written", "write all entries into the mapping")
    return Phase(state.entries, tuple(state.found))


def _entry(key: ast.expr | None, item: ast.expr, tree: ast.Module, state: _Reading) -> None:
    if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
        state.report(item, 'an entry of `CATALOGUE` is `"address": function`')
        return
    if key.value in state.entries:
        state.report(key, f"`{key.value}` stands twice in `CATALOGUE`", "keep one of the two")
        return
    span = _span(state.shown(state.module), key)
    place = _function(item, tree, state)
    if isinstance(place, _Nowhere):
        state.entries[key.value] = Implementation(state.module, "", -1, {}, span)
        if place.finding is not None:
            state.found.append(place.finding)
        else:
            state.report(item, place.message, place.help)
        return
    if place.module not in state.closures:
        state.closures[place.module] = closure(place.module, state.read)
    modules = state.closures[place.module]
    state.entries[key.value] = Implementation(place.module, place.name, _parameters(place, state.read), modules, span)
    for name, data in modules.items():
        reached = read_module(data)
        if isinstance(reached, SyntaxError):
            state.found.append(_broken(state.shown(name), reached))


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


def _function(item: ast.expr, tree: ast.Module, state: _Reading) -> _Place | _Nowhere:
    """Return where the function that an entry names is defined: `name`, or `module.name`."""
    module = state.module
    if isinstance(item, ast.Name):
        return _resolve(_Place(module, item.id), state)
    if not (isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name)):
        return _Nowhere(f"`{ast.unparse(item)}` is not the name of a function", "define it with `def` and name it here")
    for statement in reversed(tree.body):
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                parent = _imported_from(module, statement, state.read)
                if (alias.asname or alias.name) == item.value.id and parent:
                    return _resolve(_Place(f"{parent}.{alias.name}", item.attr), state)
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if alias.asname == item.value.id and alias.name.partition(".")[0] == module.partition(".")[0]:
                    return _resolve(_Place(alias.name, item.attr), state)
    return _Nowhere(f"`{item.value.id}` is no module of this package that is imported here")


def _resolve(place: _Place, state: _Reading, hops: int = 8) -> _Place | _Nowhere:
    """Follow `from … import …` inside the package to the module that defines the function."""
    source = state.read(place.module)
    if source is None:
        return _Nowhere(f"there is no module `{place.module}`")
    tree = read_module(source)
    if isinstance(tree, SyntaxError):
        return _Nowhere("", finding=_broken(state.shown(place.module), tree))
    for statement in reversed(tree.body):
        if isinstance(statement, ast.FunctionDef) and statement.name == place.name:
            return place
        if isinstance(statement, ast.AsyncFunctionDef | ast.ClassDef) and statement.name == place.name:
            what = "a class" if isinstance(statement, ast.ClassDef) else "an `async def`"
            return _Nowhere(f"`{place.name}` is {what}", "a capability is a plain function, written with `def`")
        if isinstance(statement, ast.ImportFrom) and hops:
            for alias in statement.names:
                if (alias.asname or alias.name) == place.name:
                    target = _imported_from(place.module, statement, state.read)
                    if target is None or target.partition(".")[0] != place.module.partition(".")[0]:
                        return _Nowhere(f"`{place.name}` is no function of this package", "define it in this package")
                    return _resolve(_Place(target, alias.name), state, hops - 1)
    near = nearest(place.name, [item.name for item in tree.body if isinstance(item, ast.FunctionDef)])
    advice = f"did you mean `{near}`?" if near else "define it with `def` at the top of the module"
    return _Nowhere(f"`{place.module}` defines no function `{place.name}`", advice)


def _imported_from(module: str, statement: ast.ImportFrom, read: Read) -> str | None:
    package = "." not in module or holds_modules(module, [statement], read)
    return origin(module, statement, package=package)


def _parameters(place: _Place, read: Read) -> int:
    """Return how many positional parameters a function is to be called with; -1 where several numbers would do.

    A transform is called with one, an operation with three; what neither suits gives the number that it asks for.
    """
    tree = parse(read(place.module) or b"")
    for statement in reversed(tree.body if tree else []):
        if isinstance(statement, ast.FunctionDef) and statement.name == place.name:
            args = statement.args
            most = len(args.posonlyargs) + len(args.args)
            named = sum(default is None for default in args.kw_defaults)  # keyword-only ones are never given
            least = most - len(args.defaults)
            if not named:
                suits = [count for count in (1, 3) if least <= count and (args.vararg is not None or count <= most)]
                if suits:
                    return suits[0] if len(suits) == 1 else -1
            return least + named
    return -1


def _broken(file: str, error: SyntaxError) -> Diagnostic:
    line, column = error.lineno or 1, error.offset or 1
    place = Span(file, line, column, line, column + 1)
    return Diagnostic("OB409", f"the module cannot be read: {error.msg}", place)


def _span(file: str, node: ast.expr) -> Span:
    end_line, end_column = node.end_lineno or node.lineno, (node.end_col_offset or node.col_offset) + 1
    return Span(file, node.lineno, node.col_offset + 1, end_line, end_column)
