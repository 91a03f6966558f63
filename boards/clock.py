"""The design's clock: the board's oscillator as it is, or multiplied by the part's loop."""

from itertools import pairwise

from amaranth import *
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from .pll import Setting
from .registry import ECP5, Board

#: Seconds after configuration in which an iCE40's block memories read as zero, five times over:
#: as Amaranth's own platforms wait, see there.
SETTLING = 15e-6


class Clock(Elaboratable):
    """Drives :attr:`domain`, a ``sync`` at ``board.clock_hz``, from the part's loop.

    Registers start when the loop has locked: on an iCE40 by the domain's reset, and
    :data:`SETTLING` later because block memories need it; on an ECP5 by the global reset, so that
    the domain needs none. The board's reset button, where its platform names one, holds them.
    """

    def __init__(self, board: Board):
        self.board = board
        #: For the module around it to define.
        self.domain = ClockDomain("sync", reset_less=board.family is ECP5)

    def elaborate(self, platform):
        m = Module()
        setting = self.board.setting
        assert setting is not None
        port = platform.request(self.board.oscillator or platform.default_clk, dir="-")
        clock, locked, runs = Signal(), Signal(), Signal()
        m.d.comb += runs.eq(locked)
        if platform.default_rst is not None:
            m.submodules.reset = reset = io.Buffer(
                io.Direction.Input, platform.request(platform.default_rst, dir="-"))
            m.d.comb += runs.eq(locked & ~reset.i)
        if self.board.family is ECP5:
            m.submodules.oscillator = oscillator = io.Buffer(io.Direction.Input, port)
            m.submodules.loop = _ehxplll(setting, oscillator.i, clock, locked)
            m.d.comb += self.domain.clk.eq(clock)
            # The two flip-flops take no part in the reset that they make.
            synchronised = [Signal(name=f"runs_{n}") for n in range(2)]
            for n, (before, after) in enumerate(pairwise([runs, *synchronised])):
                m.submodules[f"runs_{n}"] = Instance(
                    "FD1S3AX", p_GSR="DISABLED", i_CK=clock, i_D=before, o_Q=after)
            m.submodules.start = Instance("SGSR", i_CLK=clock, i_GSR=synchronised[-1])
        else:
            if self.board.loop_at_pin:
                source, kind = {"i_PACKAGEPIN": port.io}, "SB_PLL40_PAD"
            else:
                m.submodules.oscillator = oscillator = io.Buffer(io.Direction.Input, port)
                source, kind = {"i_REFERENCECLK": oscillator.i}, "SB_PLL40_CORE"
            m.submodules.loop = _sb_pll40(kind, setting, self.board, source, clock, locked)
            m.domains.start = start = ClockDomain(reset_less=True, local=True)
            settled, ready = Signal(range(round(SETTLING * self.board.clock_hz) + 1)), Signal()
            steady = Signal()
            m.submodules.steady = FFSynchronizer(runs, steady, o_domain="start")
            m.d.comb += [start.clk.eq(clock), self.domain.clk.eq(clock),
                         self.domain.rst.eq(~ready)]
            with m.If(settled == round(SETTLING * self.board.clock_hz)):
                m.d.start += ready.eq(1)
            with m.Elif(steady):
                m.d.start += settled.eq(settled + 1)
        return m


def _sb_pll40(kind: str, setting: Setting, board: Board, source: dict, clock: Signal,
              locked: Signal) -> Instance:
    reference = setting.hz * setting.output / setting.feedback
    return Instance(
        kind, **source, i_RESETB=Const(1), i_BYPASS=Const(0),
        p_FEEDBACK_PATH="SIMPLE", p_PLLOUT_SELECT="GENCLK",
        p_DIVR=Const(setting.reference - 1, 4), p_DIVF=Const(setting.feedback - 1, 7),
        p_DIVQ=Const(setting.output.bit_length() - 1, 3),
        p_FILTER_RANGE=Const(board.family.loop.filter_range(reference), 3),
        o_PLLOUTGLOBAL=clock, o_LOCK=locked,
    )


def _ehxplll(setting: Setting, oscillator: Value, clock: Signal, locked: Signal) -> Instance:
    back = Signal()
    return Instance(
        "EHXPLLL", i_CLKI=oscillator, i_CLKFB=back, i_RST=Const(0), i_STDBY=Const(0),
        i_PLLWAKESYNC=Const(0), i_ENCLKOP=Const(0), i_ENCLKOS=Const(0),
        p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED", p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED", p_OUTDIVIDER_MUXA="DIVA", p_OUTDIVIDER_MUXB="DIVB",
        p_FEEDBK_PATH="CLKOP", p_CLKI_DIV=setting.reference, p_CLKFB_DIV=setting.feedback,
        p_CLKOP_ENABLE="ENABLED", p_CLKOP_DIV=setting.loop, p_CLKOP_CPHASE=setting.loop - 1,
        p_CLKOP_FPHASE=0, p_CLKOS_ENABLE="ENABLED", p_CLKOS_DIV=setting.output,
        p_CLKOS_CPHASE=setting.output - 1, p_CLKOS_FPHASE=0,
        o_CLKOP=back, o_CLKOS=clock, o_LOCK=locked,
        a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2",
    )
