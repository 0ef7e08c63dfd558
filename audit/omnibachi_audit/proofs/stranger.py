"""Verify a bundle of OmniBachi: one run, with everything that proves it, offline and without OmniBachi.

    python -I verify.py BUNDLE.zip [--trust FILE]        FILE: a trust file, or lines of public keys
    python -I verify.py [FOLDER]                         a bundle that was unpacked; by default, where this file lies

It needs Python 3.11 or later and the package `cryptography`. Exit status: 0 PROVEN (a key vouches for the run) or
INTACT (all parts fit together, and nobody vouches; with `--trust` that is 1), 4 BROKEN (what was tampered with is
named), 3 no bundle, 2 usage.

Whose keys they are, no bundle can say: without `--trust` those that lie in it are used, and who made the bundle chose
them. This file knows nothing but the formats (docs/formats.md of OmniBachi), on purpose: it is a second reading.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import os
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

NEEDED = ("bundle.json", "keys.json", "manifest.json", "trace.jsonl", "verify.py", "workflow.json")
ALLOWED = (*NEEDED, "manifest.sig.json", "trace.sig.json", "trace.tlog-proof")
BESIDE = ("manifest", "approval")  # what is said of these does not vouch for the run
TAIL = re.compile(rb',"prev":"(sha256:[0-9a-f]{64})","hash":"(sha256:[0-9a-f]{64})"}\Z')


class Bad(Exception):
    """A part that is not what it should be: which, and why."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part}: {reason}")


def digest(data: bytes) -> str:
    """Return `sha256:` and the hex digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def strict(part: str, data: bytes | str) -> Any:
    """Read JSON without keys that stand twice; raises Bad."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    try:
        return json.loads(data if isinstance(data, str) else data.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Bad(part, f"no JSON ({error})") from None


def packed(parts: dict[str, bytes]) -> bytes:
    """Return the one archive that holds these parts: stored, by name, with one date, and nothing else in it."""
    body, index = io.BytesIO(), io.BytesIO()
    for name in sorted(parts):
        data, encoded, offset = parts[name], name.encode("ascii"), body.tell()
        sizes = struct.pack("<IIIHH", zlib.crc32(data), len(data), len(data), len(encoded), 0)
        made = struct.pack("<HHHHH", 20, 0, 0, 0, 33)  # version 2.0, no flags, stored, 1980-01-01 00:00
        body.write(b"PK\3\4" + made + sizes + encoded + data)
        index.write(b"PK\1\2" + struct.pack("<H", 0x314) + made + sizes)
        index.write(struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, offset) + encoded)
    start, listed = body.tell(), index.getvalue()
    end = struct.pack("<HHHHIIH", 0, 0, len(parts), len(parts), len(listed), start, 0)
    return body.getvalue() + listed + b"PK\5\6" + end


def unpacked(data: bytes, found: list[str]) -> dict[str, bytes]:
    """Take an archive apart; what does not hold goes into `found`. Raises Bad where it is none."""
    parts: dict[str, bytes] = {}
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except Exception as error:
        raise Bad("the archive", f"it cannot be read ({error})") from None
    for info in infos:
        name = info.filename
        try:
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > len(data) or name in parts:
                raise ValueError("it is not stored as a bundle stores its parts")
            parts[name] = archive.read(info)
        except Exception as error:
            parts[name] = b""
            found.append(f"{name}: it cannot be read ({error})")
    if not found and (not set(parts) <= set(ALLOWED) or packed(parts) != data):
        found.append("the archive: its bytes are not those that its parts give")
    return parts


def indexed(parts: dict[str, bytes], found: list[str]) -> str:
    """Compare every part with the index, and return the id of the run that the index names."""
    found += [f"{name}: it is missing" for name in sorted(set(NEEDED) - set(parts))]
    found += [f"{name!a}: it does not belong in a bundle" for name in sorted(set(parts) - set(ALLOWED))]
    index = strict("bundle.json", parts.get("bundle.json", b""))
    if not isinstance(index, dict) or set(index) != {"format", "run", "parts"} or not isinstance(index["parts"], dict):
        raise Bad("bundle.json", "it holds exactly `format`, `run` and `parts`")
    if index["format"] != "omnibachi.bundle/1":
        raise Bad("bundle.json", f"its format is {index['format']!a}, and this verifier knows omnibachi.bundle/1")
    if json.dumps(index, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n" != parts["bundle.json"]:
        raise Bad("bundle.json", "it is not written as an index is")
    listed = index["parts"]
    for name in sorted((set(parts) & set(ALLOWED) | set(listed)) - {"bundle.json"}):
        if name not in listed:
            found.append(f"{name}: bundle.json does not list it")
        elif name not in parts:
            found.append(f"{name!a}: bundle.json lists it, and it is missing")
        elif digest(parts[name]) != listed[name]:
            found.append(f"{name}: it is not what bundle.json lists")
    return str(index["run"])


def events_of(record: bytes) -> tuple[list[dict[str, Any]], list[bytes], str]:
    """Take a record apart along its chain: lines, the bytes of their bodies, the hash of the last; raises Bad."""
    lines, bodies, prev = [], [], "sha256:" + "0" * 64
    texts = record.split(b"\n")
    if texts.pop() != b"" or not texts:
        raise Bad("trace.jsonl", "it was cut: its last line has no end")
    for number, line in enumerate(texts, 1):
        part, tail = f"trace.jsonl, line {number}", TAIL.search(line)
        if tail is None or not line.startswith(b'{"body":'):
            raise Bad(part, "it has not the form of an event")
        if tail[1].decode() != prev:
            raise Bad(part, "it does not follow the line before: lines were removed, added or swapped")
        prev = tail[2].decode()
        if digest(line[: line.rindex(b',"hash"')]) != prev:
            raise Bad(part, "its hash is not that of its bytes: it was edited")
        value = strict(part, line)
        text = line.decode()
        body = text[8 : json.JSONDecoder().raw_decode(text, 8)[1]].encode()
        fits = set(value) == {"body", "obs", "prev", "hash"} and line.startswith(b',"obs":', 8 + len(body))
        if not fits or not isinstance(value["body"], dict) or not isinstance(value["obs"], dict):
            raise Bad(part, "it has not the form of an event")
        if value["obs"].get("seq") != number:
            raise Bad(part, "it is out of sequence")
        lines.append(value)
        bodies.append(body)
    return lines, bodies, prev


def head_of(record: bytes, run: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the head of the run and what its start observed; raises Bad."""
    lines, bodies, last = events_of(record)
    kinds = [line["body"].get("kind") for line in lines]
    first, seen = lines[0]["body"], lines[0]["obs"]
    if kinds[0] != "RUN_STARTED" or kinds[-1] != "RUN_FINISHED" or kinds.count("RUN_FINISHED") > 1:
        raise Bad("trace.jsonl", "it is not the record of a run from its start to its end")
    if seen.get("trace_id") != run:
        raise Bad("trace.jsonl", f"it is the record of {seen.get('trace_id')!a}, and bundle.json names {run!a}")
    counted = [body for body, kind in zip(bodies, kinds, strict=True) if kind != "RESUMED"]
    head = {"format": "omnibachi.head/1", "run": run, "workflow": first.get("workflow")}
    head |= {"workflow_digest": first.get("workflow_digest"), "digest": digest(b"".join(counted))}
    return {**head, "last": last, "events": len(lines)}, seen


def canonical(value: Any) -> bytes:
    """Write texts, whole numbers and what holds them as RFC 8785 does."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def behaviour(parts: dict[str, bytes], head: dict[str, Any], seen: dict[str, Any], found: list[str]) -> None:
    """Compare workflow and manifest with what the run says that it walked."""
    if digest(parts["workflow.json"]) != head["workflow_digest"]:
        found.append("workflow.json: it is not the workflow that the run walked")
    if digest(parts["manifest.json"]) != seen.get("seal"):
        found.append("manifest.json: it is not the manifest of the snapshot that the run walked")
        return
    manifest = strict("manifest.json", parts["manifest.json"])
    if manifest["workflows"].get(head["workflow"], {}).get("sha256") != head["workflow_digest"]:
        found.append("manifest.json: it does not list the workflow that the run walked")
    for address, lock in seen.get("capabilities", {}).items():
        if digest(canonical(manifest["capabilities"].get(address))) != lock:
            found.append(f"manifest.json: {address} is locked to other code there than the run says")


def plain(part: str, text: Any) -> bytes:
    """Read base64 in its one form; raises Bad."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        data = None
    if data is None or base64.b64encode(data).decode() != text:
        raise Bad(part, "something in it is no base64")
    return data


def keys_of(part: str, data: bytes) -> dict[str, dict[str, Any]]:
    """Return the keys of a trust file, or of lines of public keys, by their ids; raises Bad."""
    text = data.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        value = strict(part, text)
        entries = value.get("keys") if value.get("schema") == "omnibachi.trust/1" else None
    else:
        entries = [{"key": line, "roles": ["snapshot", "run", "checkpoint"]} for line in text.split()]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Bad(part, "it is no list of keys")
    keys = {}
    for entry in entries:
        name, _, rest = str(entry.get("key")).partition("+")
        raw = plain(part, rest.partition("+")[2])
        mark = hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
        if len(raw) != 33 or raw[0] != 1 or not rest.startswith(mark + "+"):
            raise Bad(part, f"{str(entry.get('key'))[:80]!a} is no key")
        keys[f"{name}+{mark}"] = {**entry, "raw": raw[1:]}
    return keys


def signs(key: dict[str, Any], message: bytes, signature: bytes) -> bool:
    """Tell whether a signature is this key's."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    with suppress(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(key["raw"]).verify(signature, message)
        return True
    return False


def objection(key: dict[str, Any], roles: list[str], at: str) -> str | None:
    """Say why what a key signed does not count, None where it does."""
    if key.get("revoked") is not None:
        return "its key was revoked"
    if not set(roles) & set(key["roles"]):
        return f"its key is not trusted as {' or '.join(f'`{role}`' for role in roles)}"
    bounds = (key.get("from") or at, at, key.get("until") or at)
    early, now, late = (datetime.fromisoformat(text.upper().replace("Z", "+00:00")) for text in bounds)
    return None if early <= now <= late else f"its key is not trusted at {at}"


def vouched(part: str, keys: Any, roles: list[str], message: bytes, signed: list[Any], at: str) -> tuple[str, bool]:
    """Return who signed, and whether that counts, or why not; raises Bad where a signature is forged."""
    notes = []
    for key_id, signature in signed:
        key = keys.get(key_id)
        if key is not None and not signs(key, message, signature):
            raise Bad(part, f"the signature is not one by {key_id}: it, its key or what it signs was changed")
        against = f"the key {key_id!a} is not known" if key is None else objection(key, roles, at)
        if against is None:
            return f"{part}: signed by {key_id}", True
        notes.append(against)
    return f"{part}: does not count: {'; '.join(notes)}", False


def statement(part: str, data: bytes, kinds: list[str], subject: Any, head: Any, keys: Any) -> tuple[str, bool]:
    """Check a DSSE envelope over an in-toto Statement of a kind (then: roles) about a subject; raises Bad."""
    value = strict(part, data)
    kind, payload = value["payloadType"], plain(part, value["payload"])
    if kind != "application/vnd.in-toto+json":
        raise Bad(part, "it is no envelope of a statement")
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
    said = strict(part, payload)
    signed = [(item["keyid"], plain(part, item["sig"])) for item in value["signatures"]]
    result = vouched(part, keys, kinds[1:] or kinds, message, signed, said["predicate"]["signed_at"])
    stated = [{"name": subject[0], "digest": {"sha256": subject[1].removeprefix("sha256:")}}]
    named = f"urn:omnibachi:{kinds[0]}:1"
    about = said["_type"] == "https://in-toto.io/Statement/v1" and said["predicateType"] == named
    if not about or said["subject"] != stated or {key: said["predicate"].get(key) for key in head} != head:
        raise Bad(part, f"it is not about {subject[0]} as it lies here")
    return result


def approved(record: bytes, run: str, keys: Any) -> Iterator[tuple[str, bool]]:
    """Check what people said where the run waited for them, and that the answer follows from it; raises Bad."""
    asked: dict[str, Any] = {}
    for number, line in enumerate(events_of(record)[0], 1):
        body, part = line["body"], f"trace.jsonl, line {number}"
        asked = body if body["kind"] == "WAITING" else asked
        decision = {"APPROVED": "APPROVE", "REJECTED": "REJECT"}.get(body["kind"] == "WAITED" and body["outcome"])
        if decision is None:
            continue
        envelopes = {item["key"]: item["envelope"] for item in line["obs"]["approvals"]}
        voices = body["output"]["approvals"] if decision == "APPROVE" else [body["output"]]
        names = {voice["key"].partition("+")[0] for voice in voices}
        signed = [[each["keyid"] for each in envelopes[voice["key"]]["signatures"]] for voice in voices]
        few = decision == "APPROVE" and len(names) != asked["quorum"]
        if few or signed != [[voice["key"]] for voice in voices]:
            raise Bad(part, "the answer does not follow from what people said")
        for voice in voices:
            subject = (f"{run}#{body['path']}", asked["subject"])
            stated, data = {"decision": decision, "because": voice["because"]}, canonical(envelopes[voice["key"]])
            said, counts = statement(part, data, ["approval", *asked["roles"]], subject, stated, keys)
            yield f"approval at {body['path']}, {said}", counts


def climbed(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """Climb from a leaf to the root that a path gives (RFC 9162, 2.1.3.2); None where it leads nowhere."""
    place, last, found = index, size - 1, hashlib.sha256(b"\0" + leaf).digest()
    for step in path:
        if last <= 0:
            return None
        if place % 2 or place == last:
            found = hashlib.sha256(b"\1" + step + found).digest()
            while place and not place % 2:
                place, last = place // 2, last // 2
        else:
            found = hashlib.sha256(b"\1" + found + step).digest()
        place, last = place // 2, last // 2
    return found if last == 0 and 0 <= index < size else None


def logged(part: str, data: bytes, leaf: bytes, keys: dict[str, Any]) -> tuple[str, bool]:
    """Check a proof that a checkpoint holds a leaf; raises Bad."""
    proof, _, note = data.decode().partition("\n\n")
    body, _, signatures = note.partition("\n\n")
    lines, three = proof.split("\n"), body.split("\n")
    plainly = re.fullmatch(r"c2sp\.org/tlog-proof@v1\nindex (0|[1-9]\d*)(\n[A-Za-z0-9+/=]+)*", proof, re.ASCII)
    if not plainly or len(three) != 3 or not signatures.endswith("\n"):
        raise Bad(part, "it has not the form of a proof")
    index, size, top = int(lines[1][6:]), int(three[1]), plain(part, three[2])
    if climbed(leaf, index, size, [plain(part, step) for step in lines[2:]]) != top:
        raise Bad(part, "it does not lead from this run to the root of its checkpoint")
    noted = [line.split(" ") for line in signatures[:-1].split("\n")]
    if any(dash != "—" for dash, _, _ in noted):
        raise Bad(part, "it has not the form of a proof")
    marks = (plain(part, encoded) for _, name, encoded in noted if name == three[0])
    signed = [(f"{three[0]}+{marked[:4].hex()}", marked[4:]) for marked in marks]
    now = datetime.now(UTC).isoformat()
    said, counts = vouched(part, keys, ["checkpoint"], f"{body}\n".encode(), signed, now)
    return f"{said} (run {index + 1} of {size})" if counts else said, counts


def verified(parts: dict[str, bytes], trusted: bytes | None, found: list[str]) -> list[tuple[str, bool]]:
    """Verify all parts: what is wrong goes into `found`; returned is who vouches, and whether that counts."""
    told: list[tuple[str, bool]] = []
    run = indexed(parts, found)
    if not set(NEEDED) <= set(parts):
        return told
    head, seen = head_of(parts["trace.jsonl"], run)
    behaviour(parts, head, seen, found)
    keys = keys_of("keys.json", parts["keys.json"])
    keys = keys if trusted is None else keys_of("the trust file", trusted)
    trace, manifest = (f"{run}.jsonl", digest(parts["trace.jsonl"])), ("manifest.json", digest(parts["manifest.json"]))
    checks: dict[str, Any] = {
        "manifest.sig.json": lambda part: [statement(part, parts[part], ["snapshot"], manifest, {"head": None}, keys)],
        "trace.sig.json": lambda part: [statement(part, parts[part], ["run"], trace, {"head": head}, keys)],
        "trace.tlog-proof": lambda part: [logged(part, parts[part], canonical(head), keys)],
        "trace.jsonl": lambda part: approved(parts[part], run, keys),
    }
    for part in sorted(set(parts) & set(checks)):
        try:
            told += checks[part](part)
        except (Bad, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            found.append(str(error) if isinstance(error, Bad) else f"{part}: it has not the form that it should have")
    return told


def content(place: str) -> bytes:
    """Read a file; raises OSError."""
    with open(place, "rb") as file:
        return file.read(1 << 30)


def main(arguments: list[str]) -> int:
    """Verify one bundle, say what is proven or broken, and return the exit status."""
    trust_file, given = None, list(arguments)
    if "--trust" in given[:-1]:
        trust_file = given.pop(given.index("--trust") + 1)
        given.remove("--trust")
    if len(given) > 1 or any(word.startswith("-") for word in given):
        print(__doc__)
        return 2
    found, told = list[str](), list[tuple[str, bool]]()
    try:
        trusted = None if trust_file is None else content(trust_file)
        place = given[0] if given else os.path.dirname(os.path.abspath(__file__))
        names = sorted(set(ALLOWED) & set(os.listdir(place))) if os.path.isdir(place) else []
        parts = {name: content(os.path.join(place, name)) for name in names} or unpacked(content(place), found)
        if parts.get("verify.py") not in (None, content(os.path.abspath(__file__))):
            found.append("verify.py: it is another verifier than the one that is running")
        told = verified(parts, trusted, found)
    except (OSError, ImportError) as error:
        print(f"cannot verify: {error}")
        return 3
    except Bad as bad:
        found.append(str(bad))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        found.append(f"a part has not the form that it should have ({error})")
    proven = any(counts for part, counts in told if not part.startswith(BESIDE))
    intact = "INTACT: the parts fit together, and nobody vouches for the run"
    print("BROKEN" if found else "PROVEN" if proven else intact)
    for line in [*found, *(line for line, _ in told)]:
        print(f"  {line}")
    if told and trust_file is None:
        print("  by keys that came with the bundle: whose they are you must know from elsewhere (--trust FILE)")
    return 4 if found else 1 if trust_file is not None and not proven else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
