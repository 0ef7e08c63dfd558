"""Passwords that stand in the address of a database, kept out of whatever is told.

An address is given on the command line, and a command line that is not understood is quoted. So every diagnostic passes
through here, wherever it is made.
"""

from __future__ import annotations

import re

_USER = re.compile(r"(postgres(?:ql)?:/+[^\s:@/`]*):[^\s`]*@")
_PARAMETER = re.compile(r"(postgres(?:ql)?:/+[^\s`]*?[?&](?:password|passfile|sslpassword)=)[^\s&`]*")


def without_passwords(text: str) -> str:
    """Return a text with the passwords of PostgreSQL's addresses in it left out, however such an address is spoilt."""
    if "postgres" not in text:
        return text
    return _PARAMETER.sub(r"\1…", _USER.sub(r"\1@", text))
