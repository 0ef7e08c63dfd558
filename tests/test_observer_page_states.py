"""The observer's page when things are not as usual: nobody answers, a token is asked for, there is very much, nobody
looks; and what its files and headers let it do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from browsing import Page, browsing
from omnibachi_transport.page_routes import FILES
from omnibachi_transport.tokens import new_token, token_entry, token_file
from serving import Server, serving

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "transport/omnibachi_transport/page"
NOWHERE = "http://127.0.0.1:9"
THREADS, TURNS = 53, 103


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("gateway", "--data-root", str(tmp_path_factory.mktemp("page"))) as server:
        yield server


@pytest.fixture(scope="module")
def shared(gateway: Server) -> Iterator[Server]:
    """An observer of the gateway."""
    with serving("observer", "--gateway", gateway.url) as observer:
        yield observer


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browsing() as page:
        yield page


@pytest.fixture
def page(browser: Page) -> Page:
    browser.size(1440)
    browser.go("about:blank")
    browser.console.clear()
    return browser


def test_its_files_are_served_with_a_policy_that_lets_it_do_nothing_else(shared: Server) -> None:
    assert {name for name, _ in FILES.values()} == {path.name for path in FOLDER.iterdir()}
    for path, (name, media_type) in FILES.items():
        found = shared.get(path)
        assert (found.status_code, found.content) == (200, (FOLDER / name).read_bytes())
        assert found.headers.get_list("content-type") == [media_type]
        assert found.headers.get_list("x-content-type-options") == ["nosniff"]
        (policy,) = found.headers.get_list("content-security-policy")
        assert policy.startswith("default-src 'none'; ") and "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy or media_type == "image/svg+xml"
        assert "unsafe-eval" not in policy and "*" not in policy
    policy = shared.get("/").headers["content-security-policy"]
    assert "script-src 'self'; style-src 'self'" in policy and "trusted-types 'none'" in policy


def test_its_files_name_no_other_address_and_no_inline_script() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text("utf-8")
        assert set(re.findall(r"\w+://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\bstyle=|\son\w+=", text)
        if path.suffix in (".html", ".js"):
            named = re.findall(r"(?:src|href|from) ?=? ?\"(/[\w.]+)\"", text)
            assert set(named) <= {*FILES, "/threads", "/signals"}, path.name


def test_the_browser_keeps_it_to_that_policy(page: Page, shared: Server) -> None:
    """Markup, inline scripts and styles, and other addresses are refused even to whoever speaks from inside."""
    page.go(shared.url)
    page.until("document.body.dataset.view")
    assert page.console == []
    assert page.look("try { document.body.innerHTML = '<b>x</b>'; 'made' } catch (error) { error.name }") == "TypeError"
    assert page.look("fetch('http://127.0.0.1:9/').then(() => 'asked', () => 'refused')") == "refused"
    page.look("document.body.append(Object.assign(document.createElement('style'), {textContent: 'h1 {top: 7px}'}))")
    assert page.look("getComputedStyle(document.querySelector('h1')).top") == "auto"
    page.look("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    page.until("true")
    assert len([said for said in page.console if "Content Security Policy" in said]) >= 3


def test_an_observer_that_goes_and_comes_back(page: Page, gateway: Server) -> None:
    gateway.say("before", thread_id="before", turn_id="1")
    with serving("observer", "--gateway", gateway.url) as observer:
        port = str(observer.place[1])
        page.go(observer.url)
        page.until("document.querySelector('#threads a') && document.querySelector('#states .live')")
        assert page.text("#notice") == "" and page.console == []
        assert observer.stop() == 0
    page.until("document.querySelector('#states .away') && !document.getElementById('notice').hidden")
    assert "The observer cannot be reached." in page.text("#notice") and "as of" in page.text("#notice")
    assert "Chain verified" not in page.text("#states"), "what nobody says now is not said"
    assert "before" in page.text("#threads"), "what was shown stays"
    gateway.say("meanwhile", thread_id="meanwhile", turn_id="1")
    with serving("observer", "--gateway", gateway.url, "--port", port):
        page.until("document.querySelector('#states .live') && document.getElementById('notice').hidden")
        page.until("document.getElementById('threads').innerText.includes('meanwhile')")


def test_a_gateway_that_does_not_answer(page: Page) -> None:
    with serving("observer", "--gateway", NOWHERE) as observer:
        page.go(observer.url)
        page.until("document.getElementById('states').innerText.includes('Gateway silent')")
        assert "The gateway does not answer. It is asked again by itself." in page.text("#threads")
        assert "system.gateway.unreachable" in page.text("#signals")
        page.until("document.getElementById('told').textContent.startsWith('New warn signal')")
        assert page.console == []


def test_a_past_that_was_written_anew(page: Page, tmp_path: Path) -> None:
    """Another ledger stands where the first one did: what was held stays, and the page says that it does not go on."""
    with serving("gateway", "--data-root", str(tmp_path / "first")) as first:
        first.say("one", thread_id="first", turn_id="1")
        port = str(first.place[1])
        with serving("observer", "--gateway", first.url) as observer:
            page.go(observer.url)
            page.until("document.getElementById('threads').innerText.includes('first')")
            assert "Chain verified" in page.text("#states")
            first.stop()
            with serving("gateway", "--data-root", str(tmp_path / "second"), "--port", port):
                page.until("document.getElementById('states').innerText.includes('Chain broken')")
                assert "Chain verified" not in page.text("#states") and "first" in page.text("#threads")
                page.until("document.getElementById('signals').innerText.includes('system.ledger.rewritten')")
                assert "critical" in page.text("#signals") and page.console == []


def test_an_address_that_is_none_leads_to_all_threads(page: Page, gateway: Server, shared: Server) -> None:
    gateway.say("hello", thread_id="there", turn_id="1")
    for place in ("#/thread/%E0%A4%A", "#/thread/", "#/thread/a/b", "#/nothing", "#//", "#main"):
        page.go("about:blank")
        page.go(f"{shared.url}/{place}")
        page.until("document.querySelectorAll('#threads a').length > 0")
        assert page.look("document.body.dataset.view") == "start"
    assert page.console == []


def test_an_address_can_be_opened_before_there_is_anything(page: Page, gateway: Server, shared: Server) -> None:
    page.go(f"{shared.url}/#/thread/to%2Fcome/turn/t%20%231")
    page.until("document.getElementById('turn-place').innerText.includes('no such turn')")
    assert "The observer knows no such thread." in page.text("#turns-count")
    gateway.say("here I am", thread_id="to/come", turn_id="t #1")
    page.until("document.querySelectorAll('#cards > li').length === 3")
    assert page.text("#turn-head") == "Turn t #1" and "here I am" in page.text("#cards")
    assert page.look("document.querySelector('#turns a').hash") == page.look("location.hash")


def test_a_token_is_asked_for_and_kept_in_the_page_alone(page: Page, gateway: Server, tmp_path: Path) -> None:
    token, file = new_token(), tmp_path / "tokens.json"
    file.write_bytes(token_file([token_entry(token, "reader", None, ["read"])]))
    file.chmod(0o600)
    gateway.say("hello", thread_id="secret", turn_id="1")
    with serving("observer", "--gateway", gateway.url, "--token-file", str(file)) as observer:
        page.go(f"{observer.url}/#/thread/secret")
        page.until("document.activeElement.id === 'token'")
        assert "asks for a token" in page.text("#notice") and "secret" not in page.text("main")
        page.type("wrong")
        page.press("Enter")
        page.until("document.getElementById('token')?.value === ''")
        page.type(token)
        page.press("Enter")
        page.until("document.querySelectorAll('#cards > li').length === 3 && document.querySelector('#states .live')")
        page.until("document.getElementById('drawing').naturalWidth > 0")
        assert page.look("document.getElementById('notice').hidden")
        kept = "JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}, location.href, history.state])"
        assert token not in page.look(kept) and token not in page.look("document.documentElement.outerHTML")
        assert not any(token in address for address in page.asked)


def test_very_many_threads_and_turns_come_in_pages(page: Page, gateway: Server, shared: Server) -> None:
    for number in range(TURNS):
        gateway.say("hello", thread_id="many", turn_id=f"turn {number}")
    for number in range(THREADS):
        gateway.say("hello", thread_id=f"one of {number}", turn_id="1")
    page.go(shared.url)
    page.until("document.querySelectorAll('#threads a').length === 50")
    total = shared.read("/threads")["total"]
    assert page.text("#threads-count") == f"1–50 of {total}, newest first"
    assert page.look("document.getElementById('newer').disabled")
    page.look("document.getElementById('older').click()")
    page.until(f"document.querySelectorAll('#threads a').length === {total - 50}")
    assert page.look("document.getElementById('older').disabled")
    page.look("document.getElementById('newer').click()")
    page.until("document.getElementById('threads').innerText.includes('one of 52')")
    page.look("document.getElementById('find-id').focus()")
    page.type("many")
    page.press("Enter")
    page.until("document.querySelectorAll('#turns a').length === 100")
    assert page.text("#turns-count") == f"{TURNS} turns, newest first"
    page.look("document.getElementById('more').click()")
    page.until(f"document.querySelectorAll('#turns a').length === {TURNS}")
    assert page.look("document.getElementById('more').checkVisibility()") is False
    assert page.console == []


def test_what_somebody_reads_stays_while_more_comes(page: Page, gateway: Server, shared: Server) -> None:
    gateway.say("read me", thread_id="reading", turn_id="1")
    page.go(f"{shared.url}/#/thread/reading/turn/1")
    page.until("document.querySelectorAll('#cards > li').length === 3")
    page.look("document.querySelector('#cards .proof details').open = true")
    page.until("document.querySelector('#cards pre')")
    page.look("window.kept = document.querySelector('#cards pre'); kept.focus()")
    gateway.say("more", thread_id="reading", turn_id="2")
    page.until("document.querySelectorAll('#turns a').length === 2")
    assert page.look("kept.isConnected && kept.checkVisibility() && document.activeElement === kept")
    # Nobody looks: nothing is asked. Somebody looks again: it is.
    page.look("Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
              "document.dispatchEvent(new Event('visibilitychange'))")  # fmt: skip
    gateway.say("more", thread_id="reading", turn_id="3")
    page.asked.clear()
    page.look("new Promise(done => setTimeout(done, 700))")
    assert page.asked == []
    page.look("Object.defineProperty(document, 'hidden', {value: false, configurable: true});"
              "document.dispatchEvent(new Event('visibilitychange'))")  # fmt: skip
    page.until("document.querySelectorAll('#turns a').length === 3 && document.querySelector('#states .live')")


def colours(css: str) -> list[dict[str, str]]:
    """Return the light and the dark colours of a style sheet by name."""
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in css.split("@media", 2)[:2])
    return [light, {**light, **dark}]


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_text_can_be_read_light_and_dark() -> None:
    texts = ("ink", "soft", "link", "worked", "refused", "failed", "waiting", "critical", "warn", "info")
    grounds = ("page", "surface", "sunk", "here", "critical-soft", "warn-soft", "info-soft")
    for scheme in colours((FOLDER / "page.css").read_text("utf-8")):
        for text, ground in product(texts, grounds):
            dim, bright = sorted((luminance(scheme[text]), luminance(scheme[ground])))
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (text, ground, scheme[text], scheme[ground])
