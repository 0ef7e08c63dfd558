"""The purity check: a transform's source may not touch clock, chance, files, environment or network.

It reads the source of the transform's module and of the modules of its own package that it reaches, resolves names
through imports, aliases and scopes, and looks them up in `impure`. It catches mistakes. It is no sandbox: who wants to
hide a call from it can.

Not seen: what a third-party package does inside, methods of values whose type the text does not tell, and an order that
comes from iterating over a set. `omnibachi test` runs every example a second time in another process for those.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from omnibachi_model.diagnostics import Diagnostic, Span, in_order

from .declarations import Name
from .implementations import parse, running
from .impure import BUILTINS, ENVIRONMENT, MUTABLE_MAKERS, MUTATORS, PATHS, touched
from .phase import Implementation

_STATE = "the state of its module"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)


class Touch(NamedTuple):
    """One place that touches something: line and columns (from 1, the end exclusive), what, and the text of it."""

    line: int
    column: int
    end_column: int
    what: str
    text: str


def check_purity(
    transforms: Iterable[tuple[Name, Implementation]], shown: Callable[[str], str]
) -> tuple[Diagnostic, ...]:
    """Check transforms, each with its declared name; `shown` gives the path of a module as people know it. OB408."""
    known: dict[tuple[str, bytes], tuple[Touch, ...]] = {}
    found: list[Diagnostic] = []
    for name, implementation in transforms:
        for module, source in implementation.modules.items():
            key = (module, source)
            if key not in known:
                known[key] = impurities(source, module)
            for touch in known[key]:
                place = Span(shown(module), touch.line, touch.column, touch.line, touch.end_column)
                message = f"`{name.text}` touches {touch.what}: `{touch.text}` in `{module}`, line {touch.line}"
                found.append(Diagnostic("OB408", message, name.span, related=((place, f"touches {touch.what}"),)))
    return in_order(found)


def impurities(source: bytes, module: str) -> tuple[Touch, ...]:
    """Return every place of a module's source that touches what a transform may not, in order of the text.

    Source that is no Python gives nothing: it is reported where implementations are read.
    """
    tree = parse(source)
    if tree is None:
        return ()
    lines = source.split(b"\n")
    return tuple(sorted({_in_characters(touch, lines) for touch in _Reader(module).read(tree)}))


def _in_characters(touch: Touch, lines: list[bytes]) -> Touch:
    """Turn columns that count UTF-8 bytes, as the syntax tree's do, into columns that count characters."""
    line = lines[touch.line - 1] if touch.line <= len(lines) else b""
    column, end = (len(line[: at - 1].decode("utf-8", "replace")) + 1 for at in (touch.column, touch.end_column))
    return touch._replace(column=column, end_column=end)


class _Scope(NamedTuple):
    """Names bound in one scope: to a dotted path, or to None where the text does not tell."""

    names: dict[str, str | None]
    is_class: bool
    flagged: frozenset[str]  # names whose import was reported, so that their uses are not
    state: frozenset[str]  # names at the top of a module that stand for something mutable


class _Reader:
    """Reads one module, scope by scope."""

    def __init__(self, module: str) -> None:
        self.module = module

    def read(self, tree: ast.Module) -> Iterator[Touch]:
        """Yield what the module touches."""
        waiting: list[tuple[list[ast.AST], list[str], bool, tuple[_Scope, ...]]] = [([*tree.body], [], False, ())]
        while waiting:
            body, parameters, is_class, chain = waiting.pop()
            nodes = list(_own(body))
            scope = self._scope(nodes, parameters, is_class, chain)
            inner = (*chain, scope)
            for node in nodes:
                yield from self._touches(node, inner)
                if isinstance(node, _SCOPES):
                    content: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else [*node.body]
                    visible = tuple(item for item in inner if not item.is_class)
                    waiting.append((content, _parameters(node), isinstance(node, ast.ClassDef), visible))

    def _scope(self, nodes: list[ast.AST], parameters: list[str], is_class: bool, chain: tuple[_Scope, ...]) -> _Scope:
        names: dict[str, str | None] = dict.fromkeys(parameters)
        flagged: set[str] = set()
        state: set[str] = set()
        elsewhere = {name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.setdefault(node.name, None)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id not in elsewhere:
                names.setdefault(node.id, None)
            elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                names.setdefault(node.name, None)
        for node in nodes:
            for name, target, reported in self._imported(node):
                names[name] = target
                if reported:
                    flagged.add(name)
        scope = _Scope(names, is_class, frozenset(flagged), frozenset())
        for name, value in _assigned(nodes):
            path = _path(value, (*chain, scope))
            if path is not None and names.get(name) is None:
                names[name] = path
            if not chain and _mutable(value):
                state.add(name)
        return scope._replace(state=frozenset(state))

    def _imported(self, node: ast.AST) -> Iterator[tuple[str, str, bool]]:
        """Yield (bound name, dotted path, whether the import itself is reported)."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                path = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or path, path, _refused(alias.name)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                path = f"{node.module}.{alias.name}"
                yield alias.asname or alias.name, path, _refused(path)

    def _touches(self, node: ast.AST, chain: tuple[_Scope, ...]) -> Iterator[Touch]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from self._import_touches(node)
        elif isinstance(node, ast.Global):
            yield _touch(node, _STATE, f"global {', '.join(node.names)}")
        elif isinstance(node, ast.Attribute | ast.Name):
            yield from _reference(node, chain)
        if isinstance(node, ast.Call):
            yield from _call(node, chain)
        changed = _changed(node)
        if changed is not None and len(chain) > 1 and _is_state(changed, chain):
            yield _touch(node, _STATE, _text(node))

    def _import_touches(self, node: ast.Import | ast.ImportFrom) -> Iterator[Touch]:
        if isinstance(node, ast.ImportFrom) and node.level:
            return
        for alias in node.names:
            if isinstance(node, ast.Import):
                path, text = alias.name, f"import {alias.name}"
            else:
                path = node.module or "" if alias.name == "*" else f"{node.module}.{alias.name}"
                text = f"from {node.module} import {alias.name}"
            if (alias.name == "*" and touched(path)) or _refused(path):
                yield _touch(node, touched(path) or "", text)


def _own(body: list[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of one scope: those of inner functions and classes are left out, their heads are not.

    An attribute chain such as `a.b.c` is yielded once, as a whole.
    """
    stack = body[::-1]
    while stack:
        node = stack.pop()
        yield node
        inside: list[ast.AST] = []
        if isinstance(node, _FUNCTIONS):
            inside = [item for item in (*node.args.defaults, *node.args.kw_defaults) if item is not None]
            if not isinstance(node, ast.Lambda):
                inside = [*node.decorator_list, *inside]
        elif isinstance(node, ast.ClassDef):
            inside = [*node.decorator_list, *node.bases, *node.keywords]
        elif isinstance(node, ast.Attribute) and _root(node) is not None:
            inside = []
        elif isinstance(node, ast.AnnAssign):
            inside = [node.target, *([node.value] if node.value else [])]
        else:
            inside = running(node)
        stack.extend(inside[::-1])


def _parameters(node: ast.AST) -> list[str]:
    if not isinstance(node, _FUNCTIONS):
        return []
    args = node.args
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, *(item for item in (args.vararg, args.kwarg) if item)]
    return [item.arg for item in every]


def _assigned(nodes: list[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    if not isinstance(value, ast.Call):
        return False
    name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
    return name in MUTABLE_MAKERS


def _root(node: ast.expr) -> ast.Name | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node if isinstance(node, ast.Name) else None


def _bound(name: str, chain: tuple[_Scope, ...]) -> _Scope | None:
    """Return the scope that binds a name, the innermost first."""
    return next((scope for scope in reversed(chain) if name in scope.names), None)


def _path(node: ast.expr, chain: tuple[_Scope, ...]) -> str | None:
    """Return the dotted path that a reference stands for, or None."""
    root = _root(node)
    scope = _bound(root.id, chain) if root else None
    if root is None or scope is None or root.id in scope.flagged:
        return None
    base = scope.names[root.id]
    if base is None:
        return None
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return ".".join([base, *reversed(attributes)])


def _reference(node: ast.Attribute | ast.Name, chain: tuple[_Scope, ...]) -> Iterator[Touch]:
    if isinstance(node.ctx, ast.Store):
        return
    path = _path(node, chain)
    if path is not None:
        what = touched(path)
        # `builtins.open` is `open`.
        what = BUILTINS.get(path.removeprefix("builtins.")) if path.startswith("builtins.") else what
        if what:
            yield _touch(node, what, _text(node))
    elif isinstance(node, ast.Name) and node.id in BUILTINS and _bound(node.id, chain) is None:
        yield _touch(node, BUILTINS[node.id], node.id)


def _call(node: ast.Call, chain: tuple[_Scope, ...]) -> Iterator[Touch]:
    """Yield calls that read the time zone because an argument is left out."""
    given = len(node.args) + len(node.keywords)
    if isinstance(node.func, ast.Attribute):
        zoneless = node.func.attr == "astimezone" and not given
        if zoneless or (given < 2 and _path(node.func, chain) == "datetime.datetime.fromtimestamp"):
            yield _touch(node, ENVIRONMENT, _text(node))


def _changed(node: ast.AST) -> ast.Name | None:
    """Return the name whose value a node changes in place."""
    target: ast.expr | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        target = node.func.value
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        target = node.value
    return target if isinstance(target, ast.Name) else None


def _is_state(name: ast.Name, chain: tuple[_Scope, ...]) -> bool:
    scope = _bound(name.id, chain)
    return scope is chain[0] and name.id in scope.state


def _refused(path: str) -> bool:
    """Tell whether importing a path is refused as such: nothing that is allowed lies below it."""
    return touched(path) is not None and not any(
        reason is None and allowed.startswith(f"{path}.") for allowed, reason in PATHS.items()
    )


def _touch(node: ast.stmt | ast.expr | ast.AST, what: str, text: str) -> Touch:
    line: int = getattr(node, "lineno", 1)
    column: int = getattr(node, "col_offset", 0) + 1
    same_line = getattr(node, "end_lineno", line) == line
    end = (getattr(node, "end_col_offset", None) or column) + 1 if same_line else column + 1
    return Touch(line, column, end, what, text)


def _text(node: ast.AST, limit: int = 60) -> str:
    """Return the text of a node on one line, cut to a length that fits a message."""
    try:
        text = " ".join(ast.unparse(node).split())
    except RecursionError:
        return "…"
    return text if len(text) <= limit else text[: limit - 1] + "…"
