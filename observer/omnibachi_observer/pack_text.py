"""A sealed pack for people: each gate as one line of text, for pages and for `show`."""

from __future__ import annotations

from typing import Any

from .expression_text import expression, literal


def gate(sealed: dict[str, Any]) -> str:
    """Write a gate of a sealed pack as one line; what is no gate by its JSON."""
    kind = next((key for key in sealed if key != "because"), "")
    content: Any = sealed.get(kind)
    if kind == "require":
        return f"{content} is given"
    if kind == "absent":
        return f"{content} is missing"
    if kind == "match":
        return _all(f"{fact} is {literal(value)}" for fact, value in content.items())
    if kind == "one_of":
        return _all(f"{fact} is one of {', '.join(map(literal, values))}" for fact, values in content.items())
    if kind == "bound":
        return _all(f"{fact} is {_bound(bound)}" for fact, bound in content.items())
    if kind == "when":
        return expression(content)
    if kind == "any_of":
        return " or ".join(f"({gate(one)})" if len(content) > 1 else gate(one) for one in content)
    if kind == "not":
        return f"not ({gate(content)})"
    return "nothing passes" if kind == "deny" else literal(sealed)


def pack_outline(address: str, pack: dict[str, Any], summary: str, digest: str) -> list[str]:
    """Write a sealed pack as lines of text."""
    lines = [address, *([summary] if summary else []), "", f"digest  {digest}", "", "gates, in this order"]
    gates = [(str(number), gate(one), one["because"]) for number, one in enumerate(pack["gates"])]
    lines += [f"  {number}  {text}, else {because}" for number, text, because in gates] or ["  none"]
    return [*lines, "", f"allows with  {pack['allow']}"]


def _all(parts: Any) -> str:
    return " and ".join(parts)


def _bound(bound: dict[str, int]) -> str:
    said = (("min", "at least"), ("max", "at most"))
    return " and ".join(f"{words} {bound[key]}" for key, words in said if key in bound)
