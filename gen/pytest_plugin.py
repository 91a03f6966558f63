"""Cycle simulation in a user's own tests: ``pip install spikewright`` brings this pytest plugin.

::

    def test_my_net(accelerator):
        chip = accelerator(spec)
        trace = chip.assert_equal(spikes)
        assert chip.cycles.max() <= 500
        assert chip.counters["hidden"]["stalled"] == 0

A failing test leaves a waveform of its last simulation in ``waves/``; its report says where.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .folding import Folding
    from .spec import NetworkSpec
    from .trace import Trace

#: Entry points ``function(module, input_shape=…, timesteps=…, …) -> NetworkSpec``.
COMPILERS = "spikewright.compilers"

_ACCELERATORS = pytest.StashKey[list["Accelerator"]]()


class Accelerator:
    """A generated accelerator that tests run spikes through; made by the fixture ``accelerator``.

    Attributes
    ----------
    spec, folding
        What was built.
    trace
        :class:`~spikewright.gen.Trace` of the last run, None before the first.
    """

    def __init__(self, spec: NetworkSpec, folding: Folding):
        self.spec = spec
        self.folding = folding
        self.trace: Trace | None = None
        self._last: npt.NDArray[Any] | None = None

    def run(self, spikes: npt.ArrayLike, *, membranes: bool = False) -> Trace:
        """Simulates ``spikes`` – (samples, timesteps, inputs), or one sample without the first
        axis; inputs flat or in the network's input shape – cycle by cycle."""
        from .engines import simulate

        self._last = self._samples(spikes)
        self.trace = simulate(self.spec, self._last, engine="amaranth", folding=self.folding,
                              membranes=membranes)
        return self.trace

    def assert_equal(self, spikes: npt.ArrayLike) -> Trace:
        """Runs ``spikes`` and compares spikes and membranes of every layer, readout and counters
        with the golden model.

        Raises
        ------
        AssertionError
            At the first difference: what, where, and both values.
        """
        from .engines import simulate
        from .trace import first_difference

        trace = self.run(spikes, membranes=True)
        assert self._last is not None
        golden = simulate(self.spec, self._last, engine="golden", membranes=True,
                          timesteps=trace.timesteps)
        difference = first_difference(golden, trace, [layer.name for layer in self.spec.layers])
        if difference is not None:
            # The waveform that the failing test leaves shows this sample.
            self._last = self._last[difference.sample : difference.sample + 1]
            raise AssertionError(str(difference))
        return trace

    @property
    def cycles(self) -> npt.NDArray[np.int64]:
        """Clock cycles of each sample of the last run."""
        cycles = self._ran().cycles
        assert cycles is not None
        return cycles

    @property
    def counters(self) -> dict[str, dict[str, int]]:
        """Layer → counter → value over all samples of the last run: a sum, or for ``queue_peak``
        the highest."""
        from .counters import total

        trace = self._ran()
        return {
            layer.name: {name: total(name, values[:, i]) for name, values in trace.counters.items()}
            for i, layer in enumerate(self.spec.layers)
        }

    def write_waveform(self, path: Path) -> None:
        """Simulates the first sample of the last run again, and writes every signal to ``path``
        (VCD)."""
        from .engines import simulate

        self._ran()
        assert self._last is not None
        simulate(self.spec, self._last[:1], engine="amaranth", folding=self.folding, waveform=path)

    def _ran(self) -> Trace:
        if self.trace is None:
            raise RuntimeError("this accelerator has not run yet; call run() or assert_equal()")
        return self.trace

    def _samples(self, spikes: npt.ArrayLike) -> npt.NDArray[Any]:
        import numpy as np

        array, shape = np.asarray(spikes), self.spec.input_shape
        if len(shape) > 1 and array.shape[-len(shape) :] == shape:
            array = array.reshape(*array.shape[: -len(shape)], self.spec.inputs)
        return array[np.newaxis] if array.ndim == 2 else array


@pytest.fixture
def accelerator(request: pytest.FixtureRequest) -> Callable[..., Accelerator]:
    """Factory: ``accelerator(spec, folding=None)`` or ``accelerator(torch_module, input_shape=…,
    timesteps=…, folding=None)``; other keywords go to :func:`spikewright.model.compile`."""
    made = request.node.stash.setdefault(_ACCELERATORS, [])

    def make(net: Any, folding: Folding | None = None, **how: Any) -> Accelerator:
        from .folding import Folding
        from .plan import layer_plans
        from .spec import NetworkSpec

        spec = net if isinstance(net, NetworkSpec) and not how else _compile(net, how)
        folding = folding or Folding()
        layer_plans(spec, folding)
        made.append(Accelerator(spec, folding))
        return made[-1]

    return make


def _compile(module: Any, how: dict[str, Any]) -> NetworkSpec:
    from .errors import SpikewrightError

    points = list(metadata.entry_points(group=COMPILERS, name="torch"))
    try:
        compiler = points[0].load()
    except (IndexError, ModuleNotFoundError) as error:
        raise SpikewrightError(
            f"{type(module).__name__} needs compiling, and the torch side is not installed "
            f"({error}); run: pip install 'spikewright[train]'"
        ) from error
    return compiler(module, **how)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Adds the waveforms of a failing test to its report."""
    report: pytest.TestReport = yield
    if call.when == "call" and report.failed:
        ran = [chip for chip in item.stash.get(_ACCELERATORS, []) if chip.trace is not None]
        for number, chip in enumerate(ran):
            suffix = f"-{number}" if len(ran) > 1 else ""
            path = item.config.rootpath / "waves" / f"{_file_name(item.nodeid)}{suffix}.vcd"
            try:
                chip.write_waveform(path)
                text = str(path)
            except Exception as error:  # the test's own failure must be what is reported
                text = f"could not be recorded: {error!r}"
            report.sections.append(("spikewright waveform", text))
    return report


def _file_name(nodeid: str) -> str:
    return re.sub(r"[^\w.\-]+", "-", nodeid).strip("-")
