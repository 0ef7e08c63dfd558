"""Where capabilities live: their sources, found without importing anything, and the functions that were sealed.

A workspace's own packages lie in its `capabilities/` folder; that folder is on the import path only while exactly the
sealed modules are imported, and they are made from the bytes that were compared with their locks. Everything else is
found where Python finds packages. Nothing is discovered: a name that was not sealed is never imported.
"""

from __future__ import annotations

import os
import sys

from omnibachi_model.diagnostics import Diagnostic, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType
    from typing import Any

# Packages with a catalogue that ship; of no workspace, not even of the checkout that they lie in.
SHIPPED = ("omnibachi_capabilities", "omnibachi_policy")


def folder_of(package: str) -> str | None:
    """Return the folder of an installed top-level package, without importing it, or None."""
    loaded = sys.modules.get(package)
    if loaded is not None and getattr(loaded, "__file__", None):
        return os.path.dirname(str(loaded.__file__))
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(package)
    if spec is None or not spec.origin or not spec.submodule_search_locations:
        return None
    return os.path.dirname(spec.origin)


class Capabilities:
    """The capabilities that one workspace can reach; `folder` is the workspace's own `capabilities/`."""

    __slots__ = ("_folders", "_sources", "folder")

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._folders: dict[str, str | None] = {}
        self._sources: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Capabilities({self.folder!r})"

    def path(self, module: str) -> str | None:
        """Return where the source of a module lies, without importing it, or None."""
        top, *rest = module.split(".")
        if not all(part.isidentifier() for part in (top, *rest)):
            return None
        if top not in self._folders:
            self._folders[top] = os.path.join(self.folder, top) if self._is_own(top) else folder_of(top)
        folder = self._folders[top]
        if folder is None:
            return None
        place = os.path.join(folder, *rest)
        paths = [os.path.join(place, "__init__.py")]
        if rest:
            paths.insert(0, place + ".py")
        return next((path for path in paths if os.path.isfile(path)), None)

    def source(self, module: str) -> bytes | None:
        """Return a module's source bytes, or None when there are none that can be read."""
        path = self.path(module)
        if path is None:
            return None
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            return None
        self._sources[module] = data
        return data

    def functions(self, locks: Mapping[str, Mapping[str, Any]], *, strict: bool) -> dict[str, Callable[..., Any]]:
        """Import the functions behind locks, by address; raises Refused (OB409, OB605)."""
        return {address: self.function(lock["implementation"], strict=strict) for address, lock in locks.items()}

    def function(self, implementation: str, *, strict: bool = False) -> Callable[..., Any]:
        """Import the function behind a sealed `module:function`; raises Refused (OB409, OB605).

        A module of the workspace, and with `strict` any, is made from the bytes that `source` gave last: what Python
        has cached or loaded of another source of it does not count.
        """
        name, _, attribute = implementation.partition(":")
        try:
            module = self._exactly(name) if strict or self._is_own(name) else _import(name)
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise Refused([Diagnostic("OB409", f"the module `{name}` cannot be imported: {reason}")]) from error
        found = getattr(module, attribute, None)
        if not callable(found):
            raise Refused([Diagnostic("OB605", f"there is no function `{attribute}` in `{name}`")])
        return found  # type: ignore[no-any-return]

    def _is_own(self, module: str) -> bool:
        top = module.partition(".")[0]
        return top not in SHIPPED and os.path.isdir(os.path.join(self.folder, top))

    def _exactly(self, name: str) -> ModuleType:
        """Import a module from the bytes that `source` gave, anew where another source of its package is loaded."""
        from .hashed_imports import Finder, is_from

        top = name.partition(".")[0]
        if not all(is_from(sys.modules[loaded], self._sources.get(loaded)) for loaded in _loaded(top)):
            for loaded in _loaded(top):
                del sys.modules[loaded]
        found = Finder(top, self.path, self._sources)
        sys.meta_path.insert(0, found)
        sys.path.insert(0, self.folder)
        try:
            return _import(name)
        finally:
            sys.path.remove(self.folder)
            sys.meta_path.remove(found)


def _loaded(package: str) -> list[str]:
    return [name for name in sys.modules if name == package or name.startswith(package + ".")]


def _import(name: str) -> ModuleType:
    """Import a module, and leave the interpreter's recursion limit as it was.

    There are libraries that raise it when imported; with theirs, what is nested too deep ends the process by a
    segmentation fault where it would have been refused.
    """
    from importlib import import_module

    limit = sys.getrecursionlimit()
    try:
        return import_module(name)
    finally:
        sys.setrecursionlimit(limit)
