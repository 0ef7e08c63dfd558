"""What is told about the name under the cursor: its type, who gives it, whether it is there, where it leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from omnibachi_compiler.binding import RUN, describe
from omnibachi_compiler.facts import Fact, path_without, walk
from omnibachi_compiler.fits import Presence
from omnibachi_compiler.marks import MARKS
from omnibachi_model.digests import encode

from .bodies import Surveyed, surveyed_at
from .calls import call_at
from .offered import ALWAYS, OPTIONAL, item_of
from .references import Artifact, artifact_at, node_at, path_at
from .roles import GRAPHS, keys_at
from .scan import Path
from .spots import Open, Project, Spot, spot_at

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A few lines of Markdown about the text from `start` to `end`."""

    text: str
    start: int
    end: int


def hover(project: Project, opened: Open, offset: int) -> Told | None:
    """Tell what stands at an offset; None where nothing is known about it."""
    spot = spot_at(opened, offset)
    if spot is None:
        return None
    lines = _lines(project, opened, spot)
    return Told("\n\n".join(lines), spot.token.start, spot.token.end) if lines else None


def _lines(project: Project, opened: Open, spot: Spot) -> list[str]:
    artifact = artifact_at(project, opened, spot)
    if artifact is not None:
        return _artifact(_inferred(artifact, project, opened, spot))
    token, path = spot.token, path_at(spot)
    if path is not None:
        surveyed = surveyed_at(project, opened, token.document)
        return _reading(surveyed, str(token.path[1]), path, token.text) if surveyed else []
    node = node_at(opened, spot)
    if node is not None:
        surveyed = surveyed_at(project, opened, token.document)
        return _node(surveyed, node) if surveyed and node in surveyed.graph.nodes else []
    if token.key and token.path[-2:-1] == ("next",) and spot.kind in GRAPHS:
        return _outcome(project, opened, spot)
    if spot.role == "target":
        return _end(project, opened, spot)
    if token.key:
        return _input(project, opened, spot) or _key(spot.kind, token.path)
    return []


def _inferred(artifact: Artifact, project: Project, opened: Open, spot: Spot) -> Artifact:
    """Return a contract or a workflow with the types that were proven of what its outcomes give."""
    token = spot.token
    if artifact.kind != "use" or artifact.item.kind not in GRAPHS or token.path[:1] != ("nodes",):
        return artifact
    surveyed = surveyed_at(project, opened, token.document)
    linked = surveyed.graph.nodes.get(str(token.path[1])) if surveyed else None
    bodies = [call.body for call in (linked, *linked.calls) if call.body is not None] if linked else []
    if not bodies:
        return artifact
    return replace(artifact, item=replace(artifact.item, outcomes=bodies[0].outcomes))


def _artifact(artifact: Artifact) -> list[str]:
    item = artifact.item
    head = f"**{artifact.address}**"
    if artifact.kind == "use":
        effect = f", {item.effect}" if item.effect else ""
        needs = f", needs {' and '.join(sorted(item.needs))}" if item.needs else ""
        given = [f"- `{name}`: {text}" for name, text in _fields(item.inputs).items()]
        gives = [f"- `{outcome}`{_listed(schema)}" for outcome, schema in item.outcomes.items()]
        parts = ["\n".join(["takes", *given]) if given else "takes nothing", "\n".join(["gives", *gives])]
        return [f"{head} ({item.kind}{effect}{needs})", item.summary, *parts]
    said = [item.summary] if item.summary else []
    if artifact.kind == "store":
        said.append(f"governed by `{item.governed_by}`")
        said += _accounts(item.rules) if item.keeps == "accounts" else [f"record: {describe(item.record)}"]
    elif artifact.kind in ("event", "intent", "schema"):
        words = {"event": "record", "intent": "payload", "schema": "is"}
        said.append(f"{words[artifact.kind]}: {describe(item.schema)}")
    elif artifact.kind == "workflow":
        said.append("ends in " + ", ".join(f"`{leaving.name.text}`" for leaving in item.exits))
    return [f"{head} ({artifact.kind.replace('_', ' ')})", *said]


def _accounts(rules: Mapping[str, Any]) -> list[str]:
    """Say what a store declares of its accounts."""
    said = [
        f"{title} {', '.join(f'`{name}`' for name in rules[key])}"
        for key, title in (("overdraft", "may go below zero:"), ("opened", "there from the start:"))
        if key in rules
    ]
    return said + ["receiving opens an account"] * ("open_on_receipt" in rules)


def _fields(schema: Schema) -> dict[str, str]:
    """Say of each field of an object schema what it is, and whether it must be given."""
    required = set(schema.get("required", ()))
    found: dict[str, str] = {}
    for name, inner in schema.get("properties", {}).items():
        text = describe(inner) + "".join(f", {mark}" for mark in MARKS if inner.get(mark))
        if "default" in inner:
            text += f", default `{encode(inner['default']).decode()}`"
        elif name not in required:
            text += ", optional"
        found[name] = text
    return found


def _listed(schema: Mapping[str, Any]) -> str:
    fields = _fields(dict(schema))
    return ": " + "; ".join(f"`{name}` {text}" for name, text in fields.items()) if fields else ""


def _reading(surveyed: Surveyed, reader: str, path: Path, text: str) -> list[str]:
    """Tell of a path its type, whether it is there, and which outcomes of which node give it."""
    graph, scope = surveyed.graph, path[0] if path else ""
    if scope == "nodes" and len(path) > 1:
        return _from_node(surveyed, reader, ("nodes", str(path[1]), path[2:]), text)
    schema: Schema | None = None
    where = ""
    if scope == graph.scope:
        schema, where = graph.inputs, f"of the intent `{graph.intent.address}`" if graph.intent else "of the contract"
    elif scope == "run":
        schema = {"type": "object", "properties": RUN, "required": list(RUN)}
    elif scope == "each" and (item := item_of(surveyed, reader)):
        schema = {"type": "object", "properties": {item[0]: item[1]}, "required": [item[0]]}
    if schema is None:
        return []
    inner, presence = walk(schema, path[1:])
    if presence is Presence.NEVER:
        return [f"`{text}`", "leads nowhere"]
    return [f"`{text}`: {describe(inner)}", *([where] if where else []), _sure(presence)]


def _sure(presence: Presence) -> str:
    return ALWAYS if presence is Presence.ALWAYS else OPTIONAL


def _from_node(surveyed: Surveyed, reader: str, fact: Fact, text: str) -> list[str]:
    facts, node = surveyed.facts, str(fact[1])
    if node not in surveyed.graph.nodes or reader not in facts.position:
        return []
    found = facts.type_of(reader, fact)
    givers: list[str] = []
    for outcome, schema in surveyed.outcomes(node).items():
        presence = walk(schema, fact[2])[1]
        target = surveyed.graph.nodes[node].targets.get(outcome)
        leads = target is not None and facts.reach[target] & (1 << facts.position[reader])
        if presence is not Presence.NEVER and leads:
            givers.append(f"- `{node} {outcome}`" + ("" if presence is Presence.ALWAYS else f", {OPTIONAL}"))
    lines = [f"`{text}`: {describe(found) if found is not None else 'not known here'}"]
    lines.append("\n".join(["given by", *givers]) if givers else "nothing on the way here gives it")
    presences = surveyed.presences(reader, [fact])
    presence = presences.get(fact, Presence.NEVER)
    if not presences:
        lines.append(f"no path leads to `{reader}` yet")
    elif presence is not Presence.NEVER:
        lines.append(_sure(presence))
    elif fact in facts.index:
        lines.append("not given on the path " + " → ".join(path_without(facts, reader, (fact,))))
    return lines


def _node(surveyed: Surveyed, name: str) -> list[str]:
    linked = surveyed.graph.nodes[name]
    what = linked.capability.address if linked.capability else linked.body.address if linked.body else ""
    kind = type(linked.declaration).__name__.lower()
    ways = [f"- `{outcome}` → `{target}`" for outcome, target in linked.targets.items()]
    return [f"node **{name}**" + (f": `{what}`" if what else f" ({kind})"), "\n".join(ways)]


def _outcome(project: Project, opened: Open, spot: Spot) -> list[str]:
    """Tell where an outcome leads and what it gives."""
    token = spot.token
    target = opened.value(token.document, token.path)
    lines = [f"outcome `{token.text}`" + (f" leads to `{target}`" if target else "")]
    surveyed = surveyed_at(project, opened, token.document) if token.path[0] == "nodes" else None
    if surveyed is not None:
        schema = surveyed.outcomes(str(token.path[1])).get(token.text)
        given = _listed(schema) if schema is not None else ""
        lines.append(f"gives{given}" if given else "gives nothing that can be read")
    return lines


def _end(project: Project, opened: Open, spot: Spot) -> list[str]:
    """Tell what an exit's status is, or what an outcome of a contract gives."""
    token = spot.token
    status = opened.value(token.document, ("exits", token.text, "status"))
    surveyed = surveyed_at(project, opened, token.document)
    ending = surveyed.graph.exits.get(token.text) if surveyed else None
    if ending is None:
        return []
    fields = ", ".join(f"`{name}`" for name, _ in ending.result.entries)
    what = "exit" if spot.kind == "workflow" else "outcome"
    return [f"{what} `{token.text}`" + (f": {status or ending.status}" if spot.kind == "workflow" else ""),
            *([f"gives {fields}"] if fields else [])]  # fmt: skip


def _input(project: Project, opened: Open, spot: Spot) -> list[str]:
    """Tell what is asked for an input that a `with` binds."""
    path = spot.token.path
    owner = path[:2] if path[2:3] == ("with",) else path[:4] if path[2:3] == ("all",) else None
    if owner is None or len(path) != len(owner) + 2 or path[len(owner)] != "with":
        return []
    call = call_at(project, opened, spot.token.document, owner)
    text = _fields(call.inputs).get(spot.token.text) if call else None
    return [f"`{spot.token.text}`: {text}", f"an input of `{call.address}`"] if text and call else []


def _key(kind: str, path: Path) -> list[str]:
    """Tell what a key of the language is for, and how its value is written."""
    schema = keys_at(kind, path[:-1]).get(str(path[-1]))
    if schema is None or "title" not in schema:
        return []
    examples = [f"`{item}`" for item in schema.get("examples", ())]
    return [f"`{path[-1]}`: {schema['title']}", *([f"such as {' or '.join(examples)}"] if examples else [])]
