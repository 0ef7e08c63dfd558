"""The log of a data root: heads of finished runs in the order in which checkpoints took them in, and the checkpoints.

`leaves.jsonl` in `<data-root>/checkpoints` holds one head a line (docs/formats.md), only ever appended, and
`<size>.checkpoint` the checkpoint of the first `size` lines. A checkpoint takes in every run of the journal that ended
since, by the instant of its end. Lines behind the latest checkpoint are those of one that was broken off; the next one
makes them anew.
"""

from __future__ import annotations

import os

from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.digests import decode, encode
from omnibachi_model.record import read

from . import wiring
from .trusting import unwritable, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .wiring import Checkpoint, Consistency, Inclusion, Ledger, PrivateKey, Trust

LEAVES, SUFFIX, LOCK = "leaves.jsonl", ".checkpoint", "log.lock"
ALL = 1 << 60


class Logbook:
    """A log as it lies there, checked: its leaves up to the latest checkpoint, and that checkpoint."""

    __slots__ = ("checkpoint", "folder", "leaves", "runs")

    def __init__(self, folder: str) -> None:
        """Read the log in a folder; raises Refused (OB623) where it does not hold together."""
        self.folder = folder
        self.checkpoint = _latest(self.folder)
        size = self.checkpoint.size if self.checkpoint else 0
        self.leaves = _leaves(os.path.join(self.folder, LEAVES), size)
        self.runs: dict[str, tuple[int, dict[str, Any]]] = {}
        for number, leaf in enumerate(self.leaves):
            head = _head(leaf, number)
            self.runs[str(head["run"])] = (number, head)
        if self.checkpoint is not None and wiring.tree_root(self.hashes) != self.checkpoint.root:
            raise _damaged(f"the first {size} leaves do not give the root of their checkpoint")

    @property
    def hashes(self) -> list[bytes]:
        """The hashes of the leaves."""
        return [wiring.leaf_hash(leaf) for leaf in self.leaves]

    def include(self, run: str) -> Inclusion:
        """Return the proof that the latest checkpoint holds a run; raises Refused (OB626)."""
        if self.checkpoint is None or run not in self.runs:
            help = "make one with `omnibachi checkpoint make`; it takes in what has ended"
            raise Refused([Diagnostic("OB626", f"no checkpoint holds the run `{run}`", help=help)])
        index = self.runs[run][0]
        return wiring.Inclusion(index, tuple(wiring.inclusion_path(self.hashes, index)), self.checkpoint)

    def extend(self, old: Checkpoint) -> Consistency:
        """Return the proof that the log only grew since an older checkpoint; raises Refused (OB625, OB626)."""
        if self.checkpoint is None:
            help = "make one with `omnibachi checkpoint make`"
            raise Refused([Diagnostic("OB626", "there is no checkpoint here to compare with", help=help)])
        if old.size > self.checkpoint.size:
            message = f"the log was of {old.size} runs, and here it is of {self.checkpoint.size}: runs were taken out"
            raise Refused([Diagnostic("OB625", message, help="keep the older checkpoint: it shows it to anybody")])
        path = wiring.consistency_path(self.hashes, old.size) if old.size else []
        return wiring.Consistency(old, self.checkpoint, tuple(path))

    def grow(self, ledger: Ledger, key: PrivateKey, trust: Trust) -> tuple[Checkpoint, str, int, list[Diagnostic]]:
        """Take in all runs that ended since, and sign the log as it is then.

        Returns the checkpoint, its file, how many runs are new, and what was left out because it does not hold (OB622,
        warnings). Raises Refused: OB623 for a key of another name than the log, or a log that nobody known signed;
        OB625 where the journal lost or changed a run that the log holds.
        """
        if self.checkpoint is not None and self.checkpoint.origin != key.name:
            message = f"the log is called `{self.checkpoint.origin}`, and the key `{key.name}`"
            raise Refused([Diagnostic("OB623", message, help="sign it with a key of the log's name")])
        doubt = wiring.continued(self.checkpoint, key.public, trust) if self.checkpoint is not None else None
        if doubt is not None:
            raise Refused([doubt])
        fresh, skipped = self._fresh(ledger)
        self.leaves += [encode(head) for head in fresh]
        known = self.checkpoint is not None and not fresh
        signatures = self.checkpoint.signatures if self.checkpoint is not None and known else ()
        made = wiring.Checkpoint(key.name, len(self.leaves), wiring.tree_root(self.hashes), signatures).signed(key)
        path = os.path.join(self.folder, f"{made.size}{SUFFIX}")
        _append(os.path.join(self.folder, LEAVES), self.leaves, len(self.leaves) - len(fresh))
        write_file(path, made.text.encode())
        self.checkpoint = made
        return made, path, len(fresh), skipped

    def _fresh(self, ledger: Ledger) -> tuple[list[dict[str, Any]], list[Diagnostic]]:
        ended: list[tuple[int, str, dict[str, Any]]] = []
        skipped: list[Diagnostic] = []
        digests: dict[str, str | None] = {}
        for row in ledger.runs(ALL):
            digests[row.run] = row.digest
            if row.exit is None or row.run in self.runs:
                continue
            record, doubt = ledger.record(row.run) or b"", ledger.doubt(row)
            head = wiring.head_of(record)
            if doubt is not None:
                message = f"the journal contradicts itself about the run `{row.run}`: {doubt}"
                skipped.append(Diagnostic("OB622", message, help="it was left out", severity="warning"))
            elif isinstance(head, Diagnostic):
                skipped.append(head.as_warning())
            else:
                ended.append((list(read(record))[-1].obs["at_us"], row.run, head))
        for run, (_, head) in self.runs.items():
            if digests.get(run) != head["digest"]:
                told = "holds another run" if run in digests else "no longer holds the run"
                message = f"the journal {told} `{run}`, which the log has"
                help = "restore the data root; if it cannot be had again, move the log away and begin another"
                raise Refused([Diagnostic("OB625", message, help=help)])
        return [head for _, _, head in sorted(ended, key=lambda item: item[:2])], skipped


def log_locked(folder: str) -> int:
    """Lock the log in a folder for this process, making the folder; close the descriptor to free it.

    Raises Trouble (OB629) where it cannot be written or another process writes it.
    """
    path = os.path.join(folder, LOCK)
    try:
        os.makedirs(folder, exist_ok=True)
        held = wiring.acquire(path)
    except OSError as error:
        raise unwritable(path, error) from error
    if held is None:
        raise Trouble(
            Diagnostic("OB629", f"another process writes the log (`{path}`)", help="do it again when it is done")
        )
    return held


def _latest(folder: str) -> Checkpoint | None:
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    sizes = [int(name.removesuffix(SUFFIX)) for name in names if name.endswith(SUFFIX) and name[0].isdecimal()]
    if not sizes:
        return None
    path = os.path.join(folder, f"{max(sizes)}{SUFFIX}")
    try:
        with open(path, "rb") as file:
            found = wiring.checkpoint_of(file.read())
    except (OSError, wiring.Unreadable) as error:
        raise _damaged(f"`{path}`: {error}") from error
    if found.size != max(sizes):
        raise _damaged(f"`{path}` is a checkpoint of {found.size}")
    return found


def _leaves(path: str, size: int) -> list[bytes]:
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        lines = []
    except OSError as error:
        raise _damaged(f"`{path}` cannot be read: {error.strerror}".lower()) from error
    if len(lines) < size:
        raise _damaged(f"`{path}` has {len(lines)} leaves, and its checkpoint {size}")
    return lines[:size]


def _head(leaf: bytes, number: int) -> dict[str, Any]:
    try:
        head = decode(leaf)
    except ValueError:
        head = None
    if not wiring.is_head(head) or encode(head) != leaf:
        raise _damaged(f"leaf {number} is no head of a run")
    found: dict[str, Any] = head
    return found


def _append(path: str, leaves: list[bytes], kept: int) -> None:
    """Append leaves behind those that are kept; what a broken-off checkpoint left behind them goes."""
    try:
        with open(path, "ab") as file:
            file.truncate(sum(len(leaf) + 1 for leaf in leaves[:kept]))
            file.writelines(leaf + b"\n" for leaf in leaves[kept:])
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise unwritable(path, error) from error


def _damaged(what: str) -> Refused:
    help = "restore the folder `checkpoints` of the data root; what others keep of its checkpoints stays good"
    return Refused([Diagnostic("OB623", f"the log does not hold: {what}", help=help)])
