"""Verilog of single bits: expressions, and a module put together piece by piece."""

from collections import defaultdict

#: A signal's name, or a constant.
Bit = str
ZERO, ONE = "1'b0", "1'b1"


def lut(table: int, inputs: list[Bit]) -> Bit:
    """The function whose value for inputs i₀, i₁, … is bit i₀ + 2·i₁ + … of ``table``."""
    if not inputs:
        return ONE if table & 1 else ZERO
    *rest, top = inputs
    half = 1 << len(rest)
    every = (1 << half) - 1
    low, high = table & every, table >> half & every
    if top == ZERO or low == high:
        return lut(low, rest)
    if top == ONE:
        return lut(high, rest)
    if low == high ^ every:
        return _operation(top, "^", lut(low, rest))
    if low == 0:
        return _operation(top, "&", lut(high, rest))
    if high == every:
        return _operation(top, "|", lut(low, rest))
    if high == 0:
        return _operation(f"~{top}", "&", lut(low, rest))
    if low == every:
        return _operation(f"~{top}", "|", lut(high, rest))
    return f"({top} ? {lut(high, rest)} : {lut(low, rest)})"


def _operation(left: Bit, sign: str, right: Bit) -> Bit:
    """``left sign right``, where ``right`` may be constant."""
    if right in (ZERO, ONE):
        if sign == "^":
            return left if right == ZERO else f"~{left}"
        return left if (right == ONE) == (sign == "&") else right
    return f"({left} {sign} {right})"


def concatenate(bits: list[Bit]) -> str:
    """A vector of ``bits``, the lowest first."""
    return f"{{{', '.join(reversed(bits))}}}"


class VerilogModule:
    """A module that grows; :attr:`text` is the whole of it."""

    def __init__(self, name: str, inputs: list[str], outputs: list[str]):
        self._ports = [*(f"input {port}" for port in inputs),
                       *(f"output {port}" for port in outputs)]
        self._name = name
        self._declarations: list[str] = []
        self._body: list[str] = []
        self._clocked: dict[str, list[str]] = defaultdict(list)
        #: What whoever simulates the text has to fill its memories with. It is not part of it, so
        #: that it need not be compiled again for other weights.
        self.memories: dict[str, list[int]] = {}

    def wire(self, name: str, value: Bit) -> None:
        """``name`` is always ``value``."""
        self._declarations.append(f"wire {name};")
        self._body.append(f"assign {name} = {value};")

    def bus(self, name: str, width: int, value: str) -> None:
        """The vector ``name`` is always ``value``."""
        self._declarations.append(f"wire [{width - 1}:0] {name};")
        self._body.append(f"assign {name} = {value};")

    def register(self, name: str, width: int = 1) -> None:
        """``name`` keeps its value; 0 at power-on."""
        vector = f"[{width - 1}:0] " if width > 1 else ""
        self._declarations.append(f"reg {vector}{name} = 0;")

    def memory(self, name: str, width: int, words: list[int]) -> None:
        """``name`` holds ``words`` at power-on: see :attr:`memories`."""
        self._declarations.append(f"reg [{width - 1}:0] {name} [0:{len(words) - 1}];")
        self.memories[name] = words

    def at(self, event: str, statement: str) -> None:
        """``statement`` happens at ``event``, such as ``posedge clk``."""
        self._clocked[event].append(statement)

    def assign(self, target: str, value: Bit) -> None:
        """Output ``target`` is always ``value``."""
        self._body.append(f"assign {target} = {value};")

    @property
    def text(self) -> str:
        blocks = [f"always @({event}) begin\n  " + "\n  ".join(statements) + "\nend"
                  for event, statements in self._clocked.items()]
        return "\n".join([f"module {self._name}({', '.join(self._ports)});",
                          *self._declarations, *self._body, *blocks, "endmodule", ""])
