"""Coded words of weights in hardware: what :mod:`spikewright.gen.protection` defines."""

from functools import reduce
from operator import xor

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..folding import Protection
from ..protection import Group, WordCode


def encoded(code: WordCode, word: Value) -> Value:
    """``word`` with its check bits; no register."""
    checks = [_parity([word[group.first + bit] for bit, column in enumerate(group.columns)
                       if column >> check & 1])
              for group in code.groups for check in range(group.check_bits)]
    return Cat(word[: code.data_bits], checks)


def _parity(bits: list[Value]) -> Value:
    return reduce(xor, bits, C(0, 1))


class WeightDecoder(wiring.Component):
    """Checks coded words, and mends what can be mended.

    Throughput: one word a cycle. Latency: 1 cycle. The syndrome is registered; the flip that it
    names is mended behind the register.

    Parameters
    ----------
    code : WordCode

    Members
    -------
    i : In, ``code.width``
    o : Out, ``code.data_bits``
        The weights, those of groups that cannot be mended 0.
    mended, rejected : Out
        Of the same word: a flip was mended; a group could not be.
    """

    def __init__(self, code: WordCode):
        self.code = code
        super().__init__({
            "i": In(code.width), "o": Out(code.data_bits), "mended": Out(1), "rejected": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        word = Signal(self.code.data_bits, reset_less=True)
        m.d.sync += word.eq(self.i)
        mended, rejected = [], []
        for number, group in enumerate(self.code.groups):
            syndrome = Signal(group.check_bits, name=f"syndrome_{number}")
            m.d.sync += syndrome.eq(Cat(
                _parity([self.i[group.checks + check], *(
                    self.i[group.first + bit] for bit, column in enumerate(group.columns)
                    if column >> check & 1)])
                for check in range(group.check_bits)))
            data = word[group.first : group.first + group.bits]
            here = self.o[group.first : group.first + group.bits]
            if self.code.protect is Protection.ECC:
                flips = Cat(syndrome == column for column in group.columns)
                known = self._known(group, syndrome)
                m.d.comb += here.eq(Mux(syndrome.any() & ~known, 0, data ^ flips))
                mended.append(known)
                rejected.append(syndrome.any() & ~known)
            else:
                m.d.comb += here.eq(Mux(syndrome, 0, data))
                rejected.append(syndrome)
        m.d.comb += [self.mended.eq(Cat(mended).any()), self.rejected.eq(Cat(rejected).any())]
        return m

    @staticmethod
    def _known(group: Group, syndrome: Signal) -> Value:
        """One flip, of a data or of a check bit, explains it."""
        single = [*group.columns, *(1 << check for check in range(group.check_bits))]
        if len(set(single)) == 1 << (group.check_bits - 1):
            return syndrome.xor()  # every odd syndrome is one of them
        return Cat(syndrome == column for column in single).any()
