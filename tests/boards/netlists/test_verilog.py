"""Truth tables as Verilog expressions."""

import re

from hypothesis import given
from hypothesis import strategies as st

from spikewright.boards.netlists.verilog import ONE, ZERO, lut


def value(expression: str, signals: dict[str, int]) -> int:
    """An expression of ``~``, ``&``, ``|``, ``^`` and ``?:`` with all its parentheses."""
    tokens = re.findall(r"1'b[01]|\w+|[()~&|^?:]", expression)[::-1]

    def take() -> int:
        match tokens.pop():
            case "~":
                return 1 - take()
            case "(":
                left, sign, right = take(), tokens.pop(), take()
                if sign == "?":
                    assert tokens.pop() == ":"
                    right, sign = right if left else take(), "?" if left else ":"
                    if sign == "?":
                        take()
                assert tokens.pop() == ")"
                return {"&": left & right, "|": left | right, "^": left ^ right}.get(sign, right)
            case "1'b0":
                return 0
            case "1'b1":
                return 1
            case name:
                return signals[name]

    result = take()
    assert not tokens
    return result


@given(st.integers(0, 0xFFFF), st.lists(st.sampled_from(["a", "b", "c", ZERO, ONE]),
                                        min_size=4, max_size=4))
def test_expression_is_the_table(table, inputs):
    """Inputs may be constant, or the same signal."""
    expression = lut(table, inputs)
    for row in range(8):
        signals = {"a": row & 1, "b": row >> 1 & 1, "c": row >> 2}
        levels = [{ZERO: 0, ONE: 1, **signals}[name] for name in inputs]
        place = sum(level << n for n, level in enumerate(levels))
        assert value(expression, signals) == table >> place & 1, expression
