"""What servers and their clients have alike before they begin: the HTTP stack is there, and the place to listen at may
be listened at, without tokens on this machine alone; and where they say that they are ready, and what happens."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from typing import IO

from omnibachi_model.diagnostics import Diagnostic, Refused

from . import wiring
from .exits import FINDINGS


def needs_http(*names: str) -> None:
    """Refuse (OB933) where what HTTP needs is not installed; `names` are those of `wiring` that will be used."""
    try:
        for name in names or ("serve", "gateway_app"):
            getattr(wiring, name)
    except ImportError as error:
        message = f"what HTTP needs cannot be loaded: {str(error).splitlines()[0]}"
        raise Refused([Diagnostic("OB933", message)], FINDINGS) from error


def listening_at(host: str, port: int, *, tokens: bool) -> socket.socket:
    """Return a socket that listens at a port, at a free one for 0.

    Raises Refused: OB930 taken, OB931 a host that is not loopback where there are no `tokens`, OB932 none to listen at.
    """
    shown = f"{host[:100]}:{port}"
    try:
        if not tokens and not _is_loopback(host):
            message = f"the host `{host[:100]}` is reached from elsewhere, and no token file says who may ask"
            raise Refused([Diagnostic("OB931", message)], FINDINGS)
        return wiring.bound(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused([Diagnostic("OB930", f"`{shown}` is taken by another program")], FINDINGS) from error
        reason = (error.strerror or str(error)).lower()
        raise Refused([Diagnostic("OB932", f"nobody can listen at `{shown}`: {reason}")], FINDINGS) from error
    except UnicodeError as error:
        raise Refused([Diagnostic("OB932", f"nobody can listen at `{shown}`: it is no name")], FINDINGS) from error


def log_stream() -> IO[bytes] | None:
    """Return where log lines go; None in a process that was started without a standard error."""
    return sys.stderr.buffer if sys.stderr is not None else None


def tell_ready(server: str, address: str) -> None:
    """Say where a server is to be found, now that it answers."""
    if sys.stderr is not None:
        print(f"omnibachi: {server} at {address}", file=sys.stderr, flush=True)


def _is_loopback(host: str) -> bool:
    """Tell whether every address that a host stands for is loopback; raises OSError and UnicodeError."""
    found = {str(item[4][0]) for item in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return all(ipaddress.ip_address(place.partition("%")[0]).is_loopback for place in found)
