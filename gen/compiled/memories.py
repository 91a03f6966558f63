"""What memories hold, lifted out of a design: what is left depends on its structure alone."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MODULE = re.compile(r"^module \\(\S+)\n(.*?)^end\n", re.MULTILINE | re.DOTALL)
_MEMORY = re.compile(r"^  memory width (\d+) size (\d+) \\(\S+)\n", re.MULTILINE)
_INIT = re.compile(r"(?:^  attribute .*\n)*^  cell \$meminit_v2 .*\n(?:^    .*\n)*^  end\n",
                   re.MULTILINE)
_ID = re.compile(r'parameter \\MEMID "\\\\(\S+)"')
_DATA = re.compile(r"connect \\DATA (\d+)'([01]*)\n")


@dataclass(frozen=True)
class Memory:
    """One memory of a design.

    Attributes
    ----------
    path
        Where it is: names of the instances from the top on and its own, joined by dots.
    name
        Its name in the compiled design, unique there.
    width, depth
        Bits of a word, words.
    image
        uint8 (depth, ⌈width/8⌉): what it holds at first, the lowest byte of a word first.
    """

    path: str
    name: str
    width: int
    depth: int
    image: npt.NDArray[np.uint8]


def lifted(rtlil: str) -> tuple[str, tuple[Memory, ...]]:
    """``rtlil`` as Amaranth writes it, with empty memories of unique names; and the memories."""
    memories: list[Memory] = []

    def module(found: re.Match) -> str:
        path, body = found[1], found[2]
        contents = {_ID.search(cell[0])[1]: _DATA.search(cell[0])  # pyright: ignore[reportOptionalSubscript]
                    for cell in _INIT.finditer(body)}
        body = _INIT.sub("", body)
        for width, depth, name in _MEMORY.findall(body):
            unique = f"m{len(memories)}_{re.sub(r'[^A-Za-z0-9]', '', name)}"
            memories.append(Memory(
                f"{path.partition('.')[2]}.{name}", unique, int(width), int(depth),
                _image(int(width), int(depth), contents.get(name))))
            body = body.replace(f"memory width {width} size {depth} \\{name}\n",
                                f"memory width {width} size {depth} \\{unique}\n")
            body = body.replace(f'parameter \\MEMID "\\\\{name}"\n',
                                f'parameter \\MEMID "\\\\{unique}"\n')
        return f"module \\{path}\n{body}end\n"

    return _MODULE.sub(module, rtlil), tuple(memories)


def _image(width: int, depth: int, found: re.Match | None) -> npt.NDArray[np.uint8]:
    if found is None:
        return np.zeros((depth, -(-width // 8)), np.uint8)
    bits = np.frombuffer(found[2].encode(), np.uint8)[::-1] - ord("0")
    return np.packbits(bits.reshape(depth, width), axis=1, bitorder="little")
