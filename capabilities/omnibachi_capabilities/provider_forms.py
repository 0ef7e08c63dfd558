"""How providers are asked, and where in their answers the text, what was used and their own words of an error stand."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

USED = ("prompt_tokens", "completion_tokens", "total_tokens")
MOST_COUNT = 2**53 - 1


class Form:
    """One protocol: what it adds to the URL, and its ways of asking and of answering as data.

    `text` and `usage` are where they stand in an answer; `stated` what each question says beside model and message;
    `bound` the name under which it takes how many tokens an answer may have at most.
    """

    __slots__ = ("bound", "path", "stated", "text", "usage")

    def __init__(
        self, path: str, text: tuple[Any, ...], usage: dict[str, tuple[str, ...]], bound: tuple[str, ...],
        stated: dict[str, Any],
    ) -> None:  # fmt: skip
        self.path = path
        self.text = text
        self.usage = usage
        self.bound = bound
        self.stated = stated


FORMS = {
    "openai": Form(
        "/chat/completions", ("choices", 0, "message", "content"), {name: ("usage", name) for name in USED},
        ("max_tokens",), {},
    ),
    "ollama": Form(
        "/api/chat", ("message", "content"),
        {"prompt_tokens": ("prompt_eval_count",), "completion_tokens": ("eval_count",)}, ("options", "num_predict"),
        {"stream": False},
    ),
}  # fmt: skip


def asked(form: Form | None, model: str, message: str, most: int | None) -> dict[str, Any]:
    """Return the question about one message; threads give no context."""
    found: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": message}]}
    if form is None:
        return found
    found.update(form.stated)
    if most is not None:
        inner = found
        for name in form.bound[:-1]:
            inner = inner.setdefault(name, {})
        inner[form.bound[-1]] = most
    return found


def answered(form: Form, body: Any) -> tuple[str, dict[str, int]] | None:
    """Return the text of an answer and what it says was used; None for what is no answer."""
    text = _under(body, form.text)
    if type(text) is not str:
        return None
    counts = {name: _under(body, place) for name, place in form.usage.items()}
    return text, {name: n for name, n in counts.items() if type(n) is int and 0 <= n <= MOST_COUNT}


def complained(body: Any) -> str:
    """Return what a provider says of an error, its own code first; empty where it says nothing that is known."""
    error = _under(body, ("error",))
    if type(error) is str:
        return error
    parts = [_under(error, (name,)) for name in ("code", "type", "message")]
    said = [str(part) for part in parts if type(part) in (str, int) and part != ""]
    return ": ".join(dict.fromkeys(said))


def _under(value: Any, place: tuple[Any, ...]) -> Any:
    for name in place:
        if isinstance(name, int):
            value = value[name] if isinstance(value, list) and len(value) > name else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value
