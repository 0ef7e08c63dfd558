"""Implementations: what stands behind a capability, read from source text alone.

`closure` finds the modules that are sealed with a capability: its own, the packages that hold it, and what these import
from the same top-level package. `outcomes_returned` reads the outcomes off a function's `return` statements. Nothing is
imported or run: `read` gives a module's source bytes (of a package: its `__init__`), or None where there is none.
Imports under `if TYPE_CHECKING:` never happen and do not count.
"""

from __future__ import annotations

import ast
import functools
import warnings
from collections.abc import Callable, Iterable, Iterator

Read = Callable[[str], "bytes | None"]
NO_ANSWER = ""  # stands among outcomes for a `return` of something that is plainly no pair


def closure(module: str, read: Read) -> dict[str, bytes]:
    """Return the source bytes of a module, its packages, and the modules of its own package that these reach."""
    own = module.partition(".")[0]
    found: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or name.partition(".")[0] != own:
            continue
        data = read(name)
        if data is None:
            continue
        found[name] = data
        # Importing a module runs the `__init__` of every package above it.
        waiting.extend(_parents(name))
        waiting.extend(_imports(name, data, read))
    return dict(sorted(found.items()))


def outcomes_returned(source: bytes, function: str) -> set[str] | None:
    """Return the outcomes that a module's function answers with; None where they cannot be read off its text.

    Nothing is in it where the function never returns; NO_ANSWER is where it returns what is no pair.
    """
    tree = parse(source)
    defined = _definition(tree, function) if tree else None
    if tree is None or defined is None:
        return None
    constants = _constants(tree)
    found: set[str] = set()
    for node in _own_nodes(defined.body):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return {NO_ANSWER}  # a generator, whatever it returns
        if isinstance(node, ast.Return):
            outcomes = _outcomes(node.value, constants)
            if outcomes is None:
                return None
            found |= outcomes
    return found


def parse(source: bytes) -> ast.Module | None:
    """Return a module's syntax tree, or None when it is no Python."""
    tree = read_module(source)
    return tree if isinstance(tree, ast.Module) else None


@functools.lru_cache(maxsize=256)
def read_module(source: bytes) -> ast.Module | SyntaxError:
    """Return a module's syntax tree, or why there is none; what Python only warns of is not our business.

    The tree is shared by all who ask about one text: a module that holds many capabilities is parsed once.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        return error
    except (RecursionError, MemoryError):
        return SyntaxError("it is nested too deep")
    except ValueError as error:
        return SyntaxError(str(error))


def running(node: ast.AST) -> list[ast.AST]:
    """Return the nodes right below a node that can run in a capability, in the order of the text.

    Left out is what stands under `if TYPE_CHECKING:` or `if __name__ == "__main__":`.
    """
    if isinstance(node, ast.If) and _never_runs(node.test):
        return [*node.orelse]
    return [*ast.iter_child_nodes(node)]


def _never_runs(test: ast.expr) -> bool:
    """Tell whether an `if` guards what only type checkers read or what only a script does."""
    if isinstance(test, ast.Name):
        return test.id == "TYPE_CHECKING"
    if isinstance(test, ast.Attribute):
        return test.attr == "TYPE_CHECKING"
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _imports(module: str, source: bytes, read: Read) -> Iterator[str]:
    """Yield the names of modules that a module may import; those that do not exist are sorted out by reading."""
    plain, froms = _import_statements(source)
    for statement in plain:
        yield from (alias.name for alias in statement.names)
    # Where it is not known that the module is a package, both are taken: sealing a module too many is safe and one too
    # few is not.
    kinds = (True,) if holds_modules(module, froms, read) else (True, False)
    for node in froms:
        for base in {origin(module, node, package=package) for package in kinds}:
            if base is not None:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


@functools.lru_cache(maxsize=256)
def _import_statements(source: bytes) -> tuple[list[ast.Import], list[ast.ImportFrom]]:
    """Return the imports of a module that can run, wherever they stand in it."""
    tree = parse(source)
    waiting: list[ast.AST] = [tree] if tree else []
    plain: list[ast.Import] = []
    froms: list[ast.ImportFrom] = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            plain.append(node)
        elif isinstance(node, ast.ImportFrom):
            froms.append(node)
        waiting.extend(running(node))
    return plain, froms


def holds_modules(module: str, froms: Iterable[ast.ImportFrom], read: Read) -> bool:
    """Tell whether a module is a package's `__init__`, going by what its `from . import …` and `from .x import …` find.

    A name alone does not tell it from a plain module.
    """
    near = [node for node in froms if node.level == 1]
    children = [name for node in near for name in ([node.module] if node.module else [a.name for a in node.names])]
    return any(read(f"{module}.{child}") is not None for child in children)


def origin(module: str, node: ast.ImportFrom, *, package: bool) -> str | None:
    """Return the module that a `from … import` in a module (in a package's `__init__`) names; None above the top."""
    if not node.level:
        return node.module
    parts = module.split(".")
    base = parts[: len(parts) - node.level + package]
    return ".".join([*base, node.module] if node.module else base) if base else None


def _definition(tree: ast.Module, function: str) -> ast.FunctionDef | None:
    """Return the last plain definition of a function at the top of a module."""
    for statement in reversed(tree.body):
        if isinstance(statement, ast.FunctionDef) and statement.name == function:
            return None if statement.decorator_list else statement
    return None


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body without those of functions and classes inside it."""
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        yield node
        stack.extend(ast.iter_child_nodes(node))


def _constants(tree: ast.Module) -> dict[str, str]:
    """Return the texts that names at the top of a module stand for, where each is given once."""
    given: dict[str, list[object]] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets, value = [statement.target], statement.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                given.setdefault(target.id, []).append(value.value if isinstance(value, ast.Constant) else None)
    return {name: values[0] for name, values in given.items() if len(values) == 1 and isinstance(values[0], str)}


def _outcomes(value: ast.expr | None, constants: dict[str, str]) -> set[str] | None:
    """Return the outcomes of one returned expression: a pair, or a choice between pairs."""
    if value is None or isinstance(value, ast.Constant | ast.Dict | ast.JoinedStr):
        return {NO_ANSWER}
    if isinstance(value, ast.IfExp):
        left, right = _outcomes(value.body, constants), _outcomes(value.orelse, constants)
        return None if left is None or right is None else left | right
    if isinstance(value, ast.Tuple) and len(value.elts) == 2:
        return _texts(value.elts[0], constants)
    return None


def _texts(value: ast.expr, constants: dict[str, str]) -> set[str] | None:
    if isinstance(value, ast.Constant):
        return {value.value} if isinstance(value.value, str) else None
    if isinstance(value, ast.Name):
        return {constants[value.id]} if value.id in constants else None
    if isinstance(value, ast.IfExp):
        left, right = _texts(value.body, constants), _texts(value.orelse, constants)
        return None if left is None or right is None else left | right
    return None
