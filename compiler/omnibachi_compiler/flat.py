"""The flat form of a body: one list of steps with every use inlined, names where the sealed form has indices.

Every proven body (workflow or contract) is flattened once, by `inline`; who uses it takes its steps under a longer
name. Lowering numbers the steps of a workflow. A step is a node of docs/formats.md in the making:

- `name` is its sealed name inside this body: `read`, `license/read`, `mint_all[]/read`. The name `""` stands for the
  inputs (of a workflow: the payload) of the body itself, which whoever uses it keeps in the slot of an entry PASS.
- `sealed` has the members that need neither names nor templates (`kind`, `use`, `effect`, `outcomes`, `rows`, …).
- `templates` has the members that are made of templates, by name (`with`, `result`, `items`, `output`). In them a
  reference of scope `nodes` means the slot of the step of that name; `payload` and `inputs` mean the body's own;
  `each` never occurs: it is a reference to the slot of the loop's step, whose first segment is the item's name.
- `targets` is the sealed `next` with names. The target `FAULT` is the end of a crash that a contract leaves to its
  caller; a workflow has none.
- `of` is the name of the loop's step whose nested graph the step belongs to. `bodies` are the names with which the
  nested graphs of a loop's step begin: sealed as `body` (EACH, REPEAT) or `bodies` (ALL).
- An outcome of a contract or an exit of a workflow is a step of kind EXIT with the template `result`; inlined, it
  becomes a leaving PASS.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from omnibachi_model.diagnostics import Span
from omnibachi_model.sealed import EXIT, SILENT

from .frozen import dataclass
from .library import Capability, SealedStore, Shape
from .sorting import sorted_topologically
from .templates import First, Items, Merge, Perhaps, Record, Reference, Template

Json = dict[str, Any]
OWN = ""  # the name of the slot that holds a body's inputs


@dataclass(frozen=True, slots=True)
class Via:
    """A use through which a step came: the sealed name of the calling node, where that stands, and what it uses."""

    node: str
    span: Span
    use: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a step was declared: `place` as origins say it, `span` of its name; `via` the uses, innermost first."""

    span: Span
    place: Mapping[str, Any]
    via: tuple[Via, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """What a call works with: its capability, its store and its event."""

    capability: Capability
    store: SealedStore | None
    event: Shape | None


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the flat form; see the module."""

    name: str
    sealed: Mapping[str, Any]
    templates: Mapping[str, Template]
    targets: Mapping[str, str]
    origin: Origin
    of: str | None = None
    bodies: tuple[str, ...] = ()
    parts: Parts | None = None  # of a call
    takes: Json | None = None  # of an entry PASS: the schema of the inputs

    @property
    def kind(self) -> str:
        """Its kind, as sealed."""
        return str(self.sealed["kind"])

    @property
    def visible(self) -> bool:
        """Whether it is a node that runs speak of: neither silent nor an exit."""
        return self.kind not in SILENT and self.kind != "EXIT"


@dataclass(frozen=True, slots=True)
class Note:
    """A place that is checked when run: the step that it belongs to, where it stands, and why."""

    name: str
    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Flat:
    """A body with everything that it uses laid in, its steps in the order of their numbers.

    `notes` are its places that are checked when run, `files` all that it is made of, `size` is the number of its
    visible nodes, `depth` how deep its uses are nested.
    """

    address: str
    start: str
    steps: tuple[Step, ...]
    notes: tuple[Note, ...]
    files: frozenset[str]
    size: int
    depth: int


def rewritten(template: Template, change: Callable[[Reference], Template]) -> Template:
    """Return a template in which every reference is what `change` makes of it."""
    if isinstance(template, Reference):
        return change(template)
    if isinstance(template, Record):
        entries = tuple((key, rewritten(value, change)) for key, value in template.entries)
        return Record(entries, template.span, template.keys)
    if isinstance(template, Items):
        return Items(tuple(rewritten(item, change) for item in template.items), template.span)
    if isinstance(template, First):
        return First(tuple(rewritten(item, change) for item in template.alternatives), template.span)
    if isinstance(template, Perhaps):
        return Perhaps(rewritten(template.value, change), template.span)
    if isinstance(template, Merge):
        return Merge(tuple(rewritten(item, change) for item in template.records), template.span)
    return template


def calls(steps: tuple[Step, ...]) -> Iterator[Parts]:
    """Yield what each call of a flat body works with."""
    return (step.parts for step in steps if step.parts is not None)


def ordered(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Put steps in the order of their numbers, so that every edge leads forward: nodes before exits where both may
    come, then by name; what is inside a loop stands right behind it."""
    inside: dict[str | None, list[Step]] = collections.defaultdict(list)
    for step in steps:
        inside[step.of].append(step)
    found: list[Step] = []
    waiting = _sorted(inside[None])[::-1]
    while waiting:
        step = waiting.pop()
        found.append(step)
        if step.name in inside:
            waiting.extend(_sorted(inside[step.name])[::-1])
    return tuple(found)


def _sorted(steps: Iterable[Step]) -> list[Step]:
    """Sort the steps of one level, no loop's insides among them, topologically."""
    by_name = {step.name: step for step in steps}
    # The end of a crash that a contract leaves to its caller is no step.
    edges = {name: [to for to in step.targets.values() if to in by_name] for name, step in by_name.items()}
    exits = [name for name, step in by_name.items() if step.kind == EXIT]
    return [by_name[name] for name in sorted_topologically(edges, last=exits)]
