"""Kinds of small faults, and what each makes of a node of the syntax tree.

They know Amaranth: what is an assignment, a condition, a shape, an initial value.
"""

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from .places import Place, called

SWAPPED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}
COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}


def operator(place: Place) -> Iterator[ast.AST]:
    """+ and -, & and |, << and >> swapped."""
    node = place.node
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPPED:
        yield _replaced(node, op=SWAPPED[type(node.op)]())


def comparison(place: Place) -> Iterator[ast.AST]:
    """< and <=, > and >=, == and != swapped."""
    node = place.node
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        yield _replaced(node, ops=[COMPARED[type(node.ops[0])](), *node.ops[1:]])


def constant(place: Place) -> Iterator[ast.AST]:
    """An integer one more, or one less."""
    number = _integer(place.node)
    if number is not None and place.role != "member":
        yield ast.Constant(number + 1)
        if number > 0:
            yield ast.Constant(number - 1)


def negation(place: Place) -> Iterator[ast.AST]:
    """A condition, in hardware or in Python, or an inverted signal, the other way round."""
    node: Any = place.node
    if place.role == "test":
        yield ast.UnaryOp(ast.Not(), deepcopy(node))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield deepcopy(node.operand)
    elif place.role == "condition":
        yield ast.Compare(deepcopy(node), [ast.Eq()], [ast.Constant(0)])


def branches(place: Place) -> Iterator[ast.AST]:
    """The two sides of a multiplexer swapped."""
    node = place.node
    if isinstance(node, ast.Call) and called(node) == "Mux" and len(node.args) == 3:
        yield _replaced(node, args=[node.args[0], node.args[2], node.args[1]])


def assignment(place: Place) -> Iterator[ast.AST]:
    """An assignment left out; Amaranth takes a list for a statement."""
    if called(place.node) == "eq":
        yield ast.List([], ast.Load())


def stuck(place: Place) -> Iterator[ast.AST]:
    """A counter that no longer counts."""
    node = place.node
    if not (isinstance(node, ast.Call) and called(node) == "eq"
            and isinstance(node.func, ast.Attribute)):
        return
    counter = ast.unparse(node.func.value)

    class Stop(ast.NodeTransformer):
        def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
            if isinstance(node.op, ast.Add | ast.Sub) and ast.unparse(node.left) == counter:
                return node.left
            return self.generic_visit(node)

    changed = deepcopy(node)
    changed.args[0] = Stop().visit(changed.args[0])
    yield changed


def init(place: Place) -> Iterator[ast.AST]:
    """A register that begins as another number."""
    node = place.node
    if not isinstance(node, ast.Call) or called(node) not in ("Signal", "In", "Out"):
        return
    named = {word.arg for word in node.keywords}
    if "init" in named:
        yield _replaced(node, keywords=[word for word in node.keywords if word.arg != "init"])
    elif called(node) == "Signal" and "reset_less" not in named and _is_number(node):
        yield _with(node, "init", 1)


def reset(place: Place) -> Iterator[ast.AST]:
    """A register that a reset leaves alone."""
    node = place.node
    if isinstance(node, ast.Call) and called(node) in ("Signal", "like") \
            and "reset_less" not in {word.arg for word in node.keywords}:
        yield _with(node, "reset_less", True)


def width(place: Place) -> Iterator[ast.AST]:
    """A bit fewer."""
    node = place.node
    if not isinstance(node, ast.Call) or not node.args:
        return
    shape = node.args[0]
    if called(node) == "signed":
        yield _replaced(node, args=[_less(shape)])
    elif called(node) in ("Signal", "In", "Out"):
        if called(shape) == "range" and isinstance(shape, ast.Call) and len(shape.args) == 1:
            # range(n) needs ⌈log₂ n⌉ bits; half as many numbers, rounded up, need one fewer.
            half = ast.BinOp(ast.BinOp(deepcopy(shape.args[0]), ast.Add(), ast.Constant(1)),
                             ast.FloorDiv(), ast.Constant(2))
            yield _replaced(node, args=[_replaced(shape, args=[half]), *node.args[1:]])
        elif isinstance(shape, ast.BinOp) or (_integer(shape) or 0) > 1 \
                or (isinstance(shape, ast.Attribute) and shape.attr in ("units", "lanes", "ways")):
            yield _replaced(node, args=[_less(shape), *node.args[1:]])


def index(place: Place) -> Iterator[ast.AST]:
    """The element before, or a slice that begins or ends elsewhere."""
    node = place.node
    if not isinstance(node, ast.Subscript):
        return
    where = node.slice
    if isinstance(where, ast.Slice):
        if where.lower is not None:
            more = ast.BinOp(deepcopy(where.lower), ast.Add(), ast.Constant(1))
            yield _replaced(node, slice=_replaced(where, lower=more))
        if where.upper is not None:
            yield _replaced(node, slice=_replaced(where, upper=_less(where.upper)))
    elif isinstance(where, ast.BinOp) or (isinstance(where, ast.Name) and where.id not in (
            "name", "request")):
        yield _replaced(node, slice=_less(where))


def domain(place: Place) -> Iterator[ast.AST]:
    """Wires for registers, and registers for wires."""
    node = place.node
    if isinstance(node, ast.Attribute) and node.attr in ("comb", "sync") \
            and isinstance(node.value, ast.Attribute) and node.value.attr == "d":
        yield _replaced(node, attr="sync" if node.attr == "comb" else "comb")


#: What puts each kind of fault into a place: the nodes that may stand there instead.
KINDS: dict[str, Callable[[Place], Iterator[ast.AST]]] = {
    kind.__name__: kind for kind in (
        operator, comparison, constant, negation, branches, assignment, stuck, init, reset, width,
        index, domain)
}


def _replaced(node: ast.AST, **fields: Any) -> ast.AST:
    changed = deepcopy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _with(node: ast.Call, name: str, value: int) -> ast.AST:
    return _replaced(node, keywords=[*node.keywords, ast.keyword(name, ast.Constant(value))])


def _integer(node: ast.AST) -> int | None:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def _is_number(signal: ast.Call) -> bool:
    return not signal.args or called(signal.args[0]) in ("range", "signed") \
        or _integer(signal.args[0]) is not None


def _less(number: ast.expr) -> ast.expr:
    return ast.BinOp(deepcopy(number), ast.Sub(), ast.Constant(1))
