"""`omnibachi witness`: send intents to a gateway, and show what it and its observer tell of them."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator

import click

from omnibachi import wiring
from omnibachi.doors import needs_http
from omnibachi.exits import FAILED, FINDINGS, OK, TROUBLE
from omnibachi.terminal import has_colour
from omnibachi.witness_panels import drawn, shown
from omnibachi.witness_rounds import Declined, Round, Servers, in_force, witnessed
from omnibachi.witnessing import SCENARIOS, Scenario, Story
from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.hosts import read_url
from omnibachi_model.nearest import nearest

from .options import as_command
from .output import Output

GATEWAY, OBSERVER, TOKEN = "DBL_GATEWAY_URL", "DBL_OBSERVER_URL", "DBL_TOKEN"
IN_FORCE = ("policy", "provider", "model_id", "snapshot")
DEFAULTS = {GATEWAY: "http://127.0.0.1:8010", OBSERVER: "http://127.0.0.1:8020"}


@as_command("witness", "omnibachi.witness/1", "omnibachi witness happy_path invalid_request", workspace=False)
@click.argument("scenarios", nargs=-1, metavar=f"[{'|'.join(SCENARIOS)}] …")
@click.option(
    "--gateway", "gateway_url", metavar="URL",
    help=f"Where the gateway is.  [default: what {GATEWAY} says, else {DEFAULTS[GATEWAY]}]",
)  # fmt: skip
@click.option(
    "--observer", "observer_url", metavar="URL",
    help=f"Where the observer is.  [default: what {OBSERVER} says, else {DEFAULTS[OBSERVER]}]",
)  # fmt: skip
def command(output: Output, scenarios: tuple[str, ...], gateway_url: str | None, observer_url: str | None) -> int:
    """Let refused, failed and worked happen at a gateway, and show how ledger, projection and signals tell of it.

    Each scenario sends one intent and waits until its story has come to an end. Without names all are done;
    `policy_deny` only where the gateway's pack is `demo`. A token for both servers is taken from DBL_TOKEN.

    Exit status 0: every story is complete and as it was announced; 1: one is not; 6: a server did not answer. An
    observer of which nobody spoke may be missing.
    """
    named = observer_url is not None or bool(os.environ.get(OBSERVER))
    urls = _url(gateway_url, "--gateway", GATEWAY), _url(observer_url, "--observer", OBSERVER)
    wanted = [_scenario(name) for name in dict.fromkeys(scenarios or SCENARIOS)]
    needs_http("Intents", "Reader")
    try:
        with _servers(*urls) as servers:
            told = in_force(servers)
            left_out = [item for item in wanted if item.pack not in (None, _pack(told))]
            wanted = [item for item in wanted if item not in left_out]
            if not wanted:
                raise Refused([_nothing(left_out, told)], FINDINGS)
            with output.progress("waiting for the gateway"):
                seen = witnessed(wanted, _correlation, servers)
    except wiring.Unanswered as silent:
        return output.refused([_silent("gateway", silent.url, silent.because)], TROUBLE)
    except Declined as declined:
        return output.refused([_declined(str(declined))], FAILED)
    found, status = _findings(seen, urls, named=named)
    value = {
        "gateway": {"url": urls[0], **{name: told.get(name) for name in IN_FORCE}},
        "observer": {"url": urls[1], "answers": seen.observer is None},
        "stories": [story.as_json() for story in seen.stories],
        "left_out": [item.name for item in left_out],
    }
    return output.give(status, value, _lines(seen, left_out, told), found)


@contextlib.contextmanager
def _servers(gateway: str, observer: str) -> Iterator[Servers]:
    token = os.environ.get(TOKEN) or None
    with (
        wiring.Intents(gateway, token=token) as intents,
        wiring.Reader(gateway, token=token) as reader,
        wiring.Reader(observer, token=token) as observing,
    ):
        yield Servers(intents, reader, observing)


def _correlation(scenario: Scenario) -> str:
    return f"witness-{scenario.name}-{secrets.token_hex(8)}"


def _scenario(name: str) -> Scenario:
    """Return the scenario of that name; raises UsageError (OB752)."""
    found = SCENARIOS.get(name)
    if found is None:
        near = nearest(name, SCENARIOS)
        advice = f"did you mean `{near}`?" if near else f"there are {', '.join(SCENARIOS)}"
        raise click.UsageError(f"no scenario is called `{shown(name)}`; {advice}", click.get_current_context())
    return found


def _url(given: str | None, option: str, variable: str) -> str:
    """Return where a server is; raises UsageError (OB752) for what is no URL."""
    url = given if given is not None else os.environ.get(variable) or DEFAULTS[variable]
    place = read_url(url)
    if place is None or "?" in place.target:
        raise click.UsageError(f"`{option}`, or {variable}, is no URL: `{shown(url)}`", click.get_current_context())
    return url.rstrip("/")


def _pack(told: dict[str, object]) -> object:
    policy = told.get("policy")
    return policy.get("id") if isinstance(policy, dict) else None


def _nothing(left_out: list[Scenario], told: dict[str, object]) -> Diagnostic:
    names = ", ".join(f"`{item.name}`" for item in left_out)
    return Diagnostic("OB963", f"{names} needs the pack `{left_out[0].pack}`; in force is `{shown(_pack(told))}`")


def _silent(who: str, url: str, because: str) -> Diagnostic:
    return Diagnostic("OB960", f"the {who} at `{shown(url)}`: {shown(because)}")


def _declined(because: str) -> Diagnostic:
    return Diagnostic("OB961", f"the gateway answers {shown(because)}")


def _findings(seen: Round, urls: tuple[str, str], *, named: bool) -> tuple[list[Diagnostic], int]:
    """Return what is to be said of a round, and its exit status."""
    found, status = [], OK
    for story in seen.stories:
        said = _of_story(story)
        found += said
        status = FAILED if said else status
    if seen.declined is not None:
        found.append(_declined(seen.declined))
        status = FAILED
    if seen.gateway is not None:
        found.append(_silent("gateway", urls[0], seen.gateway))
        status = TROUBLE
    if seen.observer is not None and named:
        found.append(_silent("observer", urls[1], seen.observer))
        status = TROUBLE
    return found, status


def _of_story(story: Story) -> list[Diagnostic]:
    name, judged = story.scenario.name, story.judged
    if story.refusal is not None:
        detail = shown(story.refusal["detail"])
        return [Diagnostic("OB961", f"`{name}` is answered with `{shown(judged.because)}`, {detail}")]
    found = []
    if not story.as_announced:
        was = f"`{judged.kind}`" + (f" ({shown(judged.because)})" if judged.because else "")
        meant = f"`{story.scenario.announced}`" + (f" ({story.scenario.because})" if story.scenario.because else "")
        found.append(Diagnostic("OB962", f"`{name}` is {was}; announced was {meant}"))
    if story.differs:
        differs = shown("; ".join(story.differs))
        found.append(Diagnostic("OB962", f"`{name}` is shown otherwise by the observer: {differs}"))
    return found


def _lines(seen: Round, left_out: list[Scenario], told: dict[str, object]) -> list[str]:
    encoding = sys.stdout.encoding or "utf-8"
    plain = not encoding.lower().startswith("utf")
    columns = shutil.get_terminal_size((100, 24)).columns
    page = drawn(seen.stories, width=columns, colour=has_colour(sys.stdout), plain=plain)
    lines = page.encode(encoding, "backslashreplace").decode(encoding).splitlines()
    if left_out and seen.stories:
        lines.append("")
    for item in left_out:
        lines.append(f"{item.name}: left out, it needs the pack {item.pack}, and in force is {shown(_pack(told))}")
    return lines
