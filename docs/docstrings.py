"""Docstrings as the site needs them: ours are reStructuredText, the site is Markdown.

A block behind ``::`` and a table between rows of ``=`` become blocks of plain text, and a role such
as ``:class:`~.spec.Layer``` becomes the name that it shows.
"""

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":[a-z]+:`([^`]+)`")
_RULE = re.compile(r"=+( +=+)+ *$")


class Markdown(Extension):
    """Rewrites the docstring of every object that is read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called by griffe."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """``text``, a docstring without its indentation."""
    made, lines = list[str](), text.split("\n")
    while lines:
        line = lines.pop(0)
        if _RULE.match(line.strip()):
            block = [line]
            while lines and not (_RULE.match(block[-1].strip()) and len(block) > 1
                                 and not lines[0].strip()):
                block.append(lines.pop(0))
            made += ["", "```text", *map(_plain, block), "```", ""]
        elif line.endswith("::"):
            made += [_plain(line[:-1]), ""]
            outer = _indent(line)
            block = []
            while lines and (not lines[0].strip() or _indent(lines[0]) > outer):
                block.append(lines.pop(0))
            while block and not block[-1].strip():
                block.pop()
            while block and not block[0].strip():
                block.pop(0)
            inner = min((_indent(each) for each in block if each.strip()), default=0)
            space = " " * outer
            made += [f"{space}```text", *(space + _plain(each[inner:]) for each in block),
                     f"{space}```", ""]
        else:
            made.append(_ROLE.sub(lambda role: f"`{_name(role[1])}`", line))
    return "\n".join(made)


def _plain(line: str) -> str:
    """Text where nothing is marked up."""
    return _ROLE.sub(lambda role: _name(role[1]), line).replace("``", "")


def _name(target: str) -> str:
    """What a role shows: the last part behind ``~``, else all but leading dots."""
    return target.rpartition(".")[2] if target.startswith("~") else target.lstrip(".")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
