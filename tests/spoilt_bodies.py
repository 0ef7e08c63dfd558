"""Bodies that nobody should send: good ones spoilt at a few places, large ones, and secrets of every listed kind."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from admitting import ANCHORED, in_form, said

junk = st.sampled_from([
    None, True, 0, -1, 2.0, 1e300, float("nan"), float("inf"), 2**53, -(2**70), "", " ", "x" * 129, "\ud800", "a\0b",
    [], {}, [[]], {"": {}}, {"_x": 1}, {"\udfff": 1}, {"😀": 1}, "sk-abcdef123456", {"token": "x"}, {"message": 1},
    {"message": "x" * 65_537}, {"message": "", "deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
    "flat", 3, {"payload": {"message": "x"}}, {"$secret": "DBL_PROVIDER"}, {"$withheld": "hmac-sha256:" + "0" * 64},
])  # fmt: skip
key = st.sampled_from([
    *ANCHORED, "correlation_id", "interface_version", "message", "budget", "max_tokens", "inputs", "declared_refs",
    "_envelope", "identity", "boundary", "form", "\ud800", "\0", "", "x" * 5000, "__proto__", "$ref", "policy", "obs",
])  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """Draw a body that is good, with a few of its places spoilt."""
    body: Any = in_form(draw(st.sampled_from(("flat", "v2", "v3"))), draw(said))
    body = copy.deepcopy(body)
    for _ in range(draw(st.integers(0, 3))):
        place = body
        while True:
            inner = [value for value in place.values() if type(value) is dict]
            if not inner or draw(st.booleans()):
                break
            place = draw(st.sampled_from(inner))
        if place and draw(st.booleans()):
            place[draw(st.sampled_from(sorted(place)))] = copy.deepcopy(draw(junk))
        elif place and draw(st.booleans()):
            del place[draw(st.sampled_from(sorted(place)))]
        else:
            place[draw(key)] = copy.deepcopy(draw(junk))
    return body


LARGE = [
    b"[" * 262_144, b'{"a":' * 52_000, b'{"' + b"x" * 200_000 + b'":1}', b"9" * 262_144, b'"' + b"\\" * 262_000,
    b'{"a":-' + b"0" * 200_000 + b"}", b'{"a":0.' + b"1" * 200_000 + b"}", b'{"a":1e' + b"9" * 200_000 + b"}",
    b'{"a":[' + b"{}," * 80_000 + b"{}]}", b'{"a":[' + b"1e300," * 40_000 + b"1]}",
    b'{"intent_type":"chat.message","payload":{"message":"x","m":[' + b'{"token":"x"},' * 17_000 + b"1]}}",
    b'{"intent_type":"chat.message","payload":{"message":"' + b"sk-" * 20_000 + b'"}}',
    b'{"intent_type":"chat.message","payload":{"message":"' + b"sk-a " * 13_000 + b'"}}',
    b'{"intent_type":"chat.message","payload":{"message":"' + b"-----BEGIN " * 5_900 + b'"}}',
    b'{"intent_type":"chat.message","payload":{"message":"' + b"eyJaaaaaaaa." * 5_400 + b'"}}',
    b'{"intent_type":"chat.message","payload":{"message":""},"declared_tools":[' + b"0," * 120_000 + b"0]}",
    b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    b'{"intent_type":"chat.message","payload":{' + b",".join(b'"_%d":1' % n for n in range(20_000)) + b"}}",
    b'{"intent_type":"chat.message","payload":{"message":""},"inputs":{'
    + b",".join(b'"k%d":0.5' % n for n in range(15_000)) + b"}}",
    b"{" + b",".join(b'"k%d":"\\u0000"' % n for n in range(15_000)) + b"}",
]  # fmt: skip

KEYS = ["api_key", "apikey", "authorization", "password", "secret", "token", "bearer"]
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----"
TOKENS = [
    "sk-abcdef1234567890", "sk-proj-abc_DEF123456", "sk-ant-api03-abcdefgh", "ghp_abcdefghijkl", "gho_abcdefgh1",
    "ghs_16C7e42F292c", "github_pat_11ABCDEFG0", "glpat-abcdefghij", "xoxb-1234567890-abc", "xoxp-1234567890",
    "xapp-1-A0123456", "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "ya29.a0AfH6SMBx", "hf_abcdefghij1", "npm_abcdefgh1234", "pypi-AgEIcHlwaS5vcmc", "sk_live_abcdefgh",
    "rk_test_abcdefgh", "SG.abcdefgh12.abcdefgh34", "dop_v1_abcdef0123456789", "shpat_abcdef0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", PEM, PEM.replace("RSA ", ""), PEM.replace("RSA", "OPENSSH"),
    "-----BEGIN PGP PRIVATE KEY BLOCK-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    "omnibachi_" + "Ab1_" * 10 + "xyz",
]  # fmt: skip
