"""Packs of a snapshot: found by address or by the short name of one that ships, with the digest that binds it."""

from __future__ import annotations

from typing import Any

from omnibachi_model.addresses import split
from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import digest_of
from omnibachi_model.nearest import nearest, nearest_address
from omnibachi_model.sealed import POLICIES

from . import wiring
from .exits import FINDINGS

SHIPPED_PACKS = {
    "allow_all": "dbl::PL_ALLOW_ALL_V0",
    "deny_all": "dbl::PL_DENY_ALL_V0",
    "demo": "dbl::PL_DEMO_V0",
}


def in_force(snapshot: wiring.Snapshot, name: str) -> dict[str, Any]:
    """Return what a decision is made by: `{address, digest, pack, snapshot}` of a pack named by its address or short.

    Raises Refused: OB843 for a name that no pack has, OB602 where the pack is not the one that the manifest lists.
    """
    sealed = snapshot.manifest.get(POLICIES, {})
    address = SHIPPED_PACKS.get(name, name)
    if address not in sealed:
        near = nearest(name, SHIPPED_PACKS) or nearest_address(name, sealed)
        known = ", ".join(f"`{item}`" for item in sorted(sealed))
        advice = f"did you mean `{near}`?" if near else f"known: {known}" if known else "the snapshot has no policies"
        raise Refused([Diagnostic("OB843", f"no policy is called `{name}`", help=advice)], FINDINGS)
    pack = wiring.load_domain(snapshot, split(address)[0]).get(POLICIES, {}).get(address)
    if pack is None or digest_of(pack) != sealed[address]:
        message = f"`{address}` is not what the manifest says"
        raise Refused([Diagnostic("OB602", message, help="compile again, or restore the file")])
    return {"address": address, "digest": sealed[address], "pack": pack, "snapshot": snapshot.seal}


def summary_of(snapshot: wiring.Snapshot, address: str) -> str:
    """Return the one sentence that a policy says of itself."""
    return str(wiring.load_domain(snapshot, split(address)[0]).get("summaries", {}).get(address, ""))
