"""The mutation check itself: which faults it makes, and that they are found."""

import ast
from pathlib import Path
from textwrap import indent

import pytest

from .__main__ import ROOT
from .faults import apply, faults, sample, sources
from .kinds import KINDS
from .runner import Results, attempt
from .suites import NEAREST, nearest, wider

TOY = '''
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Tally(wiring.Component):
    """Counts to 5, and 1 more: no faults in here."""

    def __init__(self):
        super().__init__({"go": In(1), "count": Out(range(6))})

    def elaborate(self, platform):
        m = Module()
        with m.If(self.go):
            m.d.sync += self.count.eq(Mux(self.count == 5, 0, self.count + 1))
        return m
'''

TOY_TEST = """
from amaranth.sim import Simulator
from spikewright.toy import Tally

def test_tally():
    dut, seen = Tally(), []
    async def bench(ctx):
        for cycle in range(14):
            ctx.set(dut.go, cycle % 7 != 6)
            await ctx.tick()
            seen.append(ctx.get(dut.count))
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [1, 2, 3, 4, 5, 0, 0] * 2

def test_ends():
    dut = Tally()
    async def bench(ctx):
        ctx.set(dut.go, 1)
        await ctx.tick().until(dut.count == 5)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
"""


#: The toy is no file of the package.
CONFTEST = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

spec = spec_from_file_location("spikewright.toy", Path(__file__).parents[1] / "toy.py")
module = sys.modules[spec.name] = module_from_spec(spec)
spec.loader.exec_module(module)
"""


def in_function(source: str) -> str:
    return f"def f():\n{indent(source, '    ')}\n"


@pytest.mark.parametrize(("kind", "source", "after"), [
    ("operator", "a + b & c", ["a + b | c", "a - b"]),
    ("comparison", "a <= b", ["a < b"]),
    ("constant", "f(0, 7)", ["1", "8", "6"]),
    ("negation", "with m.If(a): pass\nb.eq(~c)", ["a == 0", "c"]),
    ("negation", "if a: pass", ["not a"]),
    ("branches", "Mux(a, b, c)", ["Mux(a, c, b)"]),
    ("assignment", "m.d.sync += [a.eq(b), c.eq(d)]", ["[]", "[]"]),
    ("stuck", "a.x.eq(Mux(b, 0, a.x + 1))", ["a.x.eq(Mux(b, 0, a.x))"]),
    ("init", "Signal(3)\nSignal(shape)\nIn(1, init=1)", ["Signal(3, init=1)", "In(1)"]),
    ("reset", "Signal()\nSignal(reset_less=True)", ["Signal(reset_less=True)"]),
    ("width", "Out(range(n))\nSignal(1)", ["Out(range((n + 1) // 2))"]),
    ("width", "signed(n)", ["signed(n - 1)"]),
    ("index", "a[n]\na[1:k]", ["a[n - 1]", "a[1 + 1:k]", "a[1:k - 1]"]),
    ("domain", "m.d.comb += a.eq(b)", ["m.d.sync"]),
])
def test_every_kind(kind, source, after):
    found = faults("x.py", in_function(source))
    assert [fault.after for fault in found if fault.kind == kind] == after


def test_each_fault_is_one_change_of_a_program():
    possible = faults("toy.py", TOY)
    texts = [ast.unparse(apply(TOY, fault.number)) for fault in possible]
    assert len(set(texts)) == len(texts) > 10
    assert ast.unparse(ast.parse(TOY)) not in texts


def test_words_hold_no_faults():
    assert not faults("x.py", '"""1 + 1."""\nassert a + 1 == 2, b\n'
                              "def f(x: int | None) -> int | str:\n"
                              "    raise ValueError(f'{x + 1} of {y}')\n")


def test_a_sample_is_fair_and_repeats():
    texts = sources(ROOT)
    chosen = sample(texts, 200, seed=0)
    assert chosen == sample(texts, 200, seed=0) != sample(texts, 200, seed=1)
    assert 200 <= len(chosen) <= 200 + len(texts)
    assert {fault.kind for fault in chosen} == set(KINDS)
    assert {fault.file for fault in chosen} == {file for file in texts if faults(file, texts[file])}


def test_every_component_has_tests():
    assert set(NEAREST) == {file for file in sources(ROOT) if not file.endswith("__init__.py")}
    for file in NEAREST:
        for test in [*nearest(file), *wider(file)]:
            assert (ROOT / "tests" / test.partition("::")[0]).exists(), test


def test_designs_can_be_built_and_differ_where_a_fault_shows():
    """What tells faults that change nothing: the fault is the number that `stuck` counters keep."""
    file = "gen/rtl/counters.py"
    fault = next(fault for fault in faults(file, sources(ROOT)[file]) if fault.kind == "stuck")
    (_, sound), (_, faulty) = attempt(ROOT, file, [None, fault.number], [])
    assert len(sound["how"]) == len(faulty["how"]) == 64  # digests
    assert sound["how"] != faulty["how"]


def test_faults_are_found_and_no_file_is_changed(tmp_path):
    for name, text in (("toy.py", TOY), ("tests/test_toy.py", TOY_TEST),
                       ("tests/conftest.py", CONFTEST), ("pyproject.toml", "")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    numbers = {(fault.kind, fault.after): fault.number for fault in faults("toy.py", TOY)}
    stuck = next(number for (kind, _), number in numbers.items() if kind == "stuck")

    def verdicts(tried, test="test_toy.py"):
        limits = (2, 2, 2, 9)
        return [(said["verdict"], said["how"], said["test"].rpartition("::")[2])
                for _, said in attempt(tmp_path, "toy.py", tried, [test], limits)]

    assert verdicts([None, numbers["constant", "6"], numbers["operator", "self.count - 1"],
                     None]) == [
        ("survived", "all pass", "test_ends"),
        ("killed", "check", "test_tally"),
        ("killed", "check", "test_tally"),
        ("survived", "all pass", "test_ends"),
    ]
    ((verdict, how, _),) = verdicts([numbers["domain", "m.d.comb"]])
    assert (verdict, how != "check") == ("killed", True), "it cannot even be built"
    assert verdicts([stuck], "test_toy.py::test_ends") == [("killed", "hangs", "test_ends")]
    assert (tmp_path / "toy.py").read_text() == TOY


def test_results_are_kept_for_as_long_as_the_file_is_the_same(tmp_path):
    path = Path(tmp_path / "results.json")
    first, second = faults("toy.py", TOY)[:2]
    Results(path).add(first, TOY, {"verdict": "killed", "how": "check", "test": "t", "seconds": 1})
    results = Results(path)
    assert results.knows(first, TOY)
    assert not results.knows(first, TOY + " ")
    assert not results.knows(second, TOY)
    results.add(second, TOY, {"verdict": "survived", "how": "", "test": "", "seconds": 1})
    assert not Results(path).knows(second, TOY)
    results.rows[second.key]["explanation"] = "nobody looks"
    assert results.knows(second, TOY)
    assert not results.knows(second, TOY + " ")
    results.add(second, TOY + " ", {"verdict": "survived", "how": "", "test": "", "seconds": 1})
    assert Results(path).rows[second.key]["explanation"] == "nobody looks"
    results.keep([second])
    assert list(Results(path).rows) == [second.key]
