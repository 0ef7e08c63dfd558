"""The pages of the shipped domains, made from their snapshot: what each workflow is asked for, where it may end, which
laws it keeps, and its picture.

`python -m omnibachi.domain_pages DIR` writes them all (for docs/domains/), and a test holds the written ones to what is
made here. A page says which drawing its pictures are of, so that an old picture is told without drawing it anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

from omnibachi_model.addresses import split
from omnibachi_model.digests import digest, encode
from omnibachi_model.sealed import EXIT

from . import wiring
from .outline import withheld_places
from .workspace import Workspace

INDEX = "README.md"


def pages(workspace: Workspace) -> dict[str, str]:
    """Return all pages as Markdown by their name: one of each domain, and the index. Raises Refused."""
    snapshot = workspace.load()
    workflows = {address: wiring.load_workflow(snapshot, address, workspace.capabilities.source).workflow
                 for address in snapshot.workflows}  # fmt: skip
    made: dict[str, str] = {}
    index = ["# The shipped domains", "Made from the sealed snapshot: what can happen, and nothing else."]
    for name in sorted(snapshot.manifest["domains"]):
        domain = wiring.load_domain(snapshot, name)
        own = [address for address in sorted(workflows) if split(address)[0] == name]
        summary = domain["summaries"].get("", "")
        index.append(f"- [{name}]({name}.md): {summary} {len(own)} workflows.")
        parts = [f"# {name}", summary, *_contents(own), *_stores(domain), *_capabilities(domain)]
        for address in own:
            origins = wiring.load_origins(snapshot, address) or {}
            parts += _workflow(workflows[address], origins, domain)
        parts += _laws(domain)
        parts += _policies(domain)
        made[f"{name}.md"] = "\n\n".join(part for part in parts if part) + "\n"
    made[INDEX] = "\n\n".join([*index[:2], "\n".join(index[2:])]) + "\n"
    return made


def drawing(workflow: dict[str, Any]) -> str:
    """Return the DOT text of a workflow's picture."""
    return wiring.dot(workflow)


def _contents(addresses: list[str]) -> list[str]:
    return ["\n".join(f"- [{split(item)[1]}](#{split(item)[1].lower()})" for item in addresses)] if addresses else []


def _stores(domain: dict[str, Any]) -> list[str]:
    stores = domain["stores"]
    if not stores:
        return []
    rows = ["| store | keeps | |", "|---|---|---|"]
    for address, store in sorted(stores.items()):
        more = [word for word in ("seed", "evidence") if store.get(word)]
        told = domain["summaries"].get(address, "") + (f" ({', '.join(more)})" if more else "")
        rows.append(f"| `{split(address)[1]}` | {store['keeps']} | {_cell(told)} |")
    return ["## Stores", "\n".join(rows)]


def _capabilities(domain: dict[str, Any]) -> list[str]:
    transforms = dict.fromkeys(domain["transforms"], "PURE")
    found = transforms | {address: item["effect"] for address, item in domain["operations"].items()}
    if not found:
        return []
    rows = ["| capability | class | outcomes | |", "|---|---|---|---|"]
    for address, effect in sorted(found.items()):
        declared = domain["transforms"].get(address) or domain["operations"][address]
        outcomes = ", ".join(f"`{outcome}`" for outcome in declared["outcomes"])
        told = domain["summaries"].get(address) or domain["summaries"].get(address.partition(".")[0], "")
        rows.append(f"| `{split(address)[1]}` | {effect} | {outcomes} | {_cell(told)} |")
    return ["## Capabilities", "\n".join(rows)]


def _workflow(workflow: dict[str, Any], origins: dict[str, Any], domain: dict[str, Any]) -> Iterator[str]:
    address = workflow["address"]
    name = split(address)[1]
    yield f"## {name}"
    yield f"{origins.get('summary', '')} Declared in [{origins['file']}](../../{origins['file']})."
    yield f"![Every node of {name}, and where its outcomes lead]({split(address)[0]}/{name}.svg)"
    yield f"<!-- drawn from {digest(drawing(workflow).encode())} -->"
    yield "\n".join(["| asked for | |", "|---|---|", *_members(workflow["payload"])])
    secret = withheld_places(workflow["payload"])
    if secret:
        yield f"Withheld from every record: {', '.join(f'`{path}`' for path in secret)}."
    yield "\n".join(["| ends at | status | gives |", "|---|---|---|", *_exits(workflow)])
    bounds = workflow["bounds"]
    effects = ", ".join(f"{count} {kind}" for kind, count in sorted(bounds["effects"].items()))
    most = f" or has more effects than {effects}" if effects else ""
    yield f"No run visits more than {bounds['visits']} nodes{most}."
    laws = [f"`{split(law)[1]}`" for law in sorted(workflow.get("laws", {}))]
    if laws:
        yield f"Keeps {', '.join(laws)}."


def _members(schema: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield a row for each member of a record, and for those of what is in it."""
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        told = _kind(inner)
        if "default" in inner:
            told += f", else `{encode(inner['default']).decode()}`"
        elif name not in required:
            told += ", optional"
        yield f"| `{above}{name}` | {_cell(told)} |"
        yield from _members(inner, f"{above}{name}.")
        yield from _members(inner.get("items", {}), f"{above}{name}[].")


def _kind(schema: dict[str, Any]) -> str:
    """Say the type of a member in a few words."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "any value")
    told = kind if isinstance(kind, str) else " or ".join(kind)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None or high is not None:
        told += (
            f" from {low} to {high}" if None not in (low, high) else f" from {low}" if high is None else f" to {high}"
        )
    if "pattern" in schema:
        told += f" like `{schema['pattern']}`"
    return told


def _exits(workflow: dict[str, Any]) -> Iterator[str]:
    for node in sorted(
        (node for node in workflow["nodes"] if node["kind"] == EXIT), key=lambda node: str(node["name"])
    ):
        result = node["result"]
        made = result[1] if result[0] == "map" else result[1] if result[0] == "lit" else {}
        gives = "the violations" if node["name"] == "rejected" else ", ".join(f"`{key}`" for key in made)
        yield f"| `{node['name']}` | {node['status']} | {gives} |"


def _laws(domain: dict[str, Any]) -> list[str]:
    laws = domain["laws"]
    if not laws:
        return []
    listed = [f"- `{split(law)[1]}`: {domain['summaries'].get(law, '')}" for law in sorted(laws)]
    return ["## Laws", "\n".join(listed)]


def _policies(domain: dict[str, Any]) -> list[str]:
    policies = domain.get("policies", {})
    listed = [f"- `{split(policy)[1]}`: {domain['summaries'].get(policy, '')}" for policy in sorted(policies)]
    return ["## Policies", "\n".join(listed)] if listed else []


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def write(workspace: Workspace, folder: str) -> None:
    """Write all pages and draw all pictures; raises Refused, PictureFailed and OSError."""
    os.makedirs(folder, exist_ok=True)
    for name, text in pages(workspace).items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    snapshot = workspace.load()
    for address in snapshot.workflows:
        workflow = wiring.load_workflow(snapshot, address, workspace.capabilities.source).workflow
        domain, name = split(address)
        os.makedirs(os.path.join(folder, domain), exist_ok=True)
        with open(os.path.join(folder, domain, f"{name}.svg"), "wb") as picture:
            picture.write(wiring.render(drawing(workflow), "svg"))


if __name__ == "__main__":
    write(Workspace.find(), sys.argv[1])
