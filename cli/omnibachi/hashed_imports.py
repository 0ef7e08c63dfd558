"""Importing the bytes that were hashed.

Python takes a cached `.pyc` for current when the source's size and its time, in whole seconds, did not change; and it
reads the source a second time after we hashed it. What was compared with a lock must be what runs, so these modules
are compiled from the bytes at hand, and no cache is read or written.
"""

from __future__ import annotations

from importlib.machinery import ModuleSpec, SourceFileLoader
from os.path import dirname

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, ModuleType
    from typing import Any


class Loader(SourceFileLoader):
    """Compiles a module from given bytes."""

    def __init__(self, name: str, path: str, source: bytes) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of the module."""
        return self.source_to_code(self.source, self.path)


class Finder:
    """Finds the modules of one top-level package whose source is at hand; for all others Python looks on.

    `path` gives a module's file, `sources` the bytes that count.
    """

    def __init__(self, top: str, path: Callable[[str], str | None], sources: Mapping[str, bytes]) -> None:
        self._top = top
        self._path = path
        self._sources = sources

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec of a module, as importlib asks for it."""
        if fullname.partition(".")[0] != self._top:
            return None
        place, source = self._path(fullname), self._sources.get(fullname)
        if place is None or source is None:
            return None
        loader = Loader(fullname, place, source)
        spec = ModuleSpec(fullname, loader, origin=place, is_package=loader.is_package(fullname))
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(dirname(place))
        return spec


def is_from(module: ModuleType, source: bytes | None) -> bool:
    """Tell whether a loaded module was made from these very bytes."""
    loader = getattr(module, "__loader__", None)
    return isinstance(loader, Loader) and loader.source == source
