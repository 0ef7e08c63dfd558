"""The parser of expressions: text with the syntax of CEL to a tree, and the tree to its sealed form.

Precedence from loose to tight, as in CEL: `?:` (to the right), `||`, `&&`, relations and `in`, `+ -`, `* / %`, then
`!` or `-`, then `.f`, `[i]` and calls. Functions are `size(x)`, `type(x)`, `string(x)`, `has(x.f)`; methods are
`x.size()`, `x.startsWith(y)`, `x.endsWith(y)`, `x.contains(y)`; macros go over the items of a list: `l.all(x, p)`,
`l.exists(x, p)`, `l.exists_one(x, p)`, `l.filter(x, p)`, `l.map(x, e)`. `l.map(x, p, e)` is read as
`l.filter(x, p).map(x, e)`.

Chains of `&&` and `||` become balanced trees: both are associative and go from left to right, and a long table of
alternatives stays shallow. Trees are at most 48 levels deep, since a sealed file has 64 in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from omnibachi_model.nearest import nearest
from omnibachi_model.values import admit

from .lexer import RESERVED, WORDS, Token, Wrong, tokens

MOST_CHARACTERS = 10_000
MOST_LEVELS = 48
MOST_NESTING = 40
MOST_MACROS = 2  # inside one another

FUNCTIONS = ("size", "type", "string", "has")
METHODS = {"size": 0, "startsWith": 1, "endsWith": 1, "contains": 1}
MACROS = {"all": "x, condition", "exists": "x, condition", "exists_one": "x, condition", "filter": "x, condition"}
MACROS["map"] = "x, value"

MIRROR = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}  # with the operands exchanged

Sealed: TypeAlias = list[Any]

_ELSEWHERE: dict[Any, str] = {"and": "&&", "or": "||", "is": "==", "not": "!"}  # what other languages write

_LEVELS: tuple[dict[str, str], ...] = (
    {"||": "or"},
    {"&&": "and"},
    {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "in": "in"},
    {"+": "add", "-": "sub"},
    {"*": "mul", "/": "div", "%": "mod"},
)


@dataclass(frozen=True, slots=True)
class Expression:
    """One node: an operation of the sealed form (docs/formats.md), its operands, and the stretch of text it covers.

    `operands` are expressions, but for `lit` a value (a float where the text has a point or an exponent), for `name`
    a name, for `get` and `has` a field in the second place, for a macro its variable there, and for `record` all its
    fields in the first place.
    """

    operation: str
    operands: tuple[Any, ...]
    start: int
    end: int
    depth: int = 1


@dataclass(frozen=True, slots=True)
class ExpressionError:
    """Why a text is no expression: the offset in characters from its start, the reason, what to do, and the code."""

    offset: int
    message: str
    help: str | None
    code: str = "OB215"


def parse_expression(text: str) -> Expression | ExpressionError:
    """Read an expression, or say where and why it is none."""
    if len(text) > MOST_CHARACTERS:
        return ExpressionError(0, f"an expression has at most {MOST_CHARACTERS} characters, not {len(text)}", None)
    try:
        parser = _Parser(tokens(text))
        found = parser.expression()
        parser.expect_end()
    except Wrong as wrong:
        return ExpressionError(wrong.offset, wrong.message, wrong.help, wrong.code)
    return found


def seal_expression(expression: Expression) -> Sealed:
    """Return the sealed form of an expression as it stands, without what the types of its names would add."""
    operation, operands = expression.operation, expression.operands
    if operation == "lit":
        return ["lit", admit(operands[0])]
    if operation == "list":
        return ["list", [seal_expression(item) for item in operands]]
    if operation == "record":
        return ["record", {key: seal_expression(item) for key, item in zip(operands[0], operands[1:], strict=True)}]
    return [operation, *(seal_expression(item) if isinstance(item, Expression) else item for item in operands)]


class _Parser:
    """A recursive-descent parser over tokens; raises Wrong."""

    __slots__ = ("_at", "_level", "_macros", "_tokens")

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0
        self._level = 0
        self._macros = 0

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _take(self, text: str) -> Token | None:
        """Take an operator if it is next."""
        token = self._peek()
        return self._next() if token.kind == "operator" and token.value == text else None

    def _expect(self, text: str) -> Token:
        token = self._take(text)
        if token is None:
            raise self._unexpected(f"`{text}` was expected")
        return token

    def _unexpected(self, wanted: str) -> Wrong:
        token = self._peek()
        if token.kind == "end":
            return Wrong(token.start, f"{wanted}, and the expression ends")
        if token.kind == "value" and not (token.value is None or isinstance(token.value, bool)):
            return Wrong(token.start, f"{wanted}, not a literal")
        words = {id(value): word for word, value in WORDS.items()}
        shown = token.value if token.kind != "value" else words[id(token.value)]
        return Wrong(token.start, f"{wanted}, not `{shown}`")

    def expect_end(self) -> None:
        """Refuse whatever stands after the expression."""
        token = self._peek()
        if token.kind != "end":
            wrong = self._unexpected("an operator or the end was expected")
            if token.value in METHODS:
                wrong.help = f"write `text.{token.value}(…)`"
            elif token.value in _ELSEWHERE:
                wrong.help = f"write `{_ELSEWHERE[token.value]}`"
            raise wrong

    def expression(self) -> Expression:
        """Read a whole expression: a condition or what binds tighter."""
        self._level += 1
        if self._level > MOST_NESTING:
            raise Wrong(self._peek().start, f"an expression is nested at most {MOST_NESTING} deep")
        found = self._binary(0)
        if self._take("?"):
            yes = self._binary(0)
            self._expect(":")
            no = self.expression()
            found = _made("if", (found, yes, no), found.start, no.end)
        self._level -= 1
        return found

    def _binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        names = _LEVELS[level]
        terms = [self._binary(level + 1)]
        while True:
            token = self._peek()
            if token.kind not in ("operator", "name") or token.value not in names:
                break
            operation = names[str(self._next().value)]
            right = self._binary(level + 1)
            if operation in ("and", "or"):
                terms.append(right)
            else:
                terms = [_made(operation, (terms[0], right), terms[0].start, right.end)]
        return _balanced(names[next(iter(names))], terms)

    def _unary(self) -> Expression:
        token = self._peek()
        for sign, operation in (("!", "not"), ("-", "neg")):
            count = 0
            while self._take(sign):
                count += 1
            if not count:
                continue
            found = self._postfix()
            value = found.operands[0] if found.operation == "lit" else None
            if operation == "neg" and isinstance(value, (int, float)) and not isinstance(value, bool):
                return _made("lit", (-value if count % 2 else value,), token.start, found.end)
            for _ in range(count):
                found = _made(operation, (found,), token.start, found.end)
            return found
        return self._postfix()

    def _postfix(self) -> Expression:
        found = self._primary()
        while True:
            if self._take("."):
                found = self._selected(found)
            elif self._take("["):
                index = self.expression()
                end = self._expect("]").end
                field = index.operands[0] if index.operation == "lit" else None
                if isinstance(field, str):
                    found = _made("get", (found, field), found.start, end)
                else:
                    found = _made("at", (found, index), found.start, end)
            else:
                return found

    def _selected(self, owner: Expression) -> Expression:
        """Read what stands after a point: a field or a method."""
        token = self._peek()
        if token.kind != "name" or token.value == "in":
            raise self._unexpected("a field or a method was expected after `.`")
        name = str(self._next().value)
        if not self._take("("):
            return _made("get", (owner, name), owner.start, token.end)
        if name in MACROS:
            return self._macro(name, token.start, owner)
        if name not in METHODS:
            raise Wrong(token.start, f"there is no method `{name}`", _known(name, (*METHODS, *MACROS), "method"))
        given, end = self._arguments()
        if len(given) != METHODS[name]:
            raise Wrong(token.start, f"`{name}` takes {METHODS[name] or 'nothing'} in its brackets")
        return _made(name, (owner, *given), owner.start, end)

    def _macro(self, name: str, start: int, owner: Expression) -> Expression:
        """Read what stands in the brackets of a macro: its variable, and what is asked or made of each item."""
        if self._macros == MOST_MACROS:
            advice = "compute a part of it in a node before"
            raise Wrong(start, f"macros are nested at most {MOST_MACROS} deep", advice, "OB226")
        self._macros += 1
        given, end = self._arguments()
        self._macros -= 1
        if len(given) != 2 and not (name == "map" and len(given) == 3):
            raise Wrong(start, f"`{name}` takes a variable and what it is for", f"write `list.{name}({MACROS[name]})`")
        if given[0].operation != "name":
            advice = f"write `list.{name}({MACROS[name]})`"
            raise Wrong(given[0].start, f"`{name}` begins with the name of its variable", advice)
        variable = given[0].operands[0]
        if len(given) == 3:
            owner = _made("filter", (owner, variable, given[1]), owner.start, given[1].end)
        return _made(name, (owner, variable, given[-1]), owner.start, end)

    def _arguments(self) -> tuple[list[Expression], int]:
        """Read expressions up to `)`."""
        given: list[Expression] = []
        closed = self._take(")")
        while not closed:
            given.append(self.expression())
            closed = self._take(")")
            if not closed:
                self._expect(",")
        return given, closed.end

    def _primary(self) -> Expression:
        token = self._peek()
        if token.kind == "value":
            self._next()
            return _made("lit", (token.value,), token.start, token.end)
        if token.kind == "name" and token.value != "in":
            self._next()
            return self._called(token) if self._take("(") else _name(token)
        if self._take("("):
            inner = self.expression()
            end = self._expect(")").end
            return _made(inner.operation, inner.operands, token.start, end)
        if self._take("["):
            return self._list(token)
        if self._take("{"):
            return self._record(token)
        raise self._unexpected("a value was expected")

    def _list(self, opened: Token) -> Expression:
        items: list[Expression] = []
        closed = self._take("]")
        while not closed:
            items.append(self.expression())
            closed = self._take("]")
            if not closed:
                self._expect(",")
                closed = self._take("]")
        return _made("list", tuple(items), opened.start, closed.end)

    def _record(self, opened: Token) -> Expression:
        items: dict[str, Expression] = {}
        closed = self._take("}")
        while not closed:
            token = self._peek()
            if token.kind != "value" or not isinstance(token.value, str):
                wrong = self._unexpected("the name of a field was expected, as text")
                wrong.help = f"write `'{token.value}': …`" if token.kind == "name" else "write `{'field': value}`"
                raise wrong
            if token.value in items:
                raise Wrong(token.start, f"the record has a field `{token.value}` already")
            self._next()
            self._expect(":")
            items[token.value] = self.expression()
            closed = self._take("}")
            if not closed:
                self._expect(",")
                closed = self._take("}")
        return _made("record", (tuple(items), *items.values()), opened.start, closed.end)

    def _called(self, token: Token) -> Expression:
        """Read a call of a function whose opening bracket was taken."""
        name = str(token.value)
        if name not in FUNCTIONS:
            if name in METHODS:
                raise Wrong(token.start, f"`{name}` is a method", f"write `text.{name}(…)`")
            if name in MACROS:
                raise Wrong(token.start, f"`{name}` is a method", f"write `list.{name}({MACROS[name]})`")
            if name in _ELSEWHERE:
                raise Wrong(token.start, f"`{name}` is no operator here", f"write `{_ELSEWHERE[name]}`")
            raise Wrong(token.start, f"there is no function `{name}`", _known(name, FUNCTIONS, "function"))
        given, end = self._arguments()
        if len(given) != 1:
            raise Wrong(token.start, f"`{name}` takes one value in its brackets")
        if name != "has":
            return _made(name, (given[0],), token.start, end)
        if given[0].operation != "get":
            raise Wrong(given[0].start, "`has` asks for a field", "write `has(record.field)`")
        return _made("has", given[0].operands, token.start, end)


def _name(token: Token) -> Expression:
    if token.value in RESERVED:
        raise Wrong(token.start, f"`{token.value}` is a reserved word", "choose another name in `with`")
    return _made("name", (token.value,), token.start, token.end)


def _made(operation: str, operands: tuple[Any, ...], start: int, end: int) -> Expression:
    depth = 1 + max((item.depth for item in operands if isinstance(item, Expression)), default=0)
    depth += operation in ("list", "record")  # the sealed form holds the items in a list or a record of their own
    if depth > MOST_LEVELS:
        raise Wrong(
            start, f"an expression is at most {MOST_LEVELS} operations deep", "compute a part of it in a node before"
        )
    return Expression(operation, operands, start, end, depth)


def _balanced(operation: str, terms: list[Expression]) -> Expression:
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    left, right = _balanced(operation, terms[:half]), _balanced(operation, terms[half:])
    return _made(operation, (left, right), left.start, right.end)


def _known(name: str, known: Any, what: str) -> str:
    near = nearest(name, known)
    return f"did you mean `{near}`?" if near else f"the {what}s are {', '.join(f'`{item}`' for item in known)}"
