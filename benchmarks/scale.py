"""How compiling and loading grow: many nodes, many workflows, one edit, one workflow of many.

(compile) at most 3 times what it takes to parse the same YAML into memory with PyYAML's C parser, to dump the values of
    the snapshot's files as indented JSON with sorted keys, and to digest them: for one workflow of 5,000 nodes, for a
    workspace of 1,000 workflows (chains, diamonds, scientific shapes), and for the same under a law that binds all.
(edit) compiling again after one edit reads the same files in a workspace of 1,000 workflows as in one of 10, and takes
    at most a tenth of compiling it from nothing.
(load) a whole process that runs one workflow of 1,000: at most 1.2 times one that runs one of one.

Times of (compile) and (edit) are CPU times: so other work on the machine counts less. Run it as
`python benchmarks/scale.py [compile] [edit] [load]`; without names, all. The status is 1 where one does not hold.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
import wide
import yaml
from measured import Measured, compared, table, timed

from omnibachi import Workspace
from omnibachi.compiling import compile_workspace, recompile_workspace, write_snapshot
from omnibachi.wiring import Recompiled, Source, load_workflow
from omnibachi.workspace import shipped_root
from omnibachi_model.digests import digest, pretty

NAMES = ("compile", "edit", "load")
ALLOWED = 3.0
EDITED = 0.1
LOADED = 1.2
MANY = 1000
LAW = """\
invariant: IV_BEGUN_V0
summary: Whoever is done began.
applies_to: all
every_path: {passes: {effect: PURE}, before: {exit: done}}
"""
RUN = ["run", "--no-picture", "--wf", "wide::WF_W0000_V0", "--payload", "-"]
PAYLOAD = b'{"at": "2026-01-01T00:00:00Z", "amount": 1}'


def compiles(folder: Path) -> Iterator[Measured]:
    """Measure compiling against parsing and dumping."""
    law = wide.source("law", LAW)
    nodes = [wide.source("domain", wide.COMMON), wide.source("big", wide.chain("WF_BIG_V0", 5000))]
    for case, sources, rounds in (
        ("5,000 nodes", nodes, 9),
        (f"{MANY:,} workflows", wide.workspace(MANY), 3),
        (f"{MANY:,} workflows and a law", [*wide.workspace(MANY), law], 3),
    ):
        root = _laid(folder / case.replace(" ", "-"), sources)
        yield compared(f"(compile) {case}", ALLOWED, _floor(root), _cpu(lambda root=root: _compiled(root)), rounds)  # type: ignore[misc]


def edits(folder: Path) -> Iterator[Measured]:
    """Measure compiling again after an edit against compiling from nothing."""
    read: set[tuple[str, ...]] = set()
    for count in (10, 100, MANY):
        root = _laid(folder / f"edited-{count}", wide.workspace(count))
        _again(root)
        place = root / "protocols/wide/w0003.yaml"
        texts = [place.read_bytes(), place.read_bytes().replace(b"done", b"ended")]

        def edited(root: Path = root, place: Path = place, texts: list[bytes] = texts) -> None:
            texts.reverse()
            place.write_bytes(texts[0])
            read.add(_again(root).read)

        allowed = EDITED if count == MANY else None
        whole = _cpu(lambda root=root: _written(root))  # type: ignore[misc]
        yield compared(f"(edit) one of {count:,} workflows", allowed, whole, _cpu(edited), 3 if count == MANY else 9)
    if len(read) != 1 or sum("/wide/w" in path for path in next(iter(read))) != 1:
        raise SystemExit("more was read than the file that was edited")


def loads(folder: Path) -> Iterator[Measured]:
    """Measure a process that loads and runs, and loading alone."""
    roots = [_laid(folder / f"loaded-{count}", wide.workspace(count)) for count in (1, MANY)]
    for root in roots:
        _written(root)
    one, many = (lambda root=root: _ran(root) for root in roots)
    yield compared(f"(load) a run, one of {MANY:,}", LOADED, one, many, 40)
    spaces = [Workspace(root) for root in roots]
    one, many = (timed(20, lambda space=space: _loaded(space, space.load())) for space in spaces)  # type: ignore[misc]
    yield compared("(load) in a process: snapshot and workflow", None, one, many, 100)
    opened = [(space, space.load()) for space in spaces]
    one, many = (timed(20, lambda pair=pair: _loaded(*pair)) for pair in opened)  # type: ignore[misc]
    yield compared("(load) in a process: a workflow of an open snapshot", LOADED, one, many, 100)


def _laid(root: Path, sources: Sequence[Source]) -> Path:
    for source in sources:
        place = root / source.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(source.data)
    return root


def _cpu(once: Callable[[], object]) -> Callable[[], float]:
    def measure() -> float:
        gc.collect()
        begun = time.process_time()
        once()
        return time.process_time() - begun

    return measure


def _floor(root: Path) -> Callable[[], float]:
    """Return what parses the sources of a workspace and dumps its snapshot, and how long that took.

    The parsed documents are kept, as anybody does who goes on to use them; the values are made and dropped unmeasured.
    """
    folders = (root / "protocols", Path(shipped_root()) / "protocols" / "std")
    texts = [place.read_bytes() for folder in folders for place in sorted(folder.rglob("*.yaml"))]
    _written(root)
    files = sorted((root / "protocol_snapshot").rglob("*.json"))

    def parse() -> None:
        documents = [list(yaml.load_all(text, Loader=yaml.CSafeLoader)) for text in texts]
        assert len(documents) == len(texts)

    def measure() -> float:
        parsed = _cpu(parse)()
        values = [orjson.loads(place.read_bytes()) for place in files]
        return parsed + _cpu(lambda: [digest(pretty(value)) for value in values])()

    return measure


def _compiled(root: Path) -> dict[str, bytes]:
    sealed = compile_workspace(str(root), shipped=shipped_root()).sealed
    assert sealed is not None
    return dict(sealed.files)


def _written(root: Path) -> None:
    write_snapshot(str(root), _compiled(root))


def _again(root: Path) -> Recompiled:
    found = recompile_workspace(str(root), shipped=shipped_root())
    assert isinstance(found, Recompiled)
    write_snapshot(str(root), dict(found.sealed.files))
    return found


def _ran(root: Path) -> float:
    command = [sys.executable, "-m", "omnibachi", *RUN]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    subprocess.run(command, cwd=root, env=environment, input=PAYLOAD, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _loaded(space: Workspace, snapshot: object) -> None:
    load_workflow(snapshot, "wide::WF_W0000_V0", space.capabilities.source)  # type: ignore[arg-type]


def main(names: list[str]) -> int:
    """Measure what is named and print the table."""
    unknown = set(names) - set(NAMES)
    if unknown:
        print(f"{', '.join(sorted(unknown))}: there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    wanted = names or NAMES
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = os.path.join(place, "cache")
        makers = {"compile": compiles, "edit": edits, "load": loads}
        return table(row for name in NAMES if name in wanted for row in makers[name](Path(place)))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
