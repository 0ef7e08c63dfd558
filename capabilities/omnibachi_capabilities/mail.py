"""`std::CS_EMAIL_V0`: one letter over SMTP (RFC 5321) to a declared server.

A server takes a letter over with its answer to the end of the data, and not before: whatever goes wrong until the data
begin is certain. With an address of the public internet nothing is said but over TLS. A login is said over TLS alone,
or to this machine itself.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import re
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from omnibachi_model.hosts import listed, public, read_server
from omnibachi_model.sealed import BACKEND_ERROR, OUTCOME_UNKNOWN, SUCCESS

from .exchange import MOST_BODY, Closed, Unsent, connected, seconds_of, secured, until, watched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from omnibachi_model.hosts import Place
    from omnibachi_model.ports import Call
    from omnibachi_model.values import Answer, Inputs

TLS_PORT = 465
GO_ON = 354
ADDRESS = re.compile(r"[!#-'*+/-9=?A-Z^-~-]+(?:\.[!#-'*+/-9=?A-Z^-~-]+)*@[A-Za-z0-9.-]{1,253}\Z")


class _Begun(Exception):
    """The data were begun, and no answer to their end came."""


def send(inputs: Inputs, store: None, call: Call) -> Answer:
    """Send one letter; its Message-ID is made of the call's key."""
    place = read_server(inputs["server"])
    if place is None or not listed(place, call.hosts):
        return "VIOLATION", {"reason": "the domain does not declare this server with its port"}
    try:
        number = f"<{call.key.removeprefix('sha256:')[:40]}@omnibachi>"
        letter = _written(inputs, number, call.clock.now_ns())
    except ValueError:
        return "VIOLATION", {"reason": "the letter is none that can be sent"}
    try:
        _delivered(place, call, inputs, letter)
    except Closed:
        return "VIOLATION", {"reason": "the server has no address that may be reached"}
    except Unsent as unsent:
        return BACKEND_ERROR, {"reason": str(unsent)}
    except _Begun:
        return OUTCOME_UNKNOWN, {}
    return SUCCESS, {"message_id": number}


def _written(inputs: Inputs, number: str, now_ns: int) -> bytes:
    """Write a letter out; raises ValueError for one that cannot be."""
    if not all(len(text) <= 254 and ADDRESS.match(text) for text in (inputs["from"], *inputs["to"])):
        raise ValueError("an address")
    letter = EmailMessage(SMTP.clone(cte_type="7bit"))
    letter["From"] = inputs["from"]
    letter["To"] = ", ".join(inputs["to"])
    letter["Subject"] = inputs["subject"]
    letter["Date"] = format_datetime(datetime.fromtimestamp(now_ns // 1_000_000_000, UTC))
    letter["Message-ID"] = number
    letter.set_content(inputs["text"])
    data = letter.as_bytes()
    if len(data) > MOST_BODY:
        raise ValueError("too large")
    return data


def _delivered(place: Place, call: Call, inputs: Inputs, letter: bytes) -> None:
    """Hand a letter over; raises Closed, Unsent and _Begun."""
    seconds = seconds_of(call)
    if seconds <= 0:
        raise Unsent("no-time")
    end = until(seconds)
    if place.port == TLS_PORT:
        place.scheme = "https"
    mail = smtplib.SMTP(local_hostname="[127.0.0.1]")
    mail.sock = connected(place, call.hosts, end, call.cancelled)
    mail._host = place.host  # type: ignore[attr-defined]
    begun = False
    try:
        with watched(lambda: mail.sock, end, call.cancelled) as cut:  # type: ignore[arg-type, return-value]
            _asked(mail, mail.getreply()[0], 220)
            _greeted(mail, place, end)
            if "login" in inputs:
                _logged_in(mail, inputs["login"])
            _asked(mail, mail.mail(inputs["from"])[0], 250)
            for to in inputs["to"]:
                _asked(mail, mail.rcpt(to)[0], 250, 251)
            _asked(mail, mail.docmd("data")[0], GO_ON)
            begun = True
            mail.send(smtplib._quote_periods(letter) + b".\r\n")  # type: ignore[attr-defined]
            code = mail.getreply()[0]
            if cut.is_set() or not (code == 250 or 400 <= code < 600):
                raise _Begun
            _asked(mail, code, 250)
    except (OSError, ValueError) as error:  # smtplib's own are OSErrors
        raise (_Begun if begun else Unsent("no-answer")) from error
    finally:
        with contextlib.suppress(OSError):
            mail.close()


def _greeted(mail: smtplib.SMTP, place: Place, end: float) -> None:
    """Say who asks, and go over to TLS where that is offered; without it only where no stranger listens."""
    mail.ehlo_or_helo_if_needed()
    if place.scheme == "https":
        return
    assert mail.sock is not None
    if mail.has_extn("starttls"):
        _asked(mail, mail.docmd("STARTTLS")[0], 220)
        try:
            mail.sock = secured(mail.sock, place.host, end)
        except ssl.SSLError as error:
            raise Unsent("no-trust") from error
        # What was said before counts no more (RFC 3207).
        mail.file = None
        mail.ehlo()
    elif public(mail.sock.getpeername()[0]):
        raise Unsent("no-trust")


def _logged_in(mail: smtplib.SMTP, login: Mapping[str, str]) -> None:
    """Prove who asks (RFC 4954), by PLAIN or LOGIN, where nobody else can listen; raises Unsent."""
    assert mail.sock is not None
    if not (isinstance(mail.sock, ssl.SSLSocket) or ipaddress.ip_address(mail.sock.getpeername()[0]).is_loopback):
        raise Unsent("no-trust")
    ways = str(mail.esmtp_features.get("auth", "")).upper().split()
    user, password = login["user"].encode(), login["password"].encode()
    if "PLAIN" in ways and b"\0" not in user + password:
        both = base64.b64encode(b"\0".join((b"", user, password))).decode()
        _asked(mail, mail.docmd("AUTH", f"PLAIN {both}")[0], 235)
    elif "LOGIN" in ways:
        _asked(mail, mail.docmd("AUTH", "LOGIN")[0], 334)
        _asked(mail, mail.docmd(base64.b64encode(user).decode())[0], 334)
        _asked(mail, mail.docmd(base64.b64encode(password).decode())[0], 235)
    else:
        raise Unsent("no-login")


def _asked(mail: smtplib.SMTP, code: int, *wanted: int) -> None:
    if code not in wanted:
        raise Unsent(f"refused {code}")
