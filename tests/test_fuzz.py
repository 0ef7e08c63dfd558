"""Fuzz: spoilt protocols, payloads, snapshots and traces meet the front door: no crash, no hang, nothing half-written.

Every case is a seed; a failure names it. OMNIBACHI_THOROUGH=1 tries many more.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

from mutations import bytes_mutated, json_mutated, text_mutated
from omnibachi.__main__ import main
from omnibachi_model.digests import ZERO, digest, encode, pretty
from omnibachi_model.record import link
from thoroughness import many

ROOT = Path(__file__).resolve().parent.parent
PRELUDE = Path(__file__).parent / "cases" / "prelude"
SCALE = many(1, 25)
SECONDS = 20  # of work, far beyond what the slowest case takes
ADDRESS = "shop::WF_FUZZ_V0"
PAYLOAD = {"item": "apple", "quantity": 3, "note": "soon"}
# What one spoilt input may answer; 70 would be a defect.
ANSWERS = {
    "compile": {0, 3},
    "run": {0, 1, 3, 4, 5},
    "verify": {0, 3, 4},
    "examine": {0, 3, 4},
    "replay": {0, 3, 4},
    "show": {0, 3, 4},
    "data": {0, 3, 4},
}

WORKFLOW = """\
workflow: WF_FUZZ_V0
summary: Everything that a workflow can have.
intent: IN_ORDER_V0
start: price
fault: failed
next: {VIOLATION: failed}
nodes:
  price:
    use: CT_PRICE_V0
    with: {item: $.payload.item, quantity: $.payload.quantity}
    next: {SUCCESS: dear, UNKNOWN: refused}
  dear:
    decide:
      - {when: "cents > 100 * 30 || (has(order.note) && order.note.contains('never'))", outcome: DEAR, because: dear}
      - {outcome: FINE}
    with: {cents: $.nodes.price.cents, order: $.payload}
    next: {DEAR: refused, FINE: total}
  total:
    compute: {cents: "cents % 1000 + (days > 7 ? 10 : 0)", items: "[item, 'a'] + ['b']"}
    with: {cents: $.nodes.price.cents, days: 3, item: $.payload.item}
    next: {SUCCESS: file}
  file:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_ORDERS_V0
    with: {key: $.payload.item, value: {item: $.payload.item, cents: $.nodes.total.cents}}
    next: {SUCCESS: left, ALREADY_EXISTS: left}
  left:
    use: CS_RECORDS_V0.GET
    store: ST_STOCK_V0
    with: {key: $.payload.item}
    next: {SUCCESS: announce, NOT_FOUND: announce}
  announce:
    use: CS_EVENTS_V0.APPEND
    store: ST_SHOP_EVENTS_V0
    event: EV_ORDERED_V0
    with: {record: {item: $.payload.item, at: $.run.started_at}}
    next: {SUCCESS: done}
exits:
  done:
    status: COMPLETED
    result: {cents: $.nodes.total.cents, note: {$first: [$.payload.note, {$literal: {a: $.b}}]}}
  refused: {status: DENIED, result: {why: {$first: [$.nodes.dear.because, $$none]}}}
  failed: {status: FAILED}
"""
STD = ("domain", "registry", "records", "events")


class Hang(BaseException):
    """A case took too long; no `except Exception` may swallow this."""


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Raise Hang when what happens inside works too long, or waits for something that never comes.

    Its own work is what counts: beside others on a busy machine the same takes many times as long.
    """

    def bark(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = {number: signal.signal(number, bark) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(10 * SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def laid(folder: Path) -> Path:
    """Lay a small shop into a folder, compile it and run it once, as trace T1."""
    shutil.copytree(PRELUDE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "protocols" / "shop" / "fuzz.yaml").write_text(WORKFLOW)
    (folder / "protocols" / "std").mkdir()
    for name in STD:  # a library of its own, of which less has to be compiled each time
        shutil.copy(ROOT / "protocols" / "std" / f"{name}.yaml", folder / "protocols" / "std")
    (folder / "payload.json").write_text(json.dumps(PAYLOAD))
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled workspace with one trace; nobody changes it."""
    place = laid(tmp_path_factory.mktemp("fuzz") / "shop")
    assert main(["compile", "--workspace", str(place)]) == 0
    assert main(["run", "--workspace", str(place), "--wf", ADDRESS, "--payload", str(place / "payload.json"),
                 "--trace-id", "T1", "--no-picture"]) == 0  # fmt: skip
    return place


@pytest.fixture
def door(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Call a command with `--json` or without, and hold it to its exit statuses; return what `--json` printed."""
    monkeypatch.setenv("OMNIBACHI_DEBUG", "1")
    capfd.readouterr()
    turn = iter(range(10**9))

    def call(*arguments: str) -> Any:
        as_json = next(turn) % 4 != 0
        with watched():
            status = main([*arguments, *(["--json"] if as_json else [])])
        said = capfd.readouterr()
        assert status in ANSWERS[arguments[0]], (status, arguments, said.out[-2000:], said.err[-2000:])
        assert "Traceback" not in said.err
        if not as_json:
            assert status == 0 or said.out or said.err
            return None
        found = json.loads(said.out)
        assert found["exit_code"] == status and found["ok"] == (status == 0)
        return found

    return call


def cases(count: int) -> Any:
    """Return the seeds, in groups that name the failing one quickly."""
    return pytest.mark.parametrize("group", range(count * SCALE))


def seeds(group: int, size: int) -> Iterator[tuple[int, Random]]:
    """Yield (seed, generator) of a group."""
    for seed in range(group * size, (group + 1) * size):
        yield seed, Random(seed)


@cases(3)
def test_spoilt_protocols(group: int, shop: Path, door: Callable[..., Any], tmp_path: Path) -> None:
    place = tmp_path / "shop"
    shutil.copytree(shop, place)
    files = sorted((place / "protocols" / "shop").glob("*.yaml"))
    for seed, random in seeds(group, 12):
        target = random.choice([*files, place / "protocols" / "shop" / "fuzz.yaml"])
        good = target.read_text()
        target.write_bytes(text_mutated(good, random))
        before = tree(place / "protocol_snapshot")
        found = door("compile", "--workspace", str(place))
        after = tree(place / "protocol_snapshot")
        assert {path.name for path in place.iterdir() if path.name.startswith(".")} <= {".omnibachi"}, seed
        if found and not found["ok"]:
            assert after == before, seed
            assert found["diagnostics"], seed
            for item in found["diagnostics"]:
                assert item["message"] and (item["line"] is None or item["line"] >= 1), seed
        elif found:
            door(
                "run",
                "--workspace",
                str(place),
                "--wf",
                ADDRESS,
                "--payload",
                str(place / "payload.json"),
                "--no-picture",
            )
        target.write_text(good)


BIG = """\
workflow: WF_BIG_V0
summary: Big.
intent: IN_ORDER_V0
start: n0
fault: failed
exits: {failed: {status: FAILED}}
nodes:
"""
LAST = "  n{n}: {compute: {a: '1'}, next: {SUCCESS: failed}}\n"
INTENT = "intent: IN_BIG_V0\npayload: "
MANY: dict[str, tuple[str, str, int, str]] = {  # what it begins with, a line and how often, what it ends with
    "targets that are not there": (BIG, "  n{n}: {compute: {a: '1'}, next: {SUCCESS: some{n}}}\n", 3000, ""),
    "nodes that are not there": (
        BIG, "  n{n}: {compute: {a: x}, with: {x: $.nodes.m{n}.a}, next: {SUCCESS: n{m}}}\n", 2000, LAST,
    ),
    "values that come too late": (
        BIG, "  n{n}: {compute: {a: x}, with: {x: $.nodes.n{m}.a}, next: {SUCCESS: n{m}}}\n", 2000, LAST,
    ),
    "rows": (
        BIG + "  n0:\n    with: {x: $.payload.quantity}\n    next: {A: failed}\n    decide:\n",
        "      - {when: 'x == {n}', outcome: A}\n", 6000, "      - {outcome: A}\n",
    ),
    "values of an enum": (INTENT + "{type: object, properties: {a: {enum: [", "a{n}, ", 30_000, "a]}}}\n"),
    "unlike records": (
        BIG + "  n0: {compute: {a: x}, next: {SUCCESS: failed}, with: {x: [", "{a{n}: {n}}, ", 15_000, "1]}}\n",
    ),
    "artifacts of one name": ("", "---\nintent: IN_BIG_V0\npayload: {}\n", 8000, ""),
    "keywords that nobody knows": (
        INTENT + "\n  type: object\n  properties:\n", "    a{n}: {tpe: text}\n", 4000, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MANY)
def test_thousands_of_mistakes_take_no_hour(what: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What grows with the square of a source would take minutes here, or hours."""
    place = laid(tmp_path / "shop")
    head, line, times, end = MANY[what]
    lines = [line.replace("{n}", str(n)).replace("{m}", str(n + 1)) for n in range(times)]
    text = head + "".join(lines) + end.replace("{n}", str(times))
    (place / "protocols" / "shop" / "big.yaml").write_text(text)
    with watched():
        status = main(["compile", "--workspace", str(place)])
    said = capfd.readouterr()
    assert status in (0, 3)
    shown = said.err.count("error[")
    assert shown <= 100 and (shown < 100 or "more, which `--json` lists too" in said.err)


@cases(4)
def test_spoilt_payloads(group: int, shop: Path, door: Callable[..., Any], tmp_path: Path) -> None:
    data, traces = tmp_path / "data", shop / "traces"
    good = json.dumps(PAYLOAD, ensure_ascii=False).encode()
    file = tmp_path / "payload.json"
    for seed, random in seeds(group, 12):
        spoilt = _payload(good, random)
        file.write_bytes(spoilt)
        before = tree(traces)
        trace_id = f"P{seed}"
        found = door("run", "--workspace", str(shop), "--data-root", str(data), "--wf", ADDRESS, "--payload", str(file),
                     "--no-picture", "--trace-id", trace_id)  # fmt: skip
        after = {name for name in tree(traces) if name not in before}
        if found and found["exit"] is None:
            assert not after, seed
        elif found:
            assert after == {f"{trace_id}/{trace_id}.{kind}" for kind in ("jsonl", "md")}, seed
            verdict = door("verify", "--data-root", str(data), str(traces / trace_id / f"{trace_id}.jsonl"))
            assert verdict is None or verdict["verdict"] != "BROKEN", seed
        shutil.rmtree(traces / trace_id, ignore_errors=True)


def _payload(good: bytes, random: Random) -> bytes:
    what = random.randrange(3)
    if what == 0:
        return bytes_mutated(good, random)
    if what == 1:
        spoilt = json_mutated(PAYLOAD, random)
        return json.dumps(spoilt, ensure_ascii=random.randrange(2) == 0).encode("utf-8", "surrogatepass")
    return random.choice(WHOLE)(random)


WHOLE: tuple[Callable[[Random], bytes], ...] = (
    lambda random: b"[" * random.choice((63, 64, 65, 1000, 200_000)),
    lambda random: b'{"a":' * random.choice((63, 65, 5000)) + b"1" + b"}" * random.choice((63, 65, 5000)),
    lambda random: random.choice(
        (b"", b" ", b"null", b"[]", b'"x"', b"{}", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"{}{}", b"NaN")
    ),
    lambda random: b'{"item": "' + b"x" * random.choice((40, 41, 1_000_000)) + b'", "quantity": 1}',
    lambda random: b'{"item": "a", "quantity": ' + b"9" * random.choice((15, 16, 17, 400, 5000)) + b"}",
    lambda random: bytes(random.randrange(256) for _ in range(random.choice((1, 10, 300)))),
)


@cases(3)
def test_spoilt_snapshots(group: int, shop: Path, door: Callable[..., Any], tmp_path: Path) -> None:
    """Spoilt bytes are refused; so is what was spoilt together with every digest over it, unless it is sound."""
    place = tmp_path / "shop"
    shutil.copytree(shop, place)
    snapshot = place / "protocol_snapshot"
    whole = tree(snapshot)
    for seed, random in seeds(group, 8):
        name = random.choice(sorted(whole))
        resealed = name.endswith(".json") and random.randrange(3) != 0
        if resealed:
            spoilt = json_mutated(json.loads(whole[name]), random)
            try:
                (snapshot / name).write_bytes(pretty(spoilt))
            except TypeError:  # a lone surrogate: no tool of ours could have written it
                (snapshot / name).write_bytes(json.dumps(spoilt).encode())
            _resealed(snapshot, name)
        else:
            (snapshot / name).write_bytes(bytes_mutated(whole[name], random))
        traces = tree(place / "traces")
        said = door(
            "run", "--workspace", str(place), "--wf", ADDRESS, "--payload", str(place / "payload.json"), "--no-picture"
        )
        if said and said["exit"] is None:
            assert tree(place / "traces") == traces, seed
        door("verify", "--workspace", str(place), str(snapshot))
        door("show", "--workspace", str(place), ADDRESS)
        door("replay", "--workspace", str(place), str(place / "traces" / "T1" / "T1.jsonl"), "--snapshot", str(place))
        door("examine", "--workspace", str(place), str(place / "traces" / "T1" / "T1.jsonl"))
        for file, data in whole.items():
            (snapshot / file).write_bytes(data)


def _resealed(snapshot: Path, name: str) -> None:
    """Write the digest of a spoilt file into the manifest, and the manifest's beside it."""
    manifest = snapshot / "manifest.json"
    if name != manifest.name:
        index = json.loads(manifest.read_bytes())
        found = digest((snapshot / name).read_bytes())
        for entry in (*index["domains"].values(), *index["workflows"].values()):
            entry.update({"sha256": found} if entry["file"] == name else {})
            entry.update({"origins_sha256": found} if entry.get("origins") == name else {})
        manifest.write_bytes(pretty(index))
    (snapshot / "manifest.sha256").write_text(digest(manifest.read_bytes()) + "\n")


@cases(3)
def test_spoilt_traces(group: int, shop: Path, door: Callable[..., Any], tmp_path: Path) -> None:
    """A spoilt trace is BROKEN; one that was chained anew is not, and is examined and replayed all the same."""
    whole = (shop / "traces" / "T1" / "T1.jsonl").read_bytes()
    file = tmp_path / "T1.jsonl"
    place = str(shop)
    for seed, random in seeds(group, 10):
        if random.randrange(2):
            spoilt = bytes_mutated(whole, random) if random.randrange(3) else text_mutated(whole.decode(), random)
            file.write_bytes(spoilt)
            said = door("verify", "--workspace", place, str(file))
            assert said is None or said["verdict"] == "BROKEN" or spoilt in (whole, *_cuts(whole)), seed
        else:
            file.write_bytes(_chained(whole, random))
            door("verify", "--workspace", place, str(file))
        before = tree(shop / "traces")
        door("examine", "--workspace", place, str(file))
        door("examine", "--workspace", place, str(file), "--select", "$..outcome")
        door("replay", "--workspace", place, str(file))
        assert tree(shop / "traces") == before, seed


def _cuts(record: bytes) -> list[bytes]:
    """Return what is left of a record when lines are cut off its end: unfinished, and nothing is wrong with it."""
    lines = record.splitlines(keepends=True)
    return [b"".join(lines[:count]) for count in range(1, len(lines))]


def _chained(record: bytes, random: Random) -> bytes:
    """Spoil bodies or obs of a record and chain its lines anew."""
    pairs = [(line["body"], line["obs"]) for line in map(json.loads, record.splitlines())]
    for _ in range(random.choice((1, 1, 3))):
        place = random.randrange(len(pairs))
        what = random.randrange(5)
        if what == 0 and len(pairs) > 1:
            del pairs[place]
        elif what == 1:
            pairs.insert(random.randrange(len(pairs)), pairs[place])
        elif what == 2:
            pairs[place] = (pairs[place][0], json_mutated(pairs[place][1], random))
        else:
            pairs[place] = (json_mutated(pairs[place][0], random), pairs[place][1])
    lines, prev = [], ZERO
    for body, obs in pairs:
        try:
            line, prev = link(encode(body), encode(obs), prev)
        except TypeError:  # a lone surrogate: nothing encodes it
            continue
        lines.append(line)
    return b"".join(lines)
