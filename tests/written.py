"""Generated texts of expressions, from a table of forms.

A form is a text with slots: `<integer>` is filled with an expression of that kind, in brackets only where it holds a
condition `?:` (which binds loosest), so that precedence is put to the test as well.
"""

from __future__ import annotations

import re

from hypothesis import strategies as st

from generated import Schema
from omnibachi_compiler.fits import Presence, member
from omnibachi_compiler.kinds import kinds

Forms = dict[str, tuple[str, ...]]

LEAVES: Forms = {
    "boolean": ("true", "false", "b", "c", "has(p.f)", "has(p.g)"),
    "integer": ("0", "1", "2", "3", "7", "100", "9007199254740991", "i", "j", "i", "j", "p.f", "p.g", "l[0]"),
    "number": ("0.5", "1.5", "2.0", "3.0", "1e3", "n", "o", "n", "o"),
    "string": ("''", "'a'", '"b"', "'ab'", "'\\u00e9'", "'a\\'b'", "'\\x41'", '"\\n"', "'𝄞'", "s", "t", "u[1]"),
    "integers": ("l", "[1, 2]", "[]", "[i, j,]"),
    "any": ("x", "y", "p", "u", "null"),
}
# What Google's CEL and this language both have, and take alike where both give a value.
COMMON: Forms = {
    "boolean": (
        *(f"(<integer>) {sign} (<integer>)" for sign in ("==", "!=", "<", "<=", ">", ">=")),
        *(f"(<number>) {sign} (<number>)" for sign in ("==", "<", ">=")),
        *(f"(<string>) {sign} (<string>)" for sign in ("==", "!=", "<", "<=")),
        "<integer> < <integer>", "<integer> + 1 >= <integer> * 2",
        "<boolean> && <boolean>", "<boolean> || <boolean>", "<boolean> || <boolean> && <boolean>",
        "!(<boolean>)", "!b", "!!c", "(<boolean>) == (<boolean>)", "(<boolean>) != (<boolean>)",
        "(<integer>) in (<integers>)", "(<string>) in u", "(<string>) in p", "(<integers>) == (<integers>)",
        "(<string>).startsWith(<string>)", "(<string>).endsWith(<string>)", "(<string>).contains(<string>)",
        "(<boolean>) ? <boolean> : <boolean>",
        "(<integers>).all(m, <asked>)", "(<integers>).exists(m, <asked>)", "(<integers>).exists_one(m, <asked>)",
        "u.exists(w, w.contains(s))", "u.map(w, {'f': size(w)}).all(r, r.f > 0)",
    ),
    "asked": ("m > <few>", "m == <few>", "m % 2 == 0", "6 / m > <few>", "l.exists(k, k == m)", "l.all(k, k <= m)",
              "m in l && m != <few>", "m > 0 ? 6 / m > 1 : b", "true", "{'f': m, 'g': b}.g"),
    "made": ("m", "m * 2", "m - <few>", "6 / m", "size(l.filter(k, k < m))", "l[m]", "{'f': m}.f"),
    "few": ("0", "1", "-1", "i", "p.f"),
    "integer": (
        *(f"<integer> {sign} <integer>" for sign in "+-*/%"),
        *(f"<integer> {sign} (<integer>)" for sign in "-*/%"),
        "-(<integer>)", "-5", "- i", "size(<string>)", "size(<integers>)", "(<string>).size()", "size(p)",
        "(<integers>)[<integer>]", "l[<integer>]", "p['f']", "(<boolean>) ? <integer> : <integer>",
        "b ? <integer> : c ? <integer> : <integer>", "size((<integers>).filter(m, <asked>))",
        "size(u.map(w, w + s)[0])", "{'f': <integer>, 'g': 0,}.f", "size({'f': <string>})",
    ),
    "number": (*(f"<number> {sign} <number>" for sign in "+-*/"), "<number> - (<number>)", "-(<number>)",
               "(<boolean>) ? <number> : <number>"),
    "string": ("<string> + <string>", "u[<integer>]", "(<boolean>) ? <string> : <string>", "string(<integer>)",
               "string(<boolean>)", "string(<string>)"),
    "integers": ("(<integers>) + (<integers>)", "[<integer>, <integer>]", "(<boolean>) ? <integers> : <integers>",
                 "(<integers>).filter(m, <asked>)", "(<integers>).map(m, <made>)", "l.map(m, <asked>, <made>)"),
}  # fmt: skip
# What only this language has: open names `x y`, types, null, guards, integers beside numbers.
OWN: Forms = {
    "boolean": (
        *COMMON["boolean"],
        "type(<any>) == '<type>'", "type(<any>) != '<type>'", "<any> == null", "<any> != null", "<any> == <any>",
        "<any> < <any>", "type(x) == '<type>' && <any> == x", "x != null && <boolean>", "has(x.f) && x.f == <any>",
        "has(p.f) && <boolean>", "type(x.f) == '<type>' || <boolean>", "!(type(x) == 'integer') || x < <integer>",
        "x", "<any> in <any>", "x >= 0 && x <= 10 && <boolean>", "!has(p.f) || p.f > i", "has(x.a.b)",
        "x.all(m, <asked>)", "x.exists(m, m == x)", "x.filter(m, type(m) == '<type>').all(m, type(m) == '<type>')",
        "{'f': <any>}.f == <any>",
    ),
    "asked": (*COMMON["asked"], "m", "type(m) == '<type>'", "m == null", "has(m.f) && m.f == 1", "x.exists(k, k == m)"),
    "made": (*COMMON["made"], "{'f': m, 'x': x}", "m.f", "[m, x]", "string(m)", "x.map(k, [k, m])"),
    "few": COMMON["few"],
    "integer": (*COMMON["integer"], "x", "x['f']", "x[<integer>]", "i > 0 ? 100 / i : i", "size(x)",
                "type(x) == 'integer' ? x : 0", "x == null ? 0 : x"),
    "number": (*COMMON["number"], "<integer> * <number>", "<number> / <integer>", "<integer> / <number>", "x", "x / 2",
               "type(x) == 'number' ? x : 1.5"),
    "string": (*COMMON["string"], "x", "type(<any>)", "type(x) == 'string' ? x : 'a'",
               "string(x)", "string(<any>)"),
    "integers": (*COMMON["integers"], "x", "x.filter(m, has(m.f) && type(m.f) == 'integer').map(m, m.f)",
                 "x.map(m, <asked>, <made>)", "u.map(w, {'w': w, 'x': x})", "y.filter(m, m != null).map(m, <made>)"),
    "any": ("<boolean>", "<integer>", "<number>", "<string>", "<integers>", "x", "y", "x.f", "x.a.b", "p", "u",
            "[<any>]", "b ? <any> : <any>", "null", "{'f': <any>, 'g': <any>}"),
    "type": ("integer", "number", "string", "boolean", "null", "list", "record"),
}  # fmt: skip
_SLOT = re.compile(r"<(\w+)>")


@st.composite
def texts(draw: st.DrawFn, forms: Forms, kind: str = "boolean", depth: int = 3, leaves: Forms = LEAVES) -> str:
    """Draw an expression of a kind; at depth 0 one of the leaves, or a form where its kind has none."""
    ends = leaves.get(kind, forms[kind])
    form = draw(st.sampled_from(ends if depth == 0 or draw(st.integers(0, 5)) == 0 else forms[kind]))
    out, at = "", 0
    for slot in _SLOT.finditer(form):
        inner = draw(texts(forms, slot.group(1), max(depth - 1, 0), leaves))
        bare = form[: slot.start()].endswith(("(", ": ", "[")) or form == slot.group()
        out += form[at : slot.start()] + (f"({inner})" if "?" in inner and not bare else inner)
        at = slot.end()
    return out + form[at:]


def expression_forms(types: dict[str, Schema]) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Return forms and leaves of expressions over names of these types, with guards for what may be absent or null."""
    leaves: dict[str, list[str]] = {
        "boolean": [], "integer": ["0", "2", "9007199254740991"], "number": ["0.5", "2.0"],
        "string": ["''", "'a'", "'ab'"], "list": ["[1, 2]", "[]"], "any": ["null"],
    }  # fmt: skip
    forms: dict[str, list[str]] = {
        "boolean": [
            "<integer> < <integer>", "<number> >= <number>", "(<string>) == (<string>)", "(<boolean>) && (<boolean>)",
            "(<boolean>) || (<boolean>)", "!(<boolean>)", "<any> == null", "type(<any>) == 'integer'",
            "(<any>) == (<any>)", "(<integer>) in (<list>)", "size(<string>) > <integer>",
            "(<list>).exists(m, m == null)", "(<list>).all(m, type(m) == 'integer')", "(<list>).exists_one(m, m == 1)",
        ],
        "integer": ["<integer> + <integer>", "<integer> * <integer>", "<integer> / <integer>", "<integer> % 7",
                    "<integer> / 3", "size(<list>)", "(<boolean>) ? <integer> : <integer>", "-(<integer>)",
                    "(<list>)[<integer>]", "<integer> - <integer>"],
        "number": ["<number> + <number>", "<number> * <integer>", "(<boolean>) ? <number> : <number>", "<integer>"],
        "string": ["<string> + <string>", "(<boolean>) ? <string> : <string>", "type(<any>)", "string(<integer>)"],
        "list": ["(<list>).map(m, [m])", "(<list>).filter(m, type(m) == 'integer' && m > 1)",
                 "[<any>]", "[<integer>, <integer>]", "(<list>) + (<list>)", "(<boolean>) ? <list> : <list>"],
        "any": ["<integer>", "<string>", "<boolean>", "<list>", "(<boolean>) ? <any> : <any>", "[<any>][0]",
                "{'r': <any>}"],
    }  # fmt: skip
    for text, kind in _readings(types):
        named = kinds(kind)
        leaves["any"].append(text)
        for name, word, other in (
            ("boolean", "boolean", "false"), ("number", "integer", "0"), ("number", "number", "0.5"),
            ("string", "string", "'a'"), ("array", "list", "[]"),
        ):  # fmt: skip
            if name not in named:
                continue
            if named == {name}:
                leaves[word].append(text)
                forms[word].append(text)
            else:
                forms[word] += [f"type({text}) == '{word}' ? {text} : {other}", text]
                if named == {name, "null"}:
                    forms[word] += [f"{text} == null ? {other} : {text}"] * 2
                    forms["boolean"].append(f"{text} != null && ({text}) == {other}")
    for text, kind in _readings(types):
        if "object" in kinds(kind):
            for key in (*kind.get("properties", {}), *("q" * (kind.get("additionalProperties", True) is not False))):
                forms["boolean"].append(f"has({text}.{key})")
                forms["any"] += [f"has({text}.{key}) ? {text}.{key} : null", f"{text}.{key}"]
                forms["boolean"].append(f"!has({text}.{key}) || {text}.{key} == <any>")
    leaves["boolean"] = leaves["boolean"] or ["size('a') == 1 && 1 < 2"]
    return {key: tuple(value) for key, value in forms.items()}, {key: tuple(value) for key, value in leaves.items()}


def _readings(types: dict[str, Schema]) -> list[tuple[str, Schema]]:
    """Return the names and what is in them, where it is certain to be there."""
    found = list(types.items())
    for text, schema in found:
        if len(text) < 8 and kinds(schema) == {"object"}:
            for key in schema.get("properties", {}):
                inner, presence = member(schema, key)
                if presence is Presence.ALWAYS:
                    found.append((f"{text}.{key}", inner))
        if len(text) < 8 and kinds(schema) == {"array"} and schema.get("minItems", 0):
            found.append((f"{text}[0]", member(schema, 0)[0]))
    return found
