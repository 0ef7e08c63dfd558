"""`CS_EMAIL_V0` against real SMTP servers: one that works, and ones that hang up, refuse and stall at every stage."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import SMTP
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from omnibachi_capabilities import mail
from omnibachi_model.digests import digest_of
from test_web import a_call, self_signed

YOU = ["you@example.org", "her@example.org"]
LETTER: dict[str, Any] = {"from": "me@example.org", "to": YOU, "subject": "grün", "text": "a\n.\nß\n"}
MESSAGE_ID = f"<{digest_of(['R1', 'ask'])[7:47]}@omnibachi>"


class Kept:
    """Keeps the letters that the server takes over."""

    def __init__(self) -> None:
        self.letters: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.letters.append(envelope)
        return "250 kept"


@contextmanager
def a_server(**more: Any) -> Iterator[tuple[Kept, int]]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    kept = Kept()
    controller = Controller(kept, hostname="127.0.0.1", port=port, **more)
    controller.start()
    try:
        yield kept, port
    finally:
        controller.stop()


def sent(port: int, *hosts: str, deadline_ms: int | None = None, **more: Any) -> Any:
    declared = hosts or (f"127.0.0.1:{port}",)
    call = a_call(None, *declared, deadline_ms=deadline_ms)
    return mail.send({"server": f"127.0.0.1:{port}", **LETTER, **more}, None, call)


def test_a_letter_arrives() -> None:
    with a_server() as (kept, port):
        assert sent(port) == ("SUCCESS", {"message_id": MESSAGE_ID})
    (envelope,) = kept.letters
    assert (envelope.mail_from, envelope.rcpt_tos) == (LETTER["from"], LETTER["to"])
    letter: Any = message_from_bytes(envelope.content, policy=SMTP)
    assert (letter["Subject"], letter["Message-ID"], letter["To"]) == ("grün", MESSAGE_ID, ", ".join(YOU))
    assert letter.get_content().replace("\r\n", "\n") == LETTER["text"]


def test_a_certificate_that_nobody_vouches_for_ends_it(tmp_path: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))
    with a_server(tls_context=context) as (kept, port):
        assert sent(port) == ("BACKEND_ERROR", {"reason": "no-trust"})
    assert kept.letters == []


def test_a_letter_goes_over_tls_where_that_is_offered(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    monkeypatch.setattr(mail, "public", lambda address: True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with a_server(tls_context=context, require_starttls=True) as (kept, port):
        assert sent(port)[0] == "SUCCESS"
    assert len(kept.letters) == 1


def test_a_stranger_is_told_nothing_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "public", lambda address: True)
    with a_server() as (kept, port):
        assert sent(port) == ("BACKEND_ERROR", {"reason": "no-trust"})
    assert kept.letters == []


def test_nobody_is_asked_who_is_not_declared() -> None:
    with a_server() as (kept, port):
        for hosts in ((f"127.0.0.1:{port + 1}",), ("127.0.0.1",), (f"http://127.0.0.1:{port}",)):
            assert sent(port, *hosts)[0] == "VIOLATION"
        assert (
            mail.send({"server": f"localhost:{port}", **LETTER}, None, a_call(None, f"localhost:{port}"))[0]
            == "VIOLATION"
        )
        for server in ("", "127.0.0.1", f"http://127.0.0.1:{port}", f"me@127.0.0.1:{port}"):
            assert mail.send({"server": server, **LETTER}, None, a_call(None, f"127.0.0.1:{port}"))[0] == "VIOLATION"
    assert kept.letters == []


@pytest.mark.parametrize(
    "more",
    [{"from": "me"}, {"from": "me@example.org>"}, {"to": ["you@example.org\r\nDATA"]}, {"to": ["a@b", "c d@e"]},
     {"subject": "a\r\nBcc: x@example.org"}, {"to": ["me@exämple.org"]}, {"text": "x" * 1_100_000}],
)  # fmt: skip
def test_letters_that_cannot_be_sent(more: dict[str, Any]) -> None:
    with a_server() as (kept, port):
        assert sent(port, **more) == ("VIOLATION", {"reason": "the letter is none that can be sent"})
    assert kept.letters == []


class Odd(socketserver.ThreadingTCPServer):
    """A server that goes wrong at one stage, in one way."""

    daemon_threads = True

    def __init__(self, stage: str, way: str) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.stage, self.way = stage, way
        self.closing = threading.Event()


class _Talk(socketserver.StreamRequestHandler):
    server: Odd

    def say(self, stage: str, text: str) -> bool:
        """Say something, but at the stage where it goes wrong; tell whether the talk goes on."""
        if stage == self.server.stage:
            way = self.server.way
            if way == "stall":
                self.server.closing.wait(10)
            elif way != "drop":
                self.wfile.write(f"{way}\r\n".encode())
            return way not in ("stall", "drop")
        self.wfile.write(f"{text}\r\n".encode())
        return True

    def handle(self) -> None:
        going = self.say("greeting", "220 here")
        while going and (line := self.rfile.readline()):
            word = line.split()[0].lower().decode()
            going = self.say(word, "354 go on" if word == "data" else "250 well")
            if word == "data" and going and self.server.stage != "data":
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                going = self.say("end", "250 kept")


@pytest.mark.parametrize("way", ["drop", "stall", "550 no", "451 later", "nonsense"])
@pytest.mark.parametrize("stage", ["greeting", "mail", "rcpt", "data", "end"])
def test_what_goes_wrong_is_certain_until_the_data_begin(stage: str, way: str) -> None:
    server = Odd(stage, way)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        outcome, output = sent(server.server_address[1], deadline_ms=500 if way == "stall" else 5000)
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
    unsure = stage == "end" and way in ("drop", "stall", "nonsense")
    assert outcome == ("OUTCOME_UNKNOWN" if unsure else "BACKEND_ERROR"), output
    assert unsure or output["reason"] in ("no-answer", f"refused {way[:3] if way[0].isdigit() else -1}")


def test_nobody_at_home_is_certain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert sent(port) == ("BACKEND_ERROR", {"reason": "no-connection"})
    assert sent(port, deadline_ms=-5) == ("BACKEND_ERROR", {"reason": "no-time"})
