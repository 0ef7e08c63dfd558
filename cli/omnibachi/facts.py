"""Facts: records that stand in a store before any run speaks of them, such as who is an operator.

They come from a file (`omnibachi data load`) or from a scenario (`given: stores:`, `load:`), in one form and through
one door: `admitted` checks all of them, then the ledger puts them in, all or none. History cannot be planted: only
stores that say `seed: true` and are governed by `std::CS_RECORDS_V0` take facts. A file is named by its path, or, where
it ships with a domain, as `<domain>/<name>`: `protocols/<domain>/seeds/<name>.json`.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnibachi_model.addresses import DOMAIN, NAME
from omnibachi_model.checks import link, listed
from omnibachi_model.diagnostics import Diagnostic, Refused, Span
from omnibachi_model.digests import digest
from omnibachi_model.formats import write_time
from omnibachi_model.nearest import nearest
from omnibachi_model.values import MAX_PAYLOAD_BYTES, Outside, admit, pointer, read

from . import wiring
from .calling import store_of
from .clocks import SystemClock
from .exits import FINDINGS
from .results import LoadResult

if TYPE_CHECKING:
    from omnibachi_model.checks import Check

SEED_FORMAT = "omnibachi.seed/1"
GOVERNOR = "std::CS_RECORDS_V0"
FOLDER = "seeds"
SUFFIX = ".json"

Facts = dict[str, dict[str, dict[str, Any]]]


def load_file(snapshot: wiring.Snapshot, roots: Sequence[str], file: str, data_root: str) -> LoadResult:
    """Load the facts of a file, or of a seed that ships in the `protocols/` of one of `roots`, into a data root.

    Raises Refused (OB303, OB760 to OB763) when anything is wrong with them, before the data root is touched, and
    Trouble when the data root cannot take them; nothing is loaded then.
    """
    path = _path(roots, file)
    data = _bytes(roots, path, file)
    facts = admitted(snapshot, _stores(data, file))
    file_digest = digest(data)
    with wiring.open_root(data_root) as ledger:
        warnings = ledger.warnings
        number, counts = ledger.load(
            facts, file_digest=file_digest, seal=snapshot.seal, at=write_time(SystemClock().now_ns())
        )
    return LoadResult(
        0,
        path,
        file_digest=file_digest,
        number=number,
        loaded={address: count["loaded"] for address, count in counts.items()},
        unchanged={address: count["unchanged"] for address, count in counts.items()},
        diagnostics=warnings,
    )


def admitted(snapshot: wiring.Snapshot, stores: Mapping[str, Any], span: Span | None = None) -> Facts:
    """Check facts, {address of a store: {key: record}}, and return them.

    Raises Refused with everything that is wrong, at `span`: OB303 for an unknown store, OB763 for one that takes no
    facts, OB762 for each place of a record that does not fit, by JSON Pointer into {"stores": …}.
    """
    found: list[Diagnostic] = []
    facts: Facts = {}
    for address, records in stores.items():
        try:
            store = store_of(snapshot, address)
        except Refused as refused:
            if refused.exit_code != FINDINGS:
                raise
            found += [Diagnostic(item.code, item.message, span, help=item.help) for item in refused.diagnostics]
            continue
        reason = _closed(store)
        if reason is not None:
            found.append(Diagnostic("OB763", f"`{address}` takes no facts: {reason[0]}", span, help=reason[1]))
            continue
        check = link(store["record"])
        facts[address] = {}
        for key, record in records.items():
            wrong = [Diagnostic("OB762", text, span) for text in _misfits(("stores", address, key), record, check)]
            found += wrong
            if not wrong:
                facts[address][key] = record
    if found:
        raise Refused(found, FINDINGS)
    return facts


def _closed(store: Mapping[str, Any]) -> tuple[str, str] | None:
    """Say why a store takes no facts and what to do, or None for one that does."""
    if store["governed_by"] != GOVERNOR:
        return f"it is governed by `{store['governed_by']}`", f"only stores of `{GOVERNOR}` take facts"
    if not store["seed"]:
        return "it is not declared `seed: true`", "declare the store so, or let a workflow write the records"
    return None


def _misfits(at: tuple[str, ...], record: Any, check: Check) -> Iterator[str]:
    """Yield a message for each place of the record at `at` that does not fit."""
    try:
        admit({at[-1]: None})
        plain = admit(record)
    except Outside as outside:
        yield f"`{pointer(at)}{outside.pointer}`: {outside.reason}"
        return
    if type(plain) is not dict:
        yield f"`{pointer(at)}` is no object"
        return
    for item in listed(check(plain) or []):
        yield f"`{pointer(at)}{item['pointer']}` breaks `{item['keyword']}`"


def _stores(data: bytes, file: str) -> dict[str, dict[str, Any]]:
    """Read the stores of a file of facts; raises Refused (OB761) for what is not of the format."""
    try:
        value = read(data)
    except Outside as outside:
        raise _malformed(f"`{file}`: {outside.reason}") from None
    if type(value) is not dict:
        raise _malformed(f"`{file}` holds no object")
    if value.get("schema") != SEED_FORMAT:
        raise _malformed(f'`{file}` does not say `"schema": "{SEED_FORMAT}"`')
    for key in sorted(value.keys() - {"schema", "stores"}):
        raise _malformed(f"`{file}`: `{pointer([key])}` is not known; besides `schema` there is `stores`")
    stores: Any = value.get("stores")
    if type(stores) is not dict:
        raise _malformed(f"`{file}`: `/stores` is no object")
    for address, records in stores.items():
        if type(records) is not dict:
            raise _malformed(f"`{file}`: `{pointer(['stores', address])}` is no object")
    return stores


def _malformed(message: str) -> Refused:
    help = f'write {{"schema": "{SEED_FORMAT}", "stores": {{"shop::ST_X_V0": {{"key": {{…}}}}}}}}'
    return Refused([Diagnostic("OB761", message, help=help)], FINDINGS)


def _path(roots: Sequence[str], file: str) -> str:
    """Return the path of a file of facts: the file itself, or the seed of that name."""
    domain, _, name = file.partition("/")
    if DOMAIN.match(domain) and NAME.match(name) and not os.path.isfile(file):
        for root in roots:
            path = os.path.join(root, "protocols", domain, FOLDER, name + SUFFIX)
            if os.path.isfile(path):
                return path
    return file


def _seeds(roots: Sequence[str]) -> list[str]:
    """Return the names of all seeds that ship."""
    found = []
    for root in roots:
        for path in glob.glob(os.path.join(glob.escape(root), "protocols", "*", FOLDER, f"*{SUFFIX}")):
            folder, name = os.path.split(path)
            found.append(f"{os.path.basename(os.path.dirname(folder))}/{name.removesuffix(SUFFIX)}")
    return found


def _bytes(roots: Sequence[str], path: str, file: str) -> bytes:
    try:
        with open(path, "rb") as opened:
            data = opened.read(MAX_PAYLOAD_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        near = nearest(file, _seeds(roots))
        help = f"did you mean `{near}`?" if near else "check the path"
        raise _unreadable(f"`{file}` cannot be read: {reason}", help) from None
    if len(data) > MAX_PAYLOAD_BYTES:
        raise _unreadable(f"`{file}` is larger than {MAX_PAYLOAD_BYTES >> 20} MiB", "load it in parts")
    return data


def _unreadable(message: str, help: str) -> Refused:
    return Refused([Diagnostic("OB760", message, help=help)], FINDINGS)
