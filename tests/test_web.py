"""`CS_HTTP_V0` against a real server: what comes of good, broken, late and huge answers, and what never leaves."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handmade import Ticking
from neighbours import BROKEN, House
from omnibachi_capabilities import exchange, web
from omnibachi_model.digests import digest_of
from omnibachi_runtime.sites import Call

MS = 1_000_000
SENDING = {"POST": web.post, "PUT": web.put, "DELETE": web.delete}


class Wall:
    """The clock on the wall."""

    def now_ns(self) -> int:
        import time

        return time.time_ns()


@pytest.fixture(scope="module", name="house")
def open_house() -> Iterator[House]:
    with House() as house:
        yield house


def a_call(house: House | None = None, *hosts: str, deadline_ms: int | None = None) -> Call:
    """Return what a call knows; the house is declared."""
    clock: Any = Wall()
    declared = (*hosts, *([f"127.0.0.1:{house.port}"] if house is not None else []))
    deadline = None if deadline_ms is None else clock.now_ns() + deadline_ms * MS
    return Call("R1", "ask", deadline, clock, Ticking(), None, declared)  # type: ignore[arg-type]


def get(house: House, target: str, **more: Any) -> Any:
    return web.get({"url": house.base + target, **more}, None, a_call(house))


def post(house: House, target: str, **more: Any) -> Any:
    return web.post({"url": house.base + target, **more}, None, a_call(house))


@pytest.mark.parametrize("method", SENDING)
def test_what_is_sent(house: House, method: str) -> None:
    house.forget()
    given = {"url": f"{house.base}/a%20b?c=d", "headers": {"X-A": "b", "authorization": "Bearer t"}, "body": {"b": [1]}}
    outcome, output = SENDING[method](given, None, a_call(house))
    (asked,) = house.asked
    assert (outcome, output["status"], output["body"]) == ("SUCCESS", 200, {"n": 1})
    assert (asked.method, asked.target, asked.body) == (method, "/a%20b?c=d", b'{"b":[1]}')
    wanted = {
        "host": f"127.0.0.1:{house.port}", "x-a": "b", "authorization": "Bearer t", "connection": "close",
        "content-type": "application/json", "idempotency-key": digest_of(["R1", "ask"]), "content-length": "9",
    }  # fmt: skip
    assert wanted.items() <= asked.headers.items()


def test_a_get_has_no_key_and_a_text_is_sent_as_one(house: House) -> None:
    house.forget()
    assert get(house, "/x")[0] == "SUCCESS"
    assert (
        post(house, "/x", body="grün")[0]
        == post(house, "/x", headers={"Content-Type": "a/b"}, body="x")[0]
        == "SUCCESS"
    )
    assert post(house, "/x")[0] == "SUCCESS"
    first, text, named, nothing = house.asked
    assert "idempotency-key" not in first.headers and "content-length" not in first.headers
    assert (text.body, text.headers["content-type"]) == ("grün".encode(), "text/plain; charset=utf-8")
    assert named.headers["content-type"] == "a/b" and nothing.headers["content-length"] == "0"


def test_what_is_answered(house: House) -> None:
    found = {path: get(house, path) for path in ("/chunks", "/text", "/bytes", "/wide", "/nan", "/error", "/empty")}
    assert {outcome for outcome, _ in found.values()} == {"SUCCESS"}
    told = {path: (output["status"], output["body"]) for path, (_, output) in found.items()}
    assert told == {
        "/chunks": (200, "one and two"), "/text": (200, "grün"), "/bytes": (200, {"base64": "/wA="}),
        "/wide": (200, '{"n": 123456789012345678901234567890}'), "/nan": (200, "[NaN]"),
        "/error": (503, {"what": "no"}), "/empty": (204, ""),
    }  # fmt: skip
    assert get(house, "/until-closed")[1]["body"] == "all of it"
    assert get(house, "/twice")[1]["body"] == {"n": 1}
    headers = get(house, "/cookies")[1]["headers"]
    assert (headers["set-cookie"], headers["x-latin"]) == ("a=1, b=2", "\xe9")


@pytest.mark.parametrize("path", [*BROKEN, "/before"])
def test_no_whole_answer_is_no_answer(house: House, path: str) -> None:
    """Of a reading nothing is known then; of what was sent nobody knows whether it was done."""
    assert get(house, path) == ("BACKEND_ERROR", {"reason": "no-answer"})
    house.forget()
    assert post(house, path) == ("OUTCOME_UNKNOWN", {})
    assert len(house.asked) == 1 and len(house.done) == (path != "/before")


@pytest.mark.parametrize("path", ["/late", "/never", "/drip"])
def test_it_is_cut_at_its_deadline(house: House, path: str) -> None:
    """The runtime makes TIMEOUT of it: the deadline has passed."""
    call = a_call(house, deadline_ms=100)
    assert web.post({"url": house.base + path}, None, call) == ("OUTCOME_UNKNOWN", {})
    assert call.deadline is not None and call.deadline < call.clock.now_ns() < call.deadline + 5000 * MS


def test_a_deadline_that_has_passed_sends_nothing(house: House) -> None:
    house.forget()
    assert web.post({"url": f"{house.base}/x"}, None, a_call(house, deadline_ms=-5))[0] == "BACKEND_ERROR"
    assert house.asked == []


def test_nobody_at_home_is_certain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    call = a_call(None, f"127.0.0.1:{port}", "no-such-name.invalid")
    assert web.post({"url": f"http://127.0.0.1:{port}/"}, None, call) == ("BACKEND_ERROR", {"reason": "no-connection"})
    assert web.post({"url": "http://no-such-name.invalid/"}, None, call) == ("BACKEND_ERROR", {"reason": "no-address"})


def test_what_speaks_no_tls_is_certain(house: House) -> None:
    """The handshake comes before the first byte of the request."""
    house.forget()
    outcome, output = web.post({"url": f"https://127.0.0.1:{house.port}/"}, None, a_call(house, deadline_ms=300))
    assert outcome == "BACKEND_ERROR" and output["reason"] in ("no-trust", "no-connection")
    # The greeting is random bytes, which may hold the end of a line; of the request there is nothing.
    assert not any("HTTP" in line or "POST" in line for line in house.done)


def test_a_certificate_that_nobody_vouches_for_is_certain(tmp_path: Any) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                with context.wrap_socket(listening.accept()[0], server_side=True) as spoken:
                    heard.append(spoken.recv(10))
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        call = a_call(None, f"https://127.0.0.1:{port}")
        found = web.post({"url": f"https://127.0.0.1:{port}/"}, None, call)
        thread.join()
    assert found == ("BACKEND_ERROR", {"reason": "no-trust"}) and heard in ([], [b""])


def test_over_tls(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name must be the one that was asked for, whoever vouches for the certificate."""
    certificate, key = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with House() as house:
        house.socket = context.wrap_socket(house.socket, server_side=True)
        call = a_call(house, f"localhost:{house.port}")
        found = web.post({"url": f"https://127.0.0.1:{house.port}/x"}, None, call)
        assert (found[0], found[1].get("body"), len(house.done)) == ("SUCCESS", {"n": 1}, 1)
        broken = web.post({"url": f"https://127.0.0.1:{house.port}/short"}, None, call)
        assert broken == ("OUTCOME_UNKNOWN", {})
        other = web.post({"url": f"https://localhost:{house.port}/x"}, None, call)
        assert (other, len(house.done)) == (("BACKEND_ERROR", {"reason": "no-trust"}), 1)


def self_signed(folder: Any) -> tuple[str, str]:
    """Make a certificate for 127.0.0.1 that only its own key vouches for."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "next door")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return str(folder / "c.pem"), str(folder / "k.pem")


def test_nothing_leaves_for_what_is_not_declared(house: House) -> None:
    house.forget()
    port = house.port
    refused = [
        (f"http://127.0.0.1:{port}/", ()), (f"http://127.0.0.1:{port}/", ("127.0.0.1", "localhost")),
        (f"http://127.0.0.1:{port}/", (f"https://127.0.0.1:{port}",)), (f"http://127.0.0.1:{port}/", ("127.0.0.1:1",)),
        (f"http://localhost:{port}/", (f"127.0.0.1:{port}",)),  # the name is not declared
        (f"http://localhost:{port}/", (f"localhost:{port}",)),  # and where it leads is not
        (f"http://2130706433:{port}/", (f"2130706433:{port}",)), (f"http://127.1:{port}/", (f"127.1:{port}",)),
        (f"http://[::ffff:127.0.0.1]:{port}/", (f"[::ffff:127.0.0.1]:{port}".replace("ffff", "fffe"),)),
        (f"ftp://127.0.0.1:{port}/", (f"127.0.0.1:{port}",)), (f"http://u@127.0.0.1:{port}/", (f"127.0.0.1:{port}",)),
        (f"http://127.0.0.1:{port}\\@example.org/", (f"127.0.0.1:{port}",)),
        (f"http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y", (f"127.0.0.1:{port}",)), ("", (f"127.0.0.1:{port}",)),
    ]  # fmt: skip
    for url, hosts in refused:
        outcome, output = web.post({"url": url}, None, a_call(None, *hosts))
        assert (outcome, list(output)) == ("VIOLATION", ["reason"]), url
    assert house.asked == []
    call = a_call(None, f"localhost:{port}", f"127.0.0.1:{port}")
    assert web.post({"url": f"http://localhost:{port}/"}, None, call)[0] == "SUCCESS"


def test_a_name_is_resolved_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is connected to is the address that was judged, whatever the name means a moment later."""
    answers = iter([["192.0.2.1", "10.0.0.7", "127.0.0.1"], ["10.0.0.7"]])
    reached: list[Any] = []

    def resolve(host: str, port: int, type: int = 0) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port)) for found in next(answers)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(
        exchange, "_opened", lambda place, plain, address, *ends: reached.append(address) or _hang(plain)
    )
    call = a_call(house, f"api.example.org:{house.port}")
    assert web.get({"url": f"http://api.example.org:{house.port}/"}, None, call)[1] == {"reason": "no-connection"}
    assert reached == [("127.0.0.1", house.port)]
    assert web.get({"url": f"http://api.example.org:{house.port}/"}, None, call)[0] == "VIOLATION"


def _hang(plain: socket.socket) -> Any:
    plain.close()
    raise ConnectionRefusedError


def test_no_redirection_is_followed(house: House) -> None:
    house.forget()
    outcome, output = get(house, "/moved")
    assert (outcome, output["status"], output["headers"]["location"]) == (
        "SUCCESS", 302, "http://127.0.0.1:1/elsewhere",
    )  # fmt: skip
    assert len(house.asked) == 1


@pytest.mark.parametrize(
    "headers",
    [{"Host": "example.org"}, {"idempotency-key": "mine"}, {"Transfer-Encoding": "chunked"}, {"A": "1", "a": "2"},
     {"A": "b\r\nC: d"}, {"A\r\nB": "c"}, {"": "x"}, {"A B": "c"}, {"A": "\u20ac"}, {"A": "x" * 9000}],
)  # fmt: skip
def test_headers_that_cannot_be_sent(house: House, headers: dict[str, str]) -> None:
    house.forget()
    assert post(house, "/x", headers=headers)[0] == "VIOLATION"
    assert post(house, "/x", body="x" * (exchange.MOST_BODY + 1))[0] == "VIOLATION"
    assert house.asked == []


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3), st.text(max_size=12))
def test_no_input_says_more_than_it_may(headers: dict[str, str], tail: str) -> None:
    """Whatever is given, what would be written is one request to this host, or nothing."""
    url = f"http://127.0.0.1:9/{tail}"
    place = web.read_url(url)
    try:
        assert place is not None
        data = web._written("POST", place, {"url": url, "headers": headers, "body": "x"}, "k")
    except (AssertionError, web._Refused):
        return
    lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert lines[0].startswith(b"POST /") and lines[0].count(b" ") == 2
    assert all(re.match(rb"[!-9;-~]+: [^\r\n]*\Z", line) for line in lines[1:])
    assert sum(line.lower().startswith(b"host:") for line in lines) == 1
