"""Calls that leave the house, or that are given a secret: what their functions get besides the inputs.

A secret is named in the sealed template, so what is recorded of the inputs holds names alone, and where a secret stands
follows from the graph, never from what a payload says. The text comes into a copy of the inputs that only the function
sees. What it answers or raises must not show it: else it would be in the record for ever, and is refused as FAULT.
"""

from __future__ import annotations

from omnibachi_model.checks import link as link_check
from omnibachi_model.checks import listed
from omnibachi_model.faults import INPUT_MISFIT, SECRET_MISSING, SECRET_SHOWN
from omnibachi_model.named_secrets import NAMED, named_by, shown
from omnibachi_model.sealed import HOSTS, PROGRAMS

from .faults import Told
from .sites import Call, unnamed
from .templates import names_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from omnibachi_model.values import JSON

    from .sites import Ask, EventShape
    from .walk import Walk


def outer(
    function: Callable[..., Any],
    node: Mapping[str, Any],
    event: EventShape | None,
    declared: Mapping[str, JSON],
    only: Mapping[str, Callable[..., Any]],
) -> Ask:
    """Return what asks such a function; see `calls`."""
    store, hosts, programs = node["store"], tuple(node.get(HOSTS, ())), node.get(PROGRAMS, {})
    names = frozenset(named_by(node))
    template, check = node["with"], node["check"]
    fits = link_check(check) if check is not None and names_secret(template) else None

    def ask(run: Walk, path: str, inputs: dict[str, Any], deadline: int | None) -> Any:
        answer, got = only.get(path, function), set[str]()
        # What a scenario plays in its place is given no secret, nor is what only answers from a record.
        played = str(getattr(answer, "__module__", "")).partition(".")[0] == "omnibachi_runtime"
        earnest = bool(names) and run.secrets is not None and not played

        def secret(name: str) -> str:
            if name not in names:
                unnamed(name)
            text = run.secrets(name) if run.secrets is not None else None
            if not text or not _is_text(text):
                raise Told(SECRET_MISSING, secret=name)
            got.add(text)
            return text

        if earnest:
            inputs = _revealed(template, inputs, secret)
            misfits = fits(inputs) if fits is not None else None
            if misfits:
                raise Told(INPUT_MISFIT, violations=listed(misfits))
        call = Call(
            run.run_id, path, deadline, run.clock, run.entropy, event, hosts, declared, programs, run.cancelled, secret
        )
        kept = None
        if store is not None:
            assert run.journal is not None
            kept = run.journal.store(store)
        if not earnest:
            return answer(inputs, kept, call)
        try:
            found = answer(inputs, kept, call)
        except Told:
            raise
        except (Exception, SystemExit) as error:
            raise Told(SECRET_SHOWN) if _tells(error, got) else Told("", error) from None
        if shown(found, got):
            raise Told(SECRET_SHOWN)
        return found

    return ask


def _is_text(found: str) -> bool:
    """Tell whether what an environment holds is text: its bytes need not be UTF-8."""
    try:
        found.encode()
    except UnicodeEncodeError:
        return False
    return True


def _tells(error: BaseException, secrets: set[str]) -> bool:
    """Tell whether an exception shows a secret; one whose text cannot be had is not told anyway."""
    try:
        return shown([type(error).__qualname__, str(error)], secrets)
    except Exception:
        return False


def _revealed(template: Any, value: Any, secret: Callable[[str], str]) -> Any:
    """Return a value with the text of each secret where its template names it; the rest is not copied."""
    kind = template[0]
    if kind == "secret":
        assert value == {NAMED: template[1]}
        return secret(template[1])
    if not names_secret(template):
        return value
    if kind == "map":
        holding = {key: part for key, part in template[1].items() if names_secret(part)}
        return {**value, **{key: _revealed(part, value[key], secret) for key, part in holding.items()}}
    return [_revealed(part, item, secret) for part, item in zip(template[1], value, strict=True)]


def unrevealed(schema: dict[str, Any], template: Any) -> dict[str, Any]:
    """Return a schema of inputs that lets the names of secrets pass where their template has them: the texts are
    checked when they are there."""
    if template[0] == "secret":
        return {}
    if not names_secret(template):
        return schema
    made = {key: value for key, value in schema.items() if key not in ("const", "enum")}
    if template[0] == "list":
        return {**made, "items": {}}
    inner, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
    below = {
        key: unrevealed(inner.get(key, rest if isinstance(rest, dict) else {}), part)
        for key, part in template[1].items()
        if names_secret(part)
    }
    return {**made, "properties": {**inner, **below}}
