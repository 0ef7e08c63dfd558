"""The observer's page in a real browser, over a real gateway and observer: it shows what is posted, as it is posted, in
words that tell refused, failed and worked apart; whatever a server says stays text; keys and narrow screens suffice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from browsing import Page, browsing
from model_house import ModelHouse
from serving import Server, serving

TURNED, BACK = "\u202e", "\u202c"  # what follows is written from the right, until it is not
EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script> שלום'
LONG = "W" * 128


class Boundary(NamedTuple):
    """A gateway under the demo pack, an observer of it, and a browser."""

    gateway: Server
    observer: Server
    page: Page


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boundary]:
    root = str(tmp_path_factory.mktemp("page"))
    with (
        browsing() as page,
        serving("gateway", "--data-root", root, "--policy", "demo") as gateway,
        serving("observer", "--gateway", gateway.url) as observer,
    ):
        yield Boundary(gateway, observer, page)


@pytest.fixture
def boundary(running: Boundary) -> Iterator[Boundary]:
    """What runs, with an empty page of a usual size; the test ends with nothing on the console and nothing asked of
    anybody else."""
    page = running.page
    page.size(1440)
    page.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
    page.go("about:blank")
    page.console.clear()
    page.asked.clear()
    yield running
    assert page.console == []
    own = (running.observer.url + "/", "blob:" + running.observer.url + "/")
    assert [address for address in page.asked if not address.startswith(own)] == []


def post(gateway: Server, thread: str, turn: str, message: str, **more: object) -> None:
    gateway.say(message, thread_id=thread, turn_id=turn, **more)


def opened(boundary: Boundary, *place: str, name: str = "thread") -> Page:
    """Open the page at a thread and turn, or at `#/name`; one that it does not know is all threads."""
    page = boundary.page
    ends = "/".join(quote(part, safe="") for part in place[:1]) + "".join(
        f"/turn/{quote(t, safe='')}" for t in place[1:]
    )
    page.go(f"{boundary.observer.url}/#/{name}/{ends}" if place else f"{boundary.observer.url}/#/{name}")
    page.until("document.body.dataset.view")
    return page


def cards(page: Page, count: int = 3) -> list[str]:
    """Wait for so many cards that hold an event, and return the texts of all."""
    page.until(f"document.querySelectorAll('#cards > li:not(.absent)').length === {count}")
    return list(page.look("[...document.querySelectorAll('#cards > li')].map(card => card.innerText)"))


def test_a_thread_that_is_posted_appears_without_a_reload(boundary: Boundary) -> None:
    page = boundary.page
    page.go(boundary.observer.url)
    page.until("document.querySelector('#threads .empty')")
    assert "No thread yet" in page.text("#threads")
    page.until("document.querySelector('#states .live')")
    page.look("window.same = 1")
    post(boundary.gateway, "live", "first", "hello")
    page.until("document.querySelector('#threads a')?.innerText.includes('live')")
    page.look("document.querySelector('#threads a').click()")
    page.until("document.querySelectorAll('#turns a').length === 1")
    assert "Newest turn first" in page.text("#turn-head")
    post(boundary.gateway, "live", "second", "hello again", parent_turn_id="first")
    page.until("document.querySelectorAll('#turns a').length === 2")
    page.until("document.getElementById('turn-head').innerText.includes('second')")
    page.until("document.getElementById('told').textContent.includes('Turn second: worked')")
    assert page.look("window.same") == 1


def test_a_turn_that_worked_is_three_cards_and_its_path(boundary: Boundary) -> None:
    post(boundary.gateway, "worked", "w1", "what is new?", inputs={"capability": "chat"}, actor="desk")
    page = opened(boundary, "worked", "w1")
    intent, decision, execution = cards(page)
    assert "INTENT" in intent and "said by desk · known as local (not verified)" in intent and "what is new?" in intent
    assert "DECISION" in decision and "ALLOW" in decision and "policy.within_limits" in decision
    assert "dbl::PL_DEMO_V0" in decision and "sha256:" in decision
    assert "EXECUTION" in execution and "ok" in execution and "echo: what is new?" in execution and "stub" in execution
    assert page.text("#summary").startswith("Worked: allowed by dbl::PL_DEMO_V0, answered by stub in ")
    page.until("document.getElementById('drawing').naturalWidth > 300")
    assert page.text("#caption") == (
        "record_intent → facts → verdict (ALLOW) → record_allow → call → record_execution → executed."
    )
    # Raw events are folded away, and are the events as they are.
    assert page.look("document.querySelector('#cards pre') === null")
    page.look("document.querySelectorAll('#cards .proof details').forEach(fold => { fold.open = true; })")
    page.until("document.querySelectorAll('#cards pre').length === 3")
    raw = page.look("[...document.querySelectorAll('#cards pre')].map(told => told.textContent)")
    assert [json.loads(text) for text in raw] == boundary.gateway.events(thread_id="worked")


def test_a_refused_turn_says_why_and_that_nothing_left(boundary: Boundary) -> None:
    post(boundary.gateway, "refused", "r1", "x" * 400)
    page = opened(boundary, "refused", "r1")
    _, decision, execution = cards(page, 2)
    assert "DENY" in decision and "policy.message_too_long" in decision and "/gates/1" in decision
    assert "None: what is denied reaches no provider." in execution
    assert "Refused" in page.text("#turns") and "policy.message_too_long" in page.text("#turns")
    assert page.text("#summary") == "Refused by dbl::PL_DEMO_V0: policy.message_too_long. Nothing was sent."
    page.until("document.getElementById('caption').innerText.endsWith('verdict (DENY) → record_deny → denied.')")


def test_a_failed_turn_says_whose_error_it_was(boundary: Boundary) -> None:
    post(boundary.gateway, "failed", "f1", "")
    page = opened(boundary, "failed", "f1")
    intent, decision, execution = cards(page)
    assert "The message is empty." in intent and "ALLOW" in decision
    assert "the caller’s error: invalid_request_error" in execution and "message must not be empty" in execution
    assert "will not help" in execution
    assert page.text("#summary") == "Failed after it was allowed: invalid_request_error, the caller’s error."
    assert page.look("[...document.querySelectorAll('#turns .marked')].map(mark => mark.className)") == [
        "marked failed"
    ]


@pytest.mark.parametrize(
    ("thread", "turn", "message"), [(EVIL, f"{EVIL} 2", f"{TURNED}{EVIL}{BACK} {TURNED}"), (LONG, LONG, LONG * 2)]
)
def test_whatever_is_said_stays_text(boundary: Boundary, thread: str, turn: str, message: str) -> None:
    """Nothing of it becomes markup, turns the page's own words round, or makes it wider than a telephone."""
    post(boundary.gateway, thread, turn, message)
    page = opened(boundary, thread, turn)
    cards(page)
    assert page.look("document.querySelector('#cards .text').textContent") == message
    assert page.look("getComputedStyle(document.querySelector('#cards .text')).unicodeBidi") in ("isolate", "plaintext")
    assert page.look("document.querySelector('#turn-head .id').textContent") == turn
    assert page.look("document.title") == f"{turn} · {thread} · Observer"
    assert page.look("document.querySelectorAll('main img:not(#drawing), main script').length") == 0
    page.look("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    page.until("document.querySelectorAll('#cards pre').length === 3")
    raw = page.look("document.querySelector('#cards pre').textContent")
    assert TURNED not in raw and json.loads(raw)["payload"]["message"] == message
    for width in (360, 800, 1440):
        page.size(width)
        assert page.look("document.documentElement.scrollWidth") <= width


def test_signals_are_told_apart_by_mark_and_word(boundary: Boundary) -> None:
    for number in range(5):
        post(boundary.gateway, "denied", f"d{number}", "y" * 300)
    for number in range(3):
        post(boundary.gateway, "empty", f"e{number}", "")
    page = opened(boundary, name="signals")
    page.until("document.querySelectorAll('#signals .signal').length === 2")
    shown = page.look("[...document.querySelectorAll('#signals .signal')].map(one => one.innerText)")
    assert shown[0].startswith("critical") and "thread.denied.deny_rate.critical" in shown[0]
    assert shown[1].startswith("warn") and "thread.empty.error_cluster" in shown[1]
    marks = page.look("[...document.querySelectorAll('#signals .mark path')].map(path => path.getAttribute('d'))")
    assert len(set(marks)) == 2
    assert "1 critical" in page.text("#states") and "1 warn" in page.text("#states")
    page.look("document.querySelector('#rules summary').click()")
    page.until("document.querySelectorAll('#rules-list .signal').length > 8")
    page.look("document.querySelector('#signals .critical a').click()")
    page.until("document.querySelectorAll('#thread-signals .signal').length === 1")
    assert page.text("#turns-head") == "Thread denied"


def test_keys_are_enough(boundary: Boundary) -> None:
    """From the top of the page to a turn and back, by Tab, arrows and Enter; what has the focus is always seen."""
    for thread in ("keys-a", "keys-b"):
        post(boundary.gateway, thread, "k1", "one")
        post(boundary.gateway, thread, "k2", "two")
    page = boundary.page
    page.go(boundary.observer.url)
    page.until("document.querySelectorAll('#threads a').length >= 2")
    page.press("Tab")
    assert page.text(":focus") == "Skip to the content"
    page.press("Enter")
    assert page.look("document.activeElement.id") == "main"
    for _ in range(10):
        page.press("Tab")
        if page.look("document.activeElement.closest('#threads') !== null"):
            break
    assert page.look("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert "keys-b" in page.text(":focus")
    page.press("ArrowDown")
    assert "keys-a" in page.text(":focus")
    page.press("Enter")
    page.until("document.getElementById('turns-head').innerText === 'Thread keys-a'")
    assert "keys-a" in page.text(":focus"), "what is beside it has changed; the focus stays"
    # What is posted meanwhile takes neither the focus nor its place from whoever reads.
    post(boundary.gateway, "keys-c", "k1", "three")
    page.until("document.querySelector('#threads').innerText.includes('keys-c')")
    assert "keys-a" in page.text(":focus")
    page.size(360)
    page.look("document.querySelector('#turns a').focus()")
    page.press("ArrowDown")
    page.press("Enter")
    page.until("document.activeElement.id === 'turn-head'")
    assert page.text("#turn-head") == "Turn k1"


def test_a_narrow_screen_shows_one_thing_at_a_time(boundary: Boundary) -> None:
    post(boundary.gateway, "narrow", "n1", "hello")
    page = boundary.page
    page.size(360)
    page.go(boundary.observer.url)
    page.until("document.querySelector('#threads a')")

    def panes() -> list[str]:
        shown = "[...document.querySelectorAll('.pane')].filter(pane => pane.checkVisibility())"
        return list(page.look(f"{shown}.map(pane => pane.className)"))

    assert panes() == ["pane threads", "pane overview"]
    page.look("[...document.querySelectorAll('#threads a')].find(link => link.innerText.includes('narrow')).click()")
    page.until("document.body.dataset.view === 'thread'")
    assert panes() == ["pane turns"]
    page.look("document.querySelector('#turns a').click()")
    page.until("document.body.dataset.view === 'turn'")
    assert panes() == ["pane turn"]
    cards(page)
    page.until("document.getElementById('drawing').naturalWidth > 0")
    assert page.look("document.documentElement.scrollWidth") <= 360
    page.look("document.getElementById('back-to-turns').click()")
    page.until("document.body.dataset.view === 'thread'")
    page.look("history.back()")
    page.until("document.body.dataset.view === 'turn'")


def test_a_turn_is_followed_while_its_provider_thinks(boundary: Boundary, tmp_path: Path) -> None:
    """What is not there yet is said to be awaited; what comes then is drawn beside what was there."""
    provider = ("--provider", "openai", "--model", "late")
    with (
        ModelHouse() as house,
        serving("gateway", "--data-root", str(tmp_path), *provider, "--provider-url", house.base) as gateway,
        serving("observer", "--gateway", gateway.url) as observer,
    ):
        page = opened(boundary._replace(observer=observer))
        post(gateway, "slow", "s1", "think about it")
        page.until("document.querySelector('#threads .marked.waiting')")
        page.look("document.querySelector('#threads a').click()")
        assert cards(page, 2)[2].endswith("Nothing has come of it yet.")
        assert page.text("#summary") == "Waiting for what comes of it: it was allowed."
        page.until("document.getElementById('caption').innerText.endsWith('record_allow, and no end yet.')")
        page.look("window.kept = document.querySelector('#cards > li')")
        house.release.set()
        assert "late heard think about it" in cards(page)[2]
        page.until("document.getElementById('caption').innerText.endsWith('record_execution → executed.')")
        assert page.look("kept === document.querySelector('#cards > li')"), "the card of the INTENT is as it was"
        post(gateway, "slow", "s2", "and again", requested_model_id="status-503")
        page.until("document.getElementById('turn-head').innerText.includes('s2')")
        assert "the provider’s error: overloaded" in cards(page)[2] and "may help" in cards(page)[2]
        page.until("document.getElementById('caption').innerText.includes('call (PROVIDER_ERROR)')")
        page.go("about:blank")
        page.asked.clear()
