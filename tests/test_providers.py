"""Providers against a real server: what is sent, what comes of good, broken, late and huge answers, and what never
leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handmade import Ticking
from model_house import ModelHouse
from omnibachi_capabilities.provider_forms import FORMS, answered, complained
from omnibachi_capabilities.providers import call_provider
from omnibachi_model.checks import link
from omnibachi_model.decisions import PROVIDER_ERRORS
from omnibachi_model.digests import digest
from omnibachi_model.providers import NO_ACCESS, access_text, read_access
from omnibachi_runtime.sites import Call
from test_web import Wall

KEY = "key-0123456789-abcdef"
BOTH = ("openai", "ollama")
PATHS = {"openai": "/v1/chat/completions", "ollama": "/v1/api/chat"}


@pytest.fixture(scope="module", name="house")
def open_house() -> Iterator[ModelHouse]:
    with ModelHouse() as house:
        yield house


def ask(
    provider: str,
    model: str,
    message: Any = "hello",
    *,
    access: str = NO_ACCESS,
    cancelled: bool = False,
    **budget: int,
) -> tuple[str, dict[str, Any]]:
    clock: Any = Wall()
    call = Call("R1", "call", None, clock, Ticking(), None, (), cancelled=lambda: cancelled)
    inputs = {
        "provider": provider, "message": {"message": message}, "decision": {"model_id": model, "budget": budget},
        "access": access,
    }  # fmt: skip
    return call_provider(inputs, None, call)  # type: ignore[arg-type]


def near(house: ModelHouse, provider: str, model: str, message: str = "hello", **more: Any) -> Any:
    """Ask the house; return what was answered and how often it was asked."""
    before = len(house.asked)
    access = access_text(provider, house.base + "/v1", KEY)
    outcome, output = ask(provider, model, message, access=access, **more)
    assert KEY not in json.dumps(output) and KEY.encode().hex() not in json.dumps(output)
    return outcome, output.get("execution"), len(house.asked) - before


@pytest.mark.parametrize("provider", BOTH)
def test_what_is_sent_and_what_comes_back(house: ModelHouse, provider: str) -> None:
    outcome, execution, count = near(house, provider, "small", "Grüße\n", max_tokens=7)
    asked = house.asked[-1]
    assert (outcome, count, asked.method, asked.target) == ("SUCCESS", 1, "POST", PATHS[provider])
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    bound = {"max_tokens": 7} if provider == "openai" else {"options": {"num_predict": 7}, "stream": False}
    said = {"model": "small", "messages": [{"role": "user", "content": "Grüße\n"}], **bound}
    assert json.loads(asked.body) == said
    used = {"prompt_tokens": 3, "completion_tokens": 5} | ({"total_tokens": 8} if provider == "openai" else {})
    assert execution == {
        "status": "ok", "provider": provider, "model_id": "small", "release_digest": digest(asked.body),
        "output_text": "small heard Grüße\n", "usage": used,
    }  # fmt: skip


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_request_error"), (413, "invalid_request_error"), (422, "invalid_request_error"),
        (401, "authentication_error"), (403, "permission_error"), (404, "not_found_error"), (429, "rate_limit_error"),
        (408, "timeout"), (504, "timeout"), (503, "overloaded"), (529, "overloaded"), (500, "provider_error"),
        (502, "provider_error"), (302, "provider_error"), (307, "provider_error"), (418, "provider_error"),
    ],
)  # fmt: skip
def test_each_status_is_one_code_and_no_redirection_is_followed(
    house: ModelHouse, provider: str, status: int, code: str
) -> None:
    outcome, execution, count = near(house, provider, f"status-{status}")
    error = execution["error"]
    _, whose, again = PROVIDER_ERRORS[code]
    assert (outcome, count, execution["status"]) == ("PROVIDER_ERROR", 1, "error")
    assert "output_text" not in execution and execution["release_digest"] == digest(house.asked[-1].body)
    told = (error["code"], error["type"], error["status_code"], error["responsibility"], error["retryable"])
    assert told == (code, code, status, whose, again)
    assert error["message"].startswith("theirs: no [key] xxx") and len(error["message"]) == 500


@pytest.mark.parametrize("model", ["cut", "garbage", "torn", "void", "huge", "hang", "spell"])
def test_what_is_no_answer_is_the_providers_error_and_is_asked_once(house: ModelHouse, model: str) -> None:
    outcome, execution, count = near(house, "openai", model)
    error = execution["error"]
    assert (outcome, count, error["code"], error["status_code"]) == ("PROVIDER_ERROR", 1, "provider_error", 502)


def test_an_answer_that_says_the_key_says_it_no_more(house: ModelHouse) -> None:
    assert near(house, "openai", "echo")[1]["output_text"] == "[key]"


def test_the_budget_is_the_deadline(house: ModelHouse) -> None:
    outcome, execution, count = near(house, "ollama", "stall", max_duration_ms=200)
    error = execution["error"]
    assert (outcome, count) == ("PROVIDER_ERROR", 1)
    assert (error["code"], error["status_code"], error["responsibility"]) == ("timeout", 504, "provider")
    assert execution["release_digest"] == digest(house.asked[-1].body)


def test_a_call_that_is_cancelled_is_unknown(house: ModelHouse) -> None:
    assert near(house, "openai", "stall", cancelled=True)[:2] == ("OUTCOME_UNKNOWN", None)


@pytest.mark.parametrize("provider", ["stub", *BOTH])
@pytest.mark.parametrize("message", ["", " \t\n", None, 5])
def test_a_blank_message_is_refused_by_every_provider(house: ModelHouse, provider: str, message: Any) -> None:
    before = len(house.asked)
    access = access_text(provider, house.base if provider != "stub" else None)
    outcome, output = ask(provider, "stub-echo", message, access=access)
    assert (outcome, len(house.asked)) == ("PROVIDER_ERROR", before)
    assert output["execution"]["release_digest"] is None
    assert output["execution"]["error"] == {
        "code": "invalid_request_error", "type": "invalid_request_error", "status_code": 400,
        "message": "message must not be empty", "responsibility": "caller", "retryable": False,
    }  # fmt: skip


def test_the_stub_echoes_and_knows_one_model() -> None:
    first, second = ask("stub", "stub-echo"), ask("stub", "stub-echo")
    assert first == second and first[0] == "SUCCESS"
    assert first[1]["execution"]["output_text"] == "echo: hello" and "error" not in first[1]["execution"]
    outcome, output = ask("stub", "gpt-9")
    assert (outcome, output["execution"]["error"]["code"]) == ("PROVIDER_ERROR", "not_found_error")


def test_nobody_there_and_nothing_opened(house: ModelHouse) -> None:
    found = {
        access_text("openai", "http://127.0.0.1:1"): "provider_error",
        access_text("openai", "http://localhost.localdomain.invalid:1"): "provider_error",
        NO_ACCESS: "permission_error",
        access_text("ollama", house.base): "permission_error",
        "{}": "internal_error",
    }
    for access, code in found.items():
        outcome, output = ask("openai", "m", access=access)
        assert (outcome, output["execution"]["error"]["code"]) == ("PROVIDER_ERROR", code)
        assert output["execution"]["release_digest"] is None


def test_this_machine_may_be_named(house: ModelHouse) -> None:
    access = access_text("ollama", house.base.replace("127.0.0.1", "localhost"), KEY)
    assert ask("ollama", "m", access=access)[0] == "SUCCESS"


def test_a_message_that_is_too_large_does_not_leave(house: ModelHouse) -> None:
    _, execution, count = near(house, "openai", "m", "x" * 1_100_000)
    assert (execution["error"]["code"], execution["error"]["status_code"], count) == ("invalid_request_error", 413, 0)


@pytest.mark.parametrize(
    ("url", "key", "says"),
    [
        ("ftp://a", None, "the url"), ("http://u:p@a", None, "the url"), ("http://a/x?key=1", None, "the url"),
        ("http://api.example.org", "k" * 9, "over https"), ("http://8.8.8.8", "k" * 9, "over https"),
        ("https://api.example.org", "a b", "the key"), ("https://api.example.org", "a\r\nX: y", "the key"),
    ],
)  # fmt: skip
def test_what_is_no_access(url: str, key: str | None, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        access_text("openai", url, key)
    assert key is None or key not in str(caught.value)


def test_what_is_an_access() -> None:
    for url in ("https://api.example.org/v1/", "http://10.0.0.5:8000", "http://localhost:11434", "http://[::1]:1"):
        found = read_access(access_text("openai", url, KEY))
        assert found is not None and (found.url, found.key) == (url.rstrip("/"), KEY) and KEY not in repr(found)
    assert read_access(access_text("stub")) is None
    default = read_access(access_text("ollama"))
    assert default is not None and default.url == "http://127.0.0.1:11434"


@given(st.text())
def test_no_text_breaks_the_reading_of_an_access(text: str) -> None:
    try:
        assert read_access(text) is None
    except ValueError as error:
        assert not text.strip() or len(text) < 8 or text not in str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["choices", "message", "content", "usage", "prompt_tokens", "error", "code", "eval_count"]),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_no_answer_breaks_its_reader(value: Any) -> None:
    fits = link({"type": "object", "additionalProperties": {"type": "integer"}})
    for form in FORMS.values():
        found = answered(form, value)
        assert found is None or (isinstance(found[0], str) and not fits(found[1]))
    assert isinstance(complained(value), str)
