"""The same values in any layout that strict YAML allows: styles, quotes, indents, blank lines and comments at random.

Every comment that is written is also returned, so that a test need not find them in the text itself.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from omnibachi_compiler.scalars import is_typed

PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$./")


class Relaid:
    """One writing of some documents; `comments` are those that were put in."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.comments: list[str] = []
        self.standing = ""  # how a block scalar just above ends its lines, if there is one

    def text(self, documents: list[Any]) -> str:
        """Write documents, one after the other."""
        parts = []
        for number, value in enumerate(documents):
            lead = "---" + self._behind() + "\n" if number or self._chance(4) else ""
            parts.append(lead + self._above("") + self._root(value) + self._above(""))
            if number + 1 < len(documents) and self._chance(6):
                parts.append("...\n")
        return "".join(parts)

    def _root(self, value: Any) -> str:
        if isinstance(value, dict | list) and value and not self._chance(6):
            return self._block(value, 0)
        return self._inline(value, "  ") + self._behind() + "\n"

    def _block(self, value: Any, indent: int) -> str:
        pad, out = " " * indent, ""
        for item in value.items() if isinstance(value, dict) else value:
            out += self._above(pad)
            self.standing = ""
            key, inner = item if isinstance(value, dict) else (None, item)
            head = pad + ("-" if key is None else self._key(key) + self._chance(6) * " " + ":")
            if isinstance(inner, dict | list) and inner and not self._chance(3):
                out += self._nested(head, key, inner, indent)
            elif isinstance(inner, str) and inner.strip() and self._chance(3):
                out += self._standing(head, inner, indent)
            else:
                out += f"{head} {self._inline(inner, pad + '   ')}{self._behind()}\n"
        return out

    def _nested(self, head: str, key: str | None, inner: Any, indent: int) -> str:
        if key is None and self._chance(2):
            wide = self.random.choice((2, 3, 5))
            written = self._block(inner, indent + wide)
            first, _, rest = written.partition("\n")
            if first.strip() and not first.strip().startswith("#"):
                return f"{head}{' ' * (wide - 1)}{first.lstrip()}\n{rest}"
            return f"{head}\n{written}"
        flat = isinstance(inner, list) and key is not None and self._chance(3)
        return f"{head}{self._behind()}\n{self._block(inner, indent + (0 if flat else self.random.choice((1, 2, 4))))}"

    def _standing(self, head: str, text: str, indent: int) -> str:
        if not all(char.isprintable() or char == "\n" for char in text) or text.startswith((" ", "\n")):
            return f"{head} {self._quoted(text)}\n"
        pad = " " * (indent + self.random.choice((1, 2, 3)))
        keep = "" if text.endswith("\n") and not text.endswith("\n\n") else "+" if text.endswith("\n") else "-"
        lines = text.removesuffix("\n").split("\n")
        self.standing = keep or "clip"
        return f"{head} |{keep}{self._behind()}\n" + "".join(f"{pad}{line}\n" if line else "\n" for line in lines)

    def _inline(self, value: Any, pad: str) -> str:
        if isinstance(value, dict | list) and value:
            begin, end = "{}" if isinstance(value, dict) else "[]"
            parts = []
            for item in value.items() if isinstance(value, dict) else value:
                written = self._inline(item, pad) if isinstance(value, list) else ""
                if isinstance(value, dict):
                    written = f"{self._key(item[0])}: {self._inline(item[1], pad)}"
                parts.append(self._break(pad) + written + self._break(pad))
            return begin + ",".join(parts) + ("," + self._break(pad) if self._chance(8) else "") + end
        if isinstance(value, dict | list):
            return self.random.choice(("{}", "{ }") if isinstance(value, dict) else ("[]", "[ ]"))
        return self._quoted(value) if isinstance(value, str) else json.dumps(value)

    def _key(self, text: str) -> str:
        if "\n" in text or len(text) > 100:
            return self._double(text)
        return self._quoted(text, whole=True)

    def _quoted(self, text: str, whole: bool = False) -> str:
        plain = text and set(text) <= PLAIN and not is_typed(text) and not text.startswith((".", "/"))
        if plain and not self._chance(3):
            return text
        if text.isprintable() and self._chance(2):
            single = "'" + text.replace("'", "''") + "'"
            return single.replace(" ", "\n        ", 1) if not whole and self._folds(text) else single
        double = self._double(text)
        return double.replace(" ", "\n        ", 1) if not whole and self._folds(text) else double

    def _double(self, text: str) -> str:
        # Halves of surrogate pairs, which JSON writes, are refused.
        return json.dumps(text, ensure_ascii=max(text, default="") <= "\uffff" and self._chance(2))

    def _folds(self, text: str) -> bool:
        return "  " not in text and text == text.strip() and " " in text and self._chance(3)

    def _break(self, pad: str) -> str:
        if not self._chance(12):
            return " " * self.random.randrange(2)
        return self._behind() + "\n" + self._above(pad) + pad

    def _above(self, pad: str) -> str:
        """Write blank lines and comments that stand alone, at any depth."""
        out = ""
        while self._chance(7) and self.standing != "+":
            out += "\n" * self.random.randrange(4)
            if self._chance(2):
                # Below a block scalar, what stands further in would be its text.
                anywhere = pad if self.standing else " " * self.random.randrange(8)
                out += self.random.choice((pad, pad, anywhere)) + self._comment() + "\n"
        return out

    def _behind(self) -> str:
        return self.random.choice((" ", "   ")) + self._comment() if self._chance(8) else ""

    def _comment(self) -> str:
        signs = self.random.choice(("", " a: b", "#", " - x", " 'y", " {z"))
        self.comments.append(f"# {len(self.comments)}{signs}")
        return self.comments[-1]

    def _chance(self, of: int) -> bool:
        return self.random.randrange(of) == 0
