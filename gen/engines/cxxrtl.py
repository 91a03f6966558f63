"""The generated hardware, cycle by cycle, compiled by CXXRTL and a C++ compiler."""

import numpy.typing as npt

from ..compiled.engine import run_compiled
from ..spec import NetworkSpec
from ..trace import Trace
from . import Options


def run(spec: NetworkSpec, signals: npt.NDArray, options: Options) -> Trace:
    """The ``cxxrtl`` engine; see :func:`spikewright.gen.simulate`."""
    return run_compiled("cxxrtl", spec, signals, options)
