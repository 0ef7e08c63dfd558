"""The desk: the open texts of one workspace laid over its files, and what the compiler says of them.

A desk answers from its last compilation; `compile` makes a new one and may run beside the questions, since it works on
a copy of what is open. Nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from omnibachi import wiring
from omnibachi.compiling import SUFFIXES, compile_workspace, gather
from omnibachi.workspace import PROTOCOLS
from omnibachi_model.diagnostics import Diagnostic


def workspace_of(file: str) -> tuple[str, str] | None:
    """Return the workspace that a file is a source of, and its path there; None for any other file.

    It is one below the nearest `protocols/` upward, in a domain, with a name that a source has.
    """
    parts = os.path.abspath(file).split(os.sep)
    if not parts[-1].endswith(SUFFIXES):
        return None
    for place in range(len(parts) - 3, 0, -1):
        if parts[place] == PROTOCOLS:
            inside = parts[place + 1 :]
            if any(part.startswith(".") for part in inside):
                return None
            return os.sep.join(parts[:place]) or os.sep, "/".join((PROTOCOLS, *inside))
    return None


class Desk:
    """The texts of one workspace, by path as shown; `version` grows with every change."""

    def __init__(self, root: str, shipped: str) -> None:
        self.root = root
        self.shipped = shipped
        self.version = 0
        self.opened: dict[str, wiring.Open] = {}
        self.told: set[str] = set()  # the files that an editor was told findings of
        self._trees: dict[str, dict[int, wiring.Tree]] = {}
        self._project: tuple[int, wiring.Project] | None = None
        self._found: tuple[int, dict[str, list[Diagnostic]]] = (-1, {})

    def put(self, path: str, text: str) -> None:
        """Take a text that is open, or has changed."""
        before = self.opened.get(path)
        known, surveys = (before.known, before.surveys) if before is not None else (None, [])
        self.opened[path] = wiring.Open(path, path.split("/")[1], text, self._trees.get(path, {}), known, surveys)
        self.version += 1

    def drop(self, path: str) -> None:
        """Forget a text that was closed: its file counts again."""
        self.opened.pop(path, None)
        self._trees.pop(path, None)
        self.version += 1

    def changed(self) -> None:
        """Note that files have changed."""
        self.version += 1

    def compile(self) -> dict[str, list[Diagnostic]]:
        """Compile the workspace with what is open laid over it; return the findings by file, those without any too
        that were told of before."""
        version, opened = self.version, dict(self.opened)
        laid_over = _texts(opened)
        compilation = compile_workspace(self.root, shipped=self.shipped, laid_over=laid_over)
        for path, text in opened.items():
            # What loads now is what is known of a document when it does not.
            self._trees[path] = {**self._trees.get(path, {}), **text.trees}
        self._project = version, wiring.Project(compilation.library, {})
        found: dict[str, list[Diagnostic]] = {path: [] for path in (*opened, *self.told)}
        for item in compilation.diagnostics:
            if item.span is not None:
                found.setdefault(item.span.file, []).append(item)
        self._found = version, found
        return found

    def fixable(self, path: str) -> list[Diagnostic]:
        """Return the findings in a text that have a certain correction, unless the text has changed since."""
        version, found = self._found
        return [item for item in found.get(path, ()) if item.fix is not None] if version == self.version else []

    def project(self, *, current: bool = False) -> wiring.Project:
        """Return the workspace as it was compiled last; `current`: as it is now."""
        if self._project is None or (current and self._project[0] != self.version):
            self.compile()
        assert self._project is not None
        return self._project[1]

    def whole(self) -> wiring.Project:
        """Return the workspace as it is now, with the texts of all its own sources."""
        library = self.project(current=True).library
        sources, _ = gather(self.root, [], shipped=self.shipped, laid_over=_texts(self.opened))
        texts = {item.path: item.data.decode("utf-8", "replace") for item in sources if self.owns(item.path)}
        return wiring.Project(library, texts)

    def owns(self, path: str) -> bool:
        """Tell whether a source belongs to the workspace, and not to the library that is shipped."""
        here = path in self.opened or os.path.exists(self._at(self.root, path))
        return here or not os.path.exists(self._at(self.shipped, path))

    def file(self, path: str) -> str:
        """Return the file that is shown as `path`."""
        return self._at(self.root if self.owns(path) else self.shipped, path)

    def text(self, path: str) -> str:
        """Return the text that is shown as `path`, open or not; nothing where it cannot be read."""
        if path in self.opened:
            return self.opened[path].text
        try:
            with open(self.file(path), encoding="utf-8", errors="replace", newline="") as file:
                return file.read()
        except OSError:
            return ""

    @staticmethod
    def _at(root: str, path: str) -> str:
        return os.path.join(root, *path.split("/"))


def _texts(opened: Mapping[str, wiring.Open]) -> dict[str, bytes]:
    return {path: text.text.encode("utf-8", "surrogatepass") for path, text in opened.items()}
