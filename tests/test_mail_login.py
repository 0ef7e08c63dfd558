"""Logins of `CS_EMAIL_V0`: said over TLS or on this machine, and to nobody else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from omnibachi_capabilities import mail
from test_mail import MESSAGE_ID, Kept, a_server, sent
from test_web import self_signed

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
LOGIN = {"user": "shöp", "password": "pässwört 17"}


class Guard:
    """Lets one user in, and notes what everybody said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any, Any]] = []

    def __call__(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.said.append((mechanism, data.login, data.password))
        known = (data.login, data.password) == tuple(text.encode() for text in LOGIN.values())
        return AuthResult(success=known, handled=False)


@contextmanager
def guarded(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, *, tls: bool, **more: Any
) -> Iterator[tuple[Guard, Kept, int]]:
    guard = Guard()
    if tls:
        certificate, key = self_signed(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        more |= {"tls_context": context, "require_starttls": True}
    with a_server(authenticator=guard, auth_required=True, auth_require_tls=tls, **more) as (kept, port):
        yield guard, kept, port


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("without", [(), ("PLAIN",)])
def test_who_may_send_logs_in(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, tls: bool, without: tuple[str, ...]
) -> None:
    with guarded(tmp_path, monkeypatch, tls=tls, auth_exclude_mechanism=without) as (guard, kept, port):
        assert sent(port, login=LOGIN) == ("SUCCESS", {"message_id": MESSAGE_ID})
    assert [said[0] for said in guard.said] == ["LOGIN" if without else "PLAIN"]
    assert len(kept.letters) == 1


def test_a_wrong_password_and_no_login_are_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with guarded(tmp_path, monkeypatch, tls=False) as (_, kept, port):
        assert sent(port, login={**LOGIN, "password": "guessed"}) == ("BACKEND_ERROR", {"reason": "refused 535"})
        assert sent(port)[0] == "BACKEND_ERROR"
    assert kept.letters == []


def test_a_stranger_in_the_clear_hears_no_password(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with guarded(tmp_path, monkeypatch, tls=False) as (guard, kept, port):
        monkeypatch.setattr(mail, "ipaddress", SimpleNamespace(ip_address=lambda text: Elsewhere()))
        assert sent(port, login=LOGIN) == ("BACKEND_ERROR", {"reason": "no-trust"})
    assert (guard.said, kept.letters) == ([], [])


class Elsewhere:
    """An address of another machine."""

    is_loopback = False


def test_a_server_that_knows_no_login(tmp_path: Any) -> None:
    with a_server() as (kept, port):
        assert sent(port, login=LOGIN) == ("BACKEND_ERROR", {"reason": "no-login"})
    assert kept.letters == []
