"""Sealing: everything checked becomes the bytes of a snapshot.

Each file is pretty canonical JSON; the manifest lists the SHA-256 of all of them, of every entry that others rely on
and of every source; its own digest is the seal. See docs/formats.md.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from omnibachi_model.addresses import split
from omnibachi_model.digests import digest, digest_of, pretty
from omnibachi_model.sealed import (
    DOMAIN_FORMAT,
    MANIFEST,
    POLICIES,
    PROGRAMS,
    SEAL,
    SNAPSHOT_FORMAT,
    VERSIONS,
    domain_file,
    origins_file,
    workflow_file,
)

from .bodies import Body
from .library import Library
from .lower import origins
from .phase import Implementation, Source

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A snapshot as bytes by relative path, and its seal."""

    files: Mapping[str, bytes]
    seal: str


@dataclass(frozen=True, slots=True)
class Written:
    """A workflow and its origins as they are sealed."""

    workflow: bytes
    origins: bytes


def seal(
    workflows: Mapping[str, Written],
    contracts: Mapping[str, Json],
    laws: Mapping[str, Json],
    policies: Mapping[str, Json],
    library: Library,
    sources: Iterable[Source],
    implementations: Mapping[str, Implementation],
    versions: Mapping[str, str],
) -> Sealed:
    """Write the snapshot of a workspace in which nothing is wrong: workflows as written, signatures, laws and policies
    as sealed."""
    files: dict[str, bytes] = {}
    manifest: Json = {
        "format": SNAPSHOT_FORMAT,
        "capabilities": {
            address: lock(capability.signature, implementations[address])
            for address, capability in library.capabilities.items()
        },
        "domains": {},
        "events": {address: digest_of(shape.schema) for address, shape in library.events.items()},
        "intents": {address: digest_of(shape.schema) for address, shape in library.intents.items()},
        "stores": {address: digest_of(store.sealed) for address, store in library.stores.items()},
        "contracts": {address: digest_of(signature) for address, signature in contracts.items()},
        "laws": {address: digest_of(law) for address, law in laws.items()},
        "sources": {source.path: digest(source.data) for source in sources},
        "workflows": {},
        **({POLICIES: {address: digest_of(pack) for address, pack in policies.items()}} if policies else {}),
    }
    for name, value in _domains(library, contracts, laws, policies).items():
        files[domain_file(name)] = pretty(value)
        manifest["domains"][name] = {"file": domain_file(name), "sha256": digest(files[domain_file(name)])}
    for address, written in sorted(workflows.items()):
        files[workflow_file(address)] = written.workflow
        files[origins_file(address)] = written.origins
        manifest["workflows"][address] = {
            "file": workflow_file(address),
            "sha256": digest(files[workflow_file(address)]),
            "origins": origins_file(address),
            "origins_sha256": digest(files[origins_file(address)]),
        }
    files[MANIFEST] = pretty(manifest)
    found = digest(files[MANIFEST])
    files[SEAL] = found.encode() + b"\n"
    files[VERSIONS] = pretty(dict(versions))
    return Sealed(files, found)


def written(body: Body, workflow: Json) -> Written:
    """Write a proven workflow that was lowered."""
    return Written(pretty(workflow), pretty(origins(body.checked, body.flat)))


def lock(signature: Json, implementation: Implementation) -> Json:
    """Return a capability's lock: what it promises, where its function is, and the bytes that it is made of."""
    return {
        "signature": digest_of(signature),
        "implementation": f"{implementation.module}:{implementation.function}",
        "modules": {name: digest(data) for name, data in implementation.modules.items()},
    }


def signatures(bodies: Mapping[str, Body]) -> dict[str, Json]:
    """Return what is sealed of the contracts among these bodies: what they take and what they give."""
    return {
        address: {"inputs": body.signature.inputs, "outcomes": dict(body.signature.outcomes)}
        for address, body in bodies.items()
        if body.checked.graph.intent is None
    }


def _domains(
    library: Library, contracts: Mapping[str, Json], laws: Mapping[str, Json], policies: Mapping[str, Json]
) -> dict[str, Json]:
    domains: dict[str, Json] = {
        name: {
            "format": DOMAIN_FORMAT,
            "domain": name,
            "hosts": sorted(host.text for host in domain.hosts),
            **({PROGRAMS: library.programs[name]} if library.programs.get(name) else {}),
            "summaries": {"": domain.summary},
            "intents": {},
            "events": {},
            "stores": {},
            "transforms": {},
            "operations": {},
            "contracts": {},
            "laws": {},
        }
        for name, domain in library.domains.items()
    }
    summaries: dict[str, str] = collections.defaultdict(str)
    for address, shape in library.intents.items():
        domains[split(address)[0]]["intents"][address] = shape.schema
        summaries[address] = shape.summary
    for address, shape in library.events.items():
        domains[split(address)[0]]["events"][address] = shape.schema
        summaries[address] = shape.summary
    for address, store in library.stores.items():
        domains[split(address)[0]]["stores"][address] = store.sealed
        summaries[address] = store.summary
    for address, capability in library.capabilities.items():
        kind = "transforms" if capability.governor is None else "operations"
        domains[split(address)[0]][kind][address] = capability.signature
        summaries[capability.governor or address] = capability.summary
    for address, body in library.bodies.items():
        summaries[address] = body.summary
    for address, signature in contracts.items():
        domains[split(address)[0]]["contracts"][address] = signature
    for address, law in laws.items():
        domains[split(address)[0]]["laws"][address] = law
        summaries[address] = library.invariants[address].summary
    for address, pack in policies.items():
        domains[split(address)[0]].setdefault(POLICIES, {})[address] = pack
        summaries[address] = library.policies[address].summary
    for address, text in summaries.items():
        if text:
            domains[split(address)[0]]["summaries"][address] = text
    return domains
