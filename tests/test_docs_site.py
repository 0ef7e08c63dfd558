"""The site of a snapshot: every link and picture resolves, every text is escaped, the browser has nothing to complain
of, the same snapshot gives the same bytes, and nobody's own folder is replaced."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

import post_office
from chromium import REQUIRED, browser, opened
from front_door import Call, call
from omnibachi import Workspace
from omnibachi.site_folder import MARK
from omnibachi_model.digests import digest, pretty
from omnibachi_observer.site.looks import SCRIPT
from omnibachi_observer.site.markup import anchor, fragment, tag
from post_office import edit

__all__ = ["call"]

EVIL = '"><script>document.title="evil"</script><img src=x onerror=alert(1)>'
MORE = """\
---
contract: CC_KEEP_V0
summary: Keep a parcel.
inputs: {code: {type: string}}
start: keep
nodes:
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_PARCELS_V0
    with: {key: $.inputs.code, value: {to: Rome, cents: 1, at: noon}}
    next: {SUCCESS: SUCCESS, ALREADY_EXISTS: SUCCESS}
outcomes:
  SUCCESS: {}
---
intent: IN_MANY_V0
summary: Parcels are to be kept.
payload:
  type: object
  properties: {codes: {type: array, maxItems: 5, items: {type: string}}}
  required: [codes]
  additionalProperties: false
---
workflow: WF_MANY_V0
summary: Keep all parcels, then one more.
intent: IN_MANY_V0
start: many
fault: failed
limits: {visits: 50}
nodes:
  many:
    each: $.payload.codes
    max: 5
    use: CC_KEEP_V0
    with: {code: $.each.item}
    next: {SUCCESS: one}
  one:
    use: CC_KEEP_V0
    with: {code: last}
    next: {SUCCESS: sent}
exits:
  sent: {status: COMPLETED}
  failed: {status: FAILED}
---
workflow: WF_ALL_V0
summary: Every kind of node.
intent: IN_MANY_V0
start: poll
fault: failed
nodes:
  poll:
    repeat: {max: 3, until: "unix_ms > 5", every: 90s}
    use: CS_CLOCK_V0.NOW
    next: {SUCCESS: both, EXHAUSTED: failed}
  both:
    all:
      a: {use: CS_REGISTRY_V0.RESOLVE, store: ST_PARCELS_V0, with: {key: a}, deadline: 1500ms}
      b: {use: CS_CLOCK_V0.NOW}
    next: {SUCCESS: keep, FAILED: keep}
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_PARCELS_V0
    with: {key: a, value: {to: Rome, cents: 1, at: noon}}
    retry: {on: [ALREADY_EXISTS], max: 4, backoff: 2s, factor: 3}
    next: {SUCCESS: sub, ALREADY_EXISTS: sub}
  sub:
    use: WF_SEND_V0
    with: {to: {$first: ["$.payload.codes[0]", Rome]}, weight: 7, limit: 9}
    next: {sent: sent, known: sent, refused: sent, failed: failed, rejected: none}
exits:
  sent: {status: COMPLETED}
  none: {status: FAILED}
  failed: {status: FAILED}
---
invariant: IV_ONE_V0
summary: Nothing is sent before the last one was kept.
applies_to: {workflows: [WF_MANY_V0]}
every_path: {from: start, passes: {node: one/keep}, before: exit}
---
invariant: IV_TWO_V0
summary: Of either, nothing is sent twice.
applies_to: {except: [WF_ALL_V0, WF_SEND_V0]}
every_path:
  - {passes: {node: one, except: [FAULT]}, before: {status: [COMPLETED, DENIED], except: rejected}}
  - {passes: {use: [CC_KEEP_V0, CT_LABEL_V0]}, applies_to: {uses: CC_KEEP_V0}}
"""
SCENARIO = """\
test: a parcel is sent once
workflow: WF_SEND_V0
steps:
  - payload: {to: Rome, weight: 7, limit: 30}
    expect: {exit: sent}
"""
WF_SEND, WF_MANY, WF_ALL = (f"post/WF_{name}_V0.html" for name in ("SEND", "MANY", "ALL"))


class Page(HTMLParser):
    """What of a page leads elsewhere, and what can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.leads: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        self.leads += [str(found[name]) for name in ("href", "src") if found.get(name)]
        if tag == "img":
            self.images.append(found)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a contract, a loop, a law, a scenario, and texts that would like to be markup."""
    root = tmp_path_factory.mktemp("site") / "office"
    post_office.build(root)
    path = root / "protocols/post/send.yaml"
    text = path.read_text("utf-8").replace("summary: Send a parcel once.", f"summary: 'Send {EVIL}'")
    text = text.replace("because: the parcel is too heavy", f"because: 'too heavy {EVIL}'")
    path.write_text(text.replace("summary: The parcels that were sent.", f"summary: '{EVIL}'") + MORE, "utf-8")
    post_office.write(root, "protocols/post/send.test.yaml", SCENARIO)
    return post_office.compiled(root)


@pytest.fixture(scope="module")
def site(workspace: Workspace) -> Path:
    from omnibachi.__main__ import main

    assert main(["docs", "--workspace", workspace.root]) == 0
    return Path(workspace.root) / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    found = {path.relative_to(site).as_posix(): path.read_text("utf-8") for path in site.rglob("*.html")}
    return {name: Page(text) for name, text in found.items()}


def words(page: Page) -> str:
    return " ".join(" ".join(page.words).split())


def leads(pages: dict[str, Page], site: Path) -> Iterator[tuple[str, Path, str]]:
    """Give every link of every page: page, the file that it leads to, the place there."""
    for name, page in pages.items():
        for lead in page.leads:
            parts = urlsplit(lead)
            assert not parts.scheme and not parts.netloc, (name, lead)
            yield name, (site / name).parent / unquote(parts.path) if parts.path else site / name, parts.fragment


def test_every_link_leads_to_a_file_and_a_place(pages: dict[str, Page], site: Path) -> None:
    count = 0
    for name, file, place in leads(pages, site):
        assert file.is_file(), (name, file)
        if place:
            assert unquote(place) in pages[file.resolve().relative_to(site.resolve()).as_posix()].ids, (name, place)
        count += 1
    assert count > 150
    assert all(len(page.ids) == len(set(page.ids)) for page in pages.values())


def test_every_page_is_led_to(pages: dict[str, Page], site: Path) -> None:
    reached = {file.resolve() for _, file, _ in leads(pages, site)}
    assert {path.resolve() for path in site.rglob("*") if path.is_file() and path.name != MARK} == reached


def test_there_is_a_page_for_everything(pages: dict[str, Page]) -> None:
    names = ("CC_KEEP_V0", "CT_LABEL_V0", "IN_SEND_V0", "IN_MANY_V0", "IV_ONE_V0", "IV_TWO_V0", "ST_PARCELS_V0")
    below = {f"post/{name}.html" for name in names} | {"std/CS_REGISTRY_V0.html", "std/CS_CLOCK_V0.html"}
    assert set(pages) == below | {WF_SEND, WF_MANY, WF_ALL, "index.html", "post/index.html", "std/index.html"}


def test_no_text_becomes_markup_and_nothing_lies_elsewhere(site: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        text = (site / name).read_text("utf-8")
        assert page.tags.count("script") == (1 if name.endswith("index.html") else 0), name
        assert len(page.images) == (1 if "WF_" in name else 0) and "onerror" not in page.tags
        assert "onerror=alert(1)>" not in text.replace("onerror=alert(1)&gt;", "")
    everything = b"".join(path.read_bytes() for path in site.rglob("*") if path.is_file())
    outside = set(re.findall(rb"https?://[^\s\"'<>)]+", everything))
    assert outside <= {b"http://www.w3.org/2000/svg", b"http://www.w3.org/1999/xlink"}, outside
    assert EVIL in words(pages[WF_SEND])


def test_a_workflow_is_told_whole(pages: dict[str, Page]) -> None:
    send, many = words(pages[WF_SEND]), words(pages[WF_MANY])
    for text in ("weight <= limit", "cents = weight * 300 / parts", "code: $.nodes.label.code", "COMPLETED",
                 "a parcel is sent once", "left out, it is 1", "visits of nodes"):  # fmt: skip
        assert text in send, text
    assert re.search(r"ALREADY_EXISTS known none", send), "no scenario reaches it"
    assert re.search(r"SUCCESS sent 1", send), "the scenario does"
    assert "1 weight <= limit YES 1" in send and f"2 otherwise NO too heavy {EVIL} none" in send
    assert "visits of nodes 7 50" in many and "effects of class IDEMPOTENT 6" in many
    for text in ("many[]/keep", "the end of the iteration", "post::CC_KEEP_V0", "proven of every path that it binds"):
        assert text in many, text


def test_every_kind_of_node_is_told(pages: dict[str, Page]) -> None:
    text = words(pages[WF_ALL])
    for said in (
        "poll repeats At most 3 times, else EXHAUSTED Until unix_ms > 5 Waits 90 s between",
        "both asks all of its members Members a , b Good outcomes SUCCESS",
        "Deadline 1500 ms for each attempt, then TIMEOUT",
        "Tries again at most 4 times, after 2 s, times 3 each, on ALREADY_EXISTS",
        "Part of post::WF_SEND_V0 , by sub (protocols/post/send.yaml:",
        "What does not fit leads to none .",
    ):
        assert said in text, said
    assert "Part of others Workflow As post::WF_ALL_V0 sub" in words(pages[WF_SEND])


def test_who_uses_what_is_told_from_both_ends(pages: dict[str, Page]) -> None:
    assert "Governed by std::CS_REGISTRY_V0" in words(pages["post/ST_PARCELS_V0.html"])
    assert "post::ST_PARCELS_V0" in words(pages["std/CS_REGISTRY_V0.html"])
    assert "post::WF_MANY_V0 many[]/keep , one/keep" in words(pages["post/ST_PARCELS_V0.html"])
    assert "Admits to post::WF_SEND_V0" in words(pages["post/IN_SEND_V0.html"])
    assert "post::WF_MANY_V0 many[] , one" in words(pages["post/CC_KEEP_V0.html"])
    law, more = (words(pages[f"post/IV_{name}_V0.html"]) for name in ("ONE", "TWO"))
    assert "Every path from the start passes the node one/keep before any exit." in law
    assert "Proven of post::WF_MANY_V0" in law
    assert "passes the node one but not FAULT before an exit of status COMPLETED or DENIED but not rejected" in more
    assert "post::CC_KEEP_V0 or post::CT_LABEL_V0 before any exit. Of these uses" in more


def test_the_same_snapshot_gives_the_same_bytes(workspace: Workspace, site: Path, tmp_path: Path, call: Call) -> None:
    said = call("docs", "--workspace", workspace.root, "--output", str(tmp_path / "again"), "--json")
    found = said.json()
    assert (said.status, found["schema"], found["diagnostics"]) == (0, "omnibachi.docs/1", [])
    assert contents(tmp_path / "again") == contents(site)
    assert sorted([*found["files"], MARK]) == sorted(contents(site))


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_only_its_own_folder_is_replaced(workspace: Workspace, tmp_path: Path, call: Call) -> None:
    made = ("docs", "--workspace", workspace.root, "--output")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/page.html").write_text("mine")
    said = call(*made, str(tmp_path / "mine"))
    assert said.status == 3 and "OB780" in said.err and contents(tmp_path / "mine") == {"page.html": b"mine"}
    (tmp_path / "file").write_text("mine")
    assert call(*made, str(tmp_path / "file")).status == 3
    (tmp_path / "empty").mkdir()
    assert call(*made, str(tmp_path / "empty")).status == 0
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    assert call(*made, str(tmp_path / "link")).status == 3
    assert call(*made, str(tmp_path / "empty")).status == 0
    (tmp_path / "empty/notes.txt").write_text("mine")
    said = call(*made, str(tmp_path / "empty"))
    assert said.status == 3 and "notes.txt" in said.err and (tmp_path / "empty/notes.txt").exists()
    assert call(*made, "/proc/site").status == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "link", "mine"]


def test_scenarios_are_told_of_their_own_snapshot_only(workspace: Workspace, tmp_path: Path, call: Call) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(workspace.root, copy, ignore=shutil.ignore_patterns("site"))
    edit(copy, "protocols/post/send.yaml", "weight <= limit", "weight < limit")
    said = call("docs", "--workspace", str(copy))
    assert said.status == 0 and "warning[OB782]" in said.err
    assert "Not known" in (copy / "site" / WF_SEND).read_text("utf-8")
    shutil.rmtree(copy / "protocols")
    said = call("docs", "--workspace", str(copy))
    assert (said.status, said.err) == (0, "")


def test_an_edited_snapshot_has_no_site(workspace: Workspace, tmp_path: Path, call: Call) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(workspace.root, copy, ignore=shutil.ignore_patterns("site"))
    edit(copy, "protocol_snapshot/post/WF_SEND_V0.json", '"DENIED"', '"FAILED"')
    said = call("docs", "--workspace", str(copy))
    assert said.status == 4 and "OB602" in said.err and not (copy / "site").exists()


def test_a_snapshot_that_holds_and_is_none_has_no_site(workspace: Workspace, tmp_path: Path, call: Call) -> None:
    """Every digest is made anew over a workflow whose nodes have no names."""
    copy = tmp_path / "copy"
    shutil.copytree(workspace.root, copy, ignore=shutil.ignore_patterns("site", "protocols"))
    base = copy / "protocol_snapshot"
    workflow, manifest = (json.loads((base / name).read_bytes()) for name in ("post/WF_SEND_V0.json", "manifest.json"))
    for node in workflow["nodes"]:
        del node["name"]
    (base / "post/WF_SEND_V0.json").write_bytes(pretty(workflow))
    manifest["workflows"]["post::WF_SEND_V0"]["sha256"] = digest(pretty(workflow))
    (base / "manifest.json").write_bytes(pretty(manifest))
    (base / "manifest.sha256").write_text(digest(pretty(manifest)) + "\n")
    said = call("docs", "--workspace", str(copy))
    assert said.status == 4 and "OB608" in said.err and not (copy / "site").exists()


@given(st.text())
def test_any_text_is_only_text(text: str) -> None:
    made = Page(tag("p", text, title=text).text)
    assert made.tags == ["p"] and "".join(made.words).replace("\r", "\n") == text.replace("\r", "\n")
    assert unquote(fragment("node", text).removeprefix("#")) == anchor("node", text)
    assert not re.search(r"\s", anchor("node", text))


def test_a_missing_browser_is_passed_over_only_where_nobody_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        browser()
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="no browser"):
        browser()


PROBE = """\
<script>window.addEventListener("load", function () {
  var broken = [].filter.call(document.images, function (one) { return !one.complete || !one.naturalWidth; });
  var wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  var styled = getComputedStyle(document.querySelector("main")).maxWidth !== "none";
  var found = [document.images.length, "images,", broken.length, "broken, wide", wide, "styled", styled];
  document.title = found.join(" ");
});</script>"""


def probed(site: Path, name: str, to: Path) -> Path:
    """Copy the site and let one page say how it came out; its policy is loosened for that script alone."""
    shutil.copytree(site, to)
    page = to / name
    text = page.read_text("utf-8")
    text = re.sub(r"script-src &#x27;[^;&]*&#x27;", "script-src 'unsafe-inline'", text)
    page.write_text(text.replace("</main>", "</main>" + PROBE))
    return page


def test_the_browser_has_nothing_to_complain_of(site: Path) -> None:
    seen = opened(site / WF_SEND)
    assert seen.console == []
    assert "</footer>" in seen.dom and "<title>evil</title>" not in seen.dom


@pytest.mark.parametrize(("name", "size"), [(WF_SEND, "390,800"), (WF_MANY, "1200,900")])
def test_pictures_load_and_nothing_is_wider_than_the_window(name: str, size: str, site: Path, tmp_path: Path) -> None:
    seen = opened(probed(site, name, tmp_path / "probe"), f"--window-size={size}")
    assert "<title>1 images, 0 broken, wide false styled true</title>" in seen.dom, seen.dom[:600]
    assert seen.console == []


def test_the_filter_is_there_with_a_script_and_only_then(site: Path) -> None:
    assert re.search(r'<p class="filter" hidden>', (site / "index.html").read_text("utf-8"))
    seen = opened(site / "index.html")
    assert '<p class="filter">' in seen.dom and seen.console == []


def test_the_policy_lets_the_script_of_the_site_run_and_no_other(site: Path, tmp_path: Path) -> None:
    """The policy bites: the same page with one more script runs only its own, and the browser says so."""
    shutil.copytree(site, tmp_path / "evil")
    page = tmp_path / "evil/index.html"
    text = page.read_text("utf-8")
    assert SCRIPT in text
    page.write_text(text.replace("</footer>", '</footer><script>document.title = "evil"</script>'))
    seen = opened(page)
    assert "<title>evil</title>" not in seen.dom and any("Security Policy" in line for line in seen.console)
