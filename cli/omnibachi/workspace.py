"""A workspace: a folder with declarations and what was sealed from them, and what one can do with it.

`Workspace` is the public API's front: load, engine, run, call, load_facts, records, compile. `run` is what
`omnibachi run` does, files and all; for many runs, make an engine.
"""

from __future__ import annotations

import os

from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble, in_order

from . import wiring
from .catalogue import Capabilities
from .engine import Engine
from .exits import FINDINGS, TROUBLE
from .results import RunResult
from .traces_folder import Traces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from os import PathLike

    from omnibachi_model.ports import Clock, Entropy
    from omnibachi_model.values import JSON, Answer

    from .recovery import Recoverer
    from .results import CallResult, Compiled, LoadResult
    from .wiring import Snapshot, Turns

SNAPSHOT = "protocol_snapshot"
PROTOCOLS = "protocols"
MIRRORS = "postgresql"  # below `data`: the readable mirrors of a data root that is a server
INSTANT = 0.01  # seconds
INSTANTS = 20


def shipped_root() -> str:
    """Return the folder that holds the shipped protocols and their snapshot: in the package, or the checkout."""
    here = os.path.dirname(os.path.abspath(__file__))
    inside = os.path.join(here, "shipped")
    return inside if os.path.isdir(inside) else os.path.dirname(os.path.dirname(here))


def is_workspace(path: str) -> bool:
    """Tell whether a folder is a workspace: it holds `protocols/` or `protocol_snapshot/`."""
    return os.path.isdir(os.path.join(path, PROTOCOLS)) or os.path.isdir(os.path.join(path, SNAPSHOT))


class Workspace:
    """A folder that holds `protocols/` or `protocol_snapshot/`.

    `data_root` and `traces` are where state and traces go unless a call says otherwise: `data` and `traces` in the
    workspace. A data root is a folder or the address of a PostgreSQL, whose mirrors go to `mirrors`. `trust` is the
    file that says whose signatures count, `trust.json` there. `borrowed` tells that it is the shipped one, used from a
    folder outside any: it is there to be run.
    """

    __slots__ = ("borrowed", "capabilities", "data_root", "mirrors", "root", "traces", "trust")

    def __init__(self, path: str | PathLike[str] = ".") -> None:
        self.root = os.path.abspath(os.fspath(path))
        self.data_root = os.path.join(self.root, "data")
        self.mirrors = os.path.join(self.data_root, MIRRORS)
        self.traces = Traces(os.path.join(self.root, "traces"))
        self.capabilities = Capabilities(os.path.join(self.root, "capabilities"))
        self.trust = os.path.join(self.root, "trust.json")
        self.borrowed = False

    def __repr__(self) -> str:
        return f"Workspace({self.root!r})"

    @classmethod
    def find(cls, start: str | PathLike[str] = ".") -> Workspace:
        """Return the workspace of the nearest folder upward; outside any, the shipped one, with its output here."""
        here = os.path.abspath(os.fspath(start))
        place = here
        while True:
            if is_workspace(place):
                return cls(place)
            above = os.path.dirname(place)
            if above == place:
                break
            place = above
        found = cls(shipped_root())
        found.borrowed = True
        found.data_root = os.path.join(here, "data")
        found.mirrors = os.path.join(found.data_root, MIRRORS)
        found.traces = Traces(os.path.join(here, "traces"))
        found.trust = os.path.join(here, "trust.json")
        return found

    def load(self, *, seal: str | None = None, strict: bool = False, trust: str | None = None) -> Snapshot:
        """Open the sealed snapshot, pinned to `seal` if given; raises Refused (OB601 to OB608, OB751).

        Where there is a trust file, a signature beside the manifest must be one that counts (OB614 to OB621); where one
        is named, `trust`, there must be such a signature, unless the snapshot is pinned. With `strict`, runs compile
        the very bytes of every capability that were compared with its lock, whatever Python has cached or loaded.
        """
        if not is_workspace(self.root):
            message = f"`{self.root}` holds neither `{PROTOCOLS}/` nor `{SNAPSHOT}/`"
            help = "run inside a workspace, or name one with `--workspace`"
            raise Refused([Diagnostic("OB751", message, help=help)], FINDINGS)
        vouch = None
        if trust is not None or os.path.exists(self.trust):
            from .trusting import voucher

            vouch = voucher(trust or self.trust, needed=trust is not None)
        found = wiring.open_snapshot(self._read, pinned=seal, strict=strict, vouch=vouch)
        found.capabilities = self.capabilities
        return found

    def engine(
        self,
        data_root: str | PathLike[str] | None = None,
        *,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        seal: str | None = None,
        strict: bool = False,
        forced: Mapping[str, Answer] | None = None,
        secrets: Callable[[str], str | None] = os.environ.get,
        turns: Turns | None = None,
    ) -> Engine:
        """Return an engine for many runs; without `data_root` its state lives in memory.

        `clock` and `entropy` default to the machine's; `forced` are answers of nodes by name, for scenarios; `secrets`
        gives the text behind the name of a secret; with `turns` engines `beside` it write one after another. Raises
        Refused as `load` does.
        """
        root = None if data_root is None else os.fspath(data_root)
        snapshot = self.load(seal=seal, strict=strict)
        return Engine(
            snapshot, self.capabilities, root, clock=clock, entropy=entropy, forced=forced, secrets=secrets, turns=turns
        )  # fmt: skip

    def run(
        self,
        workflow: str,
        payload: dict[str, JSON],
        *,
        data_root: str | PathLike[str] | None = None,
        trace_id: str | None = None,
        actor: str | None = None,
        seal: str | None = None,
        strict: bool = False,
        trust: str | None = None,
        picture: bool = True,
    ) -> RunResult:
        """Run one workflow to an exit and leave what `omnibachi run` leaves: journal, mirrors and a trace folder.

        `data_root` defaults to `<workspace>/data`. Nothing is raised for what a user can mend: see the result's
        `exit_code` and `diagnostics`.
        """
        try:
            snapshot = self.load(seal=seal, strict=strict, trust=trust)
        except Refused as refused:
            return RunResult(trace_id, workflow, refused.exit_code, diagnostics=refused.diagnostics)
        root = self.data_root if data_root is None else os.fspath(data_root)
        note = self.traces.note(picture=picture)
        with Engine(
            snapshot, self.capabilities, root, past=self.traces.read, note=note, mirrors=self.mirrors
        ) as engine:
            result = engine.run(workflow, payload, trace_id=trace_id, actor=actor)
            if result.exit is not None:
                from .publish import changed_sources, publish, unwritten

                found = [*result.diagnostics, *engine.warnings, *changed_sources(self.root, snapshot, workflow)]
                found += publish(engine, self.traces, result, engine.linked(workflow).program.sealed, picture=picture)
                result.diagnostics = in_order(found)
                if unwritten(result):
                    engine.close(done=False)  # `resume --all` writes it when there is room again
        return result

    def resume(
        self,
        trace_id: str,
        *,
        data_root: str | PathLike[str] | None = None,
        accept: Collection[str] = (),
        payload: dict[str, JSON] | None = None,
        picture: bool = True,
    ) -> RunResult:
        """Finish a run whose process died, and what is missing of one that has ended: mirrors, trace, page, picture.

        `accept` names capabilities that may differ from what they were when the run began, `payload` is what it was
        given, where it goes on with secrets. Nothing is raised for what a
        user can mend: see the result's `exit_code` and `diagnostics`.
        """
        accepted = (accept,) if isinstance(accept, str) else tuple(accept)
        try:
            return self.recoverer(data_root, picture=picture).one(trace_id, accepted, payload)
        except Refused as refused:
            return RunResult(trace_id, "", refused.exit_code, diagnostics=refused.diagnostics)
        except Trouble as trouble:
            return RunResult(trace_id, "", TROUBLE, diagnostics=[trouble.diagnostic])

    def approve(
        self,
        trace_id: str,
        statement: bytes,
        *,
        data_root: str | PathLike[str] | None = None,
        trust: str | None = None,
        payload: dict[str, JSON] | None = None,
        clock: Clock | None = None,
        picture: bool = True,
    ) -> RunResult:
        """Hand in a signed statement about a run that waits (docs/people.md); return how the run stands after it.

        It is judged by the trust file (`trust`, default that of the workspace) and kept, whether it counts or not; one
        that does not has exit code 4. `payload` is what the run was given, where it goes on with secrets. Nothing is
        raised for what a user can mend.
        """
        from .approving import hand_in, trusted

        root = None if data_root is None else os.fspath(data_root)
        try:
            handed = hand_in(
                self, trace_id, statement, trusted(trust or self.trust), data_root=root, clock=clock, payload=payload,
                picture=picture,
            )  # fmt: skip
        except Refused as refused:
            return RunResult(trace_id, "", refused.exit_code, diagnostics=refused.diagnostics)
        except Trouble as trouble:
            return RunResult(trace_id, "", TROUBLE, diagnostics=[trouble.diagnostic])
        handed.result.exit_code = handed.exit_code
        return handed.result

    def recoverer(
        self, data_root: str | PathLike[str] | None = None, *, picture: bool = True, clock: Clock | None = None
    ) -> Recoverer:
        """Return what finds and finishes all that dead processes left; raises Refused as `load` does."""
        from .recovery import Recoverer

        root = self.data_root if data_root is None else os.fspath(data_root)
        return Recoverer(self.load(), self.capabilities, root, self.traces, picture, self.mirrors, clock)

    def call(
        self,
        capability: str,
        inputs: dict[str, JSON],
        *,
        store: str | None = None,
        event: str | None = None,
        data_root: str | PathLike[str] | None = None,
    ) -> CallResult:
        """Try one capability: a transform by its address, an operation as `domain::CS_X_V0.OP` with its store.

        Inputs are checked against the declaration. An operation that writes is journalled as a run of one node; no
        trace is written. `data_root` defaults to `<workspace>/data`; transforms need none.
        """
        from .calling import call

        root = self.data_root if data_root is None else os.fspath(data_root)
        try:
            return call(self.load(), self.capabilities, capability, inputs, store=store, event=event, data_root=root)
        except Refused as refused:
            from .results import CallResult

            return CallResult(None, {}, refused.diagnostics)
        except Trouble as trouble:
            from .results import CallResult

            return CallResult(None, {}, [trouble.diagnostic])

    def records(self, store: str, *, data_root: str | PathLike[str] | None = None) -> list[dict[str, JSON]]:
        """Return a store's records: {key, value} in order of creation, {sequence, event, record}, {account, balance}.

        Empty where nothing was written. Raises Refused (OB303) for an unknown store and Trouble for a data root that
        cannot be read.
        """
        from .calling import store_of

        kept = store_of(self.load(), store)
        root = self.data_root if data_root is None else os.fspath(data_root)
        with wiring.open_root(root, reading=True) as ledger:
            return ledger.records(store, kept["keeps"])

    def load_facts(self, file: str | PathLike[str], *, data_root: str | PathLike[str] | None = None) -> LoadResult:
        """Put the facts of a file (format `omnibachi.seed/1`) into the stores that take them, all or none.

        `file` is a path, or the name of a seed that ships with a domain (`<domain>/<name>`). A fact that is there
        already stays as it is, one that changed replaces the old one. `data_root` defaults to `<workspace>/data`.
        Nothing is raised for what a user can mend: see the result's `exit_code` and `diagnostics`.
        """
        from .facts import load_file
        from .results import LoadResult

        root = self.data_root if data_root is None else os.fspath(data_root)
        name = os.fspath(file)
        try:
            return load_file(self.load(), (self.root, shipped_root()), name, root)
        except Refused as refused:
            return LoadResult(refused.exit_code, name, diagnostics=refused.diagnostics)
        except Trouble as trouble:
            return LoadResult(TROUBLE, name, diagnostics=[trouble.diagnostic])

    def compile(self, *, write: bool = True) -> Compiled:
        """Compile the declarations; with `write`, lay the snapshot down when nothing is wrong.

        Raises OSError when the snapshot cannot be written.
        """
        from .compiling import compile_workspace, compiled, write_snapshot

        compilation = compile_workspace(self.root, shipped=shipped_root())
        written = compilation.sealed is not None and write
        if compilation.sealed is not None and write:
            write_snapshot(self.root, dict(compilation.sealed.files))
        return compiled(compilation, written=written)

    def _read(self, name: str) -> bytes | None:
        """Give a file of the snapshot by its relative path; None when it is not there."""
        parts = name.split("/")
        if ".." in parts or os.path.isabs(name):
            return None
        try:
            return self._content(os.path.join(self.root, SNAPSHOT, *parts))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Refused([Diagnostic("OB608", f"`{SNAPSHOT}/{name}` cannot be read: {reason}")]) from error

    def _content(self, path: str) -> bytes:
        """Read a file of the snapshot, which is not there for the instant between the two renames of a compile."""
        for _ in range(INSTANTS):
            try:
                with open(path, "rb") as file:
                    return file.read()
            except FileNotFoundError:
                if not any(name.startswith(f".{SNAPSHOT}.") for name in os.listdir(self.root)):
                    raise
            from time import sleep

            sleep(INSTANT)
        raise FileNotFoundError(path)
