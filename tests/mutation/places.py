"""The syntax tree of a source file, node by node, with what each is to the node around it."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

#: Functions among the components that run on the host and describe no hardware.
SOFTWARE = {
    "baud_divisor", "_checked", "load_image", "network_image", "large_memories", "answer_latency",
    "image", "sprams", "feed",
}


@dataclass(frozen=True)
class Place:
    """A node that may be changed.

    Attributes
    ----------
    node : ast.AST
    role : str
        ``"test"`` of Python's if, ``"condition"`` of a hardware If, ``"member"`` if it is how wide
        a port is, else nothing.
    put : function of a node
        Replaces it.
    """

    node: ast.AST
    role: str
    put: Callable[[ast.AST], None]


def places(tree: ast.Module) -> Iterator[Place]:
    """Nodes that describe hardware, from the top of the file to its end: what functions and methods
    do. Strings, annotations, error messages and assertions do not describe any."""
    for holder in (tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))):
        for function in holder.body:
            if isinstance(function, ast.FunctionDef) and function.name not in SOFTWARE:
                for index, statement in enumerate(function.body):
                    if not _describes_nothing(function, "body", statement):
                        yield Place(statement, "", partial(_put, function, "body", index))
                        yield from _within(statement)


def _within(parent: ast.AST) -> Iterator[Place]:
    for field, value in ast.iter_fields(parent):
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or _describes_nothing(parent, field, child):
                continue
            put = partial(_put, parent, field, index if isinstance(value, list) else None)
            yield Place(child, _role(parent, field), put)
            yield from _within(child)


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST):
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def _role(parent: ast.AST, field: str) -> str:
    if isinstance(parent, ast.If | ast.IfExp) and field == "test":
        return "test"
    if field == "args" and called(parent) in ("If", "Elif"):
        return "condition"
    return "member" if field == "args" and called(parent) in ("In", "Out") else ""


def _describes_nothing(parent: ast.AST, field: str, child: ast.AST) -> bool:
    if isinstance(child, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    return field in ("annotation", "returns", "decorator_list", "bases") \
        or (isinstance(parent, ast.Expr) and isinstance(child, ast.Constant))


def called(node: ast.AST) -> str:
    """Name of the function or method that is called; nothing if none is."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
