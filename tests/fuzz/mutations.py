"""Damage to files: to their bytes, whatever is in them, and to what JSON and TOML say."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Accident:
    """What happens to a file at byte ``at``: to ``length`` bytes, or by writing ``other``."""

    kind: str
    at: int
    length: int = 1
    other: bytes = b""

    def to(self, content: bytes) -> bytes:
        """``content`` afterwards."""
        at = min(self.at, len(content))
        before, piece = content[:at], content[at : at + self.length]
        after = content[at + len(piece) :]
        match self.kind:
            case "cut":
                return before
            case "flip":
                return before + bytes(byte ^ 1 << self.length % 8 for byte in piece[:1]) + (
                    piece[1:] + after)
            case "write":
                return before + self.other + content[at + len(self.other) :]
            case "insert":
                return before + self.other + piece + after
            case "drop":
                return before + after
            case "zero":
                return before + bytes(len(piece)) + after
        return before + piece + piece + after


def accidents(content: bytes, most: int = 4) -> st.SearchStrategy[list[Accident]]:
    """One to ``most`` of them that may happen to ``content``."""
    return st.lists(st.builds(
        Accident, st.sampled_from(("cut", "flip", "write", "insert", "drop", "zero", "repeat")),
        at=st.integers(0, len(content)), length=st.integers(1, 64),
        other=st.binary(min_size=1, max_size=8),
    ), min_size=1, max_size=most)


def after(content: bytes, happened: list[Accident]) -> bytes:
    """``content`` after all that ``happened``."""
    for accident in happened:
        content = accident.to(content)
    return content


def cuts(content: bytes) -> st.SearchStrategy[int]:
    """How many bytes of ``content`` are left."""
    return st.integers(0, len(content) - 1)


class Twin(str):
    """A key that may stand in an object twice."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass(frozen=True)
class Raw:
    """A piece of a file, as it stands there."""

    text: str

    def __repr__(self) -> str:
        return f"Raw({self.text[:20]!r}…)" if len(self.text) > 20 else f"Raw({self.text!r})"


#: Brackets in brackets, deeper than any parser's stack.
DEEP = Raw("[" * 200_000 + "]" * 200_000)

#: Values that readers tend to forget.
ODD: st.SearchStrategy[Any] = st.sampled_from([
    None, True, False, 0, 1, -1, 2, 7, 255, 256, 2**31 - 1, 2**31, -(2**31) - 1, 2**53, 2**63 - 1,
    2**63, 2**64, 10**30, -(10**30), Raw("9" * 5000), 0.0, -0.0, 0.5, 2.0, 1e-320, 1e308,
    math.nan, math.inf, -math.inf, "", " ", "x", "1", "nan", "\0", "\n", "é", "x" * 10_000, "../x",
    "/", ".", "{}", [], {}, [[]], [None], [0], ["x"], {"type": "x"}, {"array": "x"}, {"": 0},
]) | st.integers() | st.text(max_size=8) | st.just(DEEP)


@st.composite
def twisted(draw, tree: Any, most: int = 3, odd: st.SearchStrategy[Any] = ODD) -> Any:
    """A JSON ``tree`` after one to ``most`` changes of a value, a key, or what holds them."""
    for _ in range(draw(st.integers(1, most))):
        tree = _at(tree, draw(st.sampled_from(_places(tree))), draw, odd)
    return tree


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(
        tree, list) else ()
    return [path, *(place for key, value in inner for place in _places(value, (*path, key)))]


def _at(tree: Any, path: tuple[Any, ...], draw: Callable, odd: st.SearchStrategy[Any]) -> Any:
    if len(path) > 1:
        copy = dict(tree) if isinstance(tree, dict) else list(tree)
        copy[path[0]] = _at(tree[path[0]], path[1:], draw, odd)
        return copy
    if not path:
        return draw(odd)
    key, value = path[0], tree[path[0]]
    kind = draw(st.sampled_from(("value", "drop", "again", "wrap", "move", "name")))
    if isinstance(tree, list):
        rest = [*tree[:key], *tree[key + 1 :]]
        match kind:
            case "drop":
                return rest
            case "again":
                return [*tree, value]
            case "move":
                return [*rest, value]
        return [*tree[:key], [value] if kind == "wrap" else draw(odd), *tree[key + 1 :]]
    rest = {name: other for name, other in tree.items() if name is not key}
    match kind:
        case "drop":
            return rest
        case "again":
            return {**tree, Twin(key): draw(odd)}
        case "move":
            other = draw(st.sampled_from(list(tree)))
            return {**tree, key: tree[other], other: value}
        case "name":
            return {**rest, draw(st.text(max_size=6)): value}
        case "wrap":
            return {**tree, key: [value]}
    return {**tree, key: draw(odd)}


def json_of(tree: Any) -> bytes:
    """``tree`` as a file: with NaN, twins and raw pieces, which no JSON library writes."""
    return _text(tree).encode("utf-8", "surrogatepass")


def _text(tree: Any) -> str:
    match tree:
        case Raw():
            return tree.text
        case dict():
            return "{" + ", ".join(
                f"{json.dumps(str(key))}: {_text(value)}" for key, value in tree.items()) + "}"
        case list():
            return "[" + ", ".join(map(_text, tree)) + "]"
    return json.dumps(tree)


def toml_of(tree: dict[str, Any]) -> bytes:
    """``tree`` as TOML, tables inline; it is no TOML where a value has no place in it."""
    return "".join(f"{_key(key)} = {_toml(value)}\n" for key, value in tree.items()).encode(
        "utf-8", "surrogatepass")


def _key(key: str) -> str:
    return json.dumps(str(key), ensure_ascii=False)


def _toml(value: Any) -> str:
    match value:
        case None:
            return "null"
        case Raw():
            return value.text
        case dict():
            return "{" + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case float() if not math.isfinite(value):
            return str(value)
    return json.dumps(value, ensure_ascii=False)
