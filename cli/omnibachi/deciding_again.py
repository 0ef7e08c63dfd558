"""Replay of ledgers of decisions: every DECISION of a data root, or of an export, made again and compared.

A ledger is verified on the way, event by event; held are one event and the intents that are not yet decided. The packs
are those of a snapshot by their digests, else, of a data root, those that the journal's runs were given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from omnibachi_model.addresses import split
from omnibachi_model.diagnostics import Diagnostic, has_errors
from omnibachi_model.digests import decode, digest_of, encode
from omnibachi_model.sealed import POLICIES

from . import wiring
from .ledgers import is_data_root, judged_export, judged_root
from .mishaps import shown

if TYPE_CHECKING:
    from .wiring import Again, Ledger, Snapshot

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Redecided:
    """What a replay found: of each ledger what `verify` says of it, how many `decisions`, how many of them `differing`
    and `turned` (another verdict), `kept` as they were recorded by reason, `untold` by the digest of a pack that is not
    at hand."""

    ledgers: tuple[Json, ...]
    diagnostics: tuple[Diagnostic, ...]
    found: IO[bytes]

    @property
    def same(self) -> bool:
        """Whether every DECISION came out as it was recorded."""
        return not has_errors(self.diagnostics)

    def differences(self) -> Iterator[bytes]:
        """Give each difference as canonical JSON: `{store, correlation_id, field, old, new}`."""
        self.found.seek(0)
        return (line.rstrip(b"\n") for line in self.found)

    @property
    def divergence(self) -> Json | None:
        """The first difference, in the words of a run's replay."""
        first = next(self.differences(), None)
        if first is None:
            return None
        item = decode(first)
        names = {"path": "correlation_id", "field": "field", "recorded": "old", "recomputed": "new"}
        return {name: item[of] for name, of in names.items()}


class _Retelling:
    """Shows the events of ledgers to one `Again` each, and writes down what differs."""

    def __init__(self, find: Callable[[str, Any], Json | None], policy: Json | None, found: IO[bytes]) -> None:
        self.told: dict[str | None, Again] = {}
        self.found = found
        self._starts: dict[str | None, int] = {}
        self._find = find
        self._policy = policy

    def watching(self, store: str | None) -> Callable[[Json], None]:
        """Begin a ledger, or begin it anew."""
        self.found.seek(self._starts.setdefault(store, self.found.tell()))
        self.found.truncate()
        again = self.told[store] = wiring.Again(self._find, self._policy)

        def take(event: Json) -> None:
            for item in again.take(event):
                self.found.write(encode({**item, "store": store}) + b"\n")

        return take


def replay_decisions(target: str, snapshot: Snapshot, policy: Json | None, file: IO[bytes]) -> Redecided:
    """Decide again what the ledgers of a data root, or the export of one, tell: each DECISION under the pack that made
    it, or all under `policy` (`packs.in_force`). What differs is written into `file`, which is empty.

    Found are OB821 for what does not hold, OB824 where there is nothing, OB825 for what differs, OB826 for packs that
    nobody has. Raises Trouble, and Refused where an export cannot be read (OB742) or a pack of the snapshot (OB602).
    """
    if is_data_root(target):
        with wiring.open_root(target, reading=True) as journal:
            retelling = _Retelling(_finder(snapshot, journal), policy, file)
            _, verdicts, _, found = judged_root(target, None, retelling.watching)
    else:
        retelling = _Retelling(_finder(snapshot, None), policy, file)
        _, verdicts, _, found = judged_export(target, None, retelling.watching)
    ledgers = []
    for verdict in verdicts:
        again = retelling.told.get(verdict.store)
        names = ("decisions", "differing", "turned", "kept", "untold") if again is not None else ()
        ledgers.append({**verdict.as_json(), **{name: getattr(again, name) for name in names}})
    result = Redecided(tuple(ledgers), (), file)
    found += _told(result, wiring.shown_root(target), policy)
    return Redecided(result.ledgers, tuple(found), result.found)


def _finder(snapshot: Snapshot, journal: Ledger | None) -> Callable[[str, Any], Json | None]:
    """Return what finds a pack by its digest: in the snapshot, else in the run that recorded the INTENT."""
    sealed = {digest: address for address, digest in snapshot.manifest.get(POLICIES, {}).items()}
    known: dict[str, Json] = {}

    def find(digest: str, intent: Any) -> Json | None:
        if digest not in known:
            pack = None
            if digest in sealed:
                address = sealed[digest]
                pack = wiring.load_domain(snapshot, split(address)[0]).get(POLICIES, {}).get(address)
            elif journal is not None:
                pack = _given(journal, intent["obs"].get("trace_id"))
            if not isinstance(pack, dict) or digest_of(pack) != digest:
                return None
            known[digest] = pack
        return known[digest]

    return find


def _given(journal: Ledger, run: Any) -> Any:
    """Return the pack that a run was given, if it was given one."""
    events = journal.events(run) if isinstance(run, str) else []
    try:
        return decode(events[0][1])["payload"]["boundary"]["policy"]["pack"] if events else None
    except (ValueError, KeyError, TypeError):
        return None


def _told(found: Redecided, target: str, policy: Json | None) -> list[Diagnostic]:
    """Say in one sentence each what differs, and what could not be told."""
    told = []
    total, differing, turned = (
        sum(item.get(name, 0) for item in found.ledgers) for name in ("decisions", "differing", "turned")
    )
    if differing and policy is not None:
        message = f"{differing} of {total} decisions of `{target}` come out otherwise under `{policy['address']}`"
        help = "this is what the other pack would change; the difference is told member by member"
        told.append(Diagnostic("OB825", f"{message}, {turned} with another verdict", help=help))
    elif differing:
        first = found.divergence or {}
        where = f"the first is {shown(first['path'])}: `{first['field']}` is recorded as {shown(first['recorded'])}"
        message = f"{differing} of {total} decisions of `{target}` come out otherwise; {where}"
        told.append(Diagnostic("OB825", f"{message}, and comes out as {shown(first['recomputed'])}"))
    untold = [item for ledger in found.ledgers for item in ledger.get("untold", {}).items()]
    if untold:
        count, (digest, _) = sum(number for _, number in untold), untold[0]
        message = f"{count} of {total} decisions of `{target}` were made by packs that are not at hand, as `{digest}`"
        told.append(Diagnostic("OB826", message))
    return told
