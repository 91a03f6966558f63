"""NIR files from any tool: a net of finite numbers, or what does not map and why."""

import io
import math
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from snntorch.surrogate import atan

from spikewright.gen import Reset, SumPool2d
from spikewright.model import own_net
from spikewright.model.exchange.float_layer import FloatLayer
from spikewright.model.exchange.geometry import Geometry
from spikewright.model.exchange.nir_export import to_nir, write

from .law import Refused, attempt, budget, untouched
from .mutations import accidents, after, cuts, json_of, twisted

pytestmark = pytest.mark.usefixtures("little_memory")

RNG = np.random.default_rng(0)


def ours() -> Any:
    """A convolution, a pooling and a recurrence, with our metadata."""
    geometry = Geometry(input_shape=(1, 4, 4), stride=(1, 1), padding=(1, 1), groups=1)

    def layer(name, weight, neurons, **more):
        return FloatLayer(name=name, weight=weight, bias=np.zeros(neurons),
                          decay=np.full(neurons, 0.9), threshold=np.ones(neurons),
                          reset=Reset.SUBTRACT, reset_delay=True, spike_grad=atan(),
                          **{"geometry": None, "pool": None, "synapse_decay": None,
                             "recurrent": None, **more})
    return to_nir([
        layer("conv", RNG.normal(size=(2, 1, 3, 3)), 32, geometry=geometry),
        layer("fc", RNG.normal(size=(3, 8)), 3, synapse_decay=np.full(3, 0.5),
              recurrent=RNG.normal(size=(3, 3)),
              pool=SumPool2d(input_shape=(2, 4, 4), kernel=(2, 2))),
    ], (1, 4, 4), settings={"timesteps": 5, "name": "mine", "readout": {"kind": "spike-count"},
                            "input": {"kind": "events", "bits": 1},
                            "surrogate": {"name": "atan"}})


def others() -> Any:
    """As other tools write them, without metadata."""
    ones = np.ones(3)
    return nir.NIRGraph(
        {"input": nir.Input(np.array([2])), "scale": nir.Scale(np.array([1.0, 2.0])),
         "fc": nir.Affine(RNG.normal(size=(3, 2)), ones),
         "lif": nir.LIF(tau=2 * ones, r=ones, v_leak=0 * ones, v_threshold=ones),
         "out": nir.Linear(RNG.normal(size=(1, 3))),
         "li": nir.LI(tau=np.array([5.0]), r=np.array([1.0]), v_leak=np.array([0.0])),
         "output": nir.Output(np.array([1]))},
        [("input", "scale"), ("scale", "fc"), ("fc", "lif"), ("lif", "out"), ("out", "li"),
         ("li", "output")])


@pytest.fixture(scope="module", params=[ours, others])
def path(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("nir") / "net.nir"
    write(path, request.param())
    return path


def compiled(path):
    """The way of `spikewright compile FILE.nir --check`."""
    net = own_net.read(
        str(path), code=None, trust=False, input_shape=None, timesteps=None, dt=1e-4,
        discretisation=None, readout=None, encoding=None, input_bits=None)
    return net, own_net.check(net, "net", {})


def load(path, content):
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        with untouched(path.parent):
            got = attempt(compiled, path)
    finally:
        path.write_bytes(whole)
    if not isinstance(got, Refused):
        net, report = got
        assert not net.layers or report["maps"] or report["layers"] == []
        for layer in net.layers:
            for what in ("weight", "bias", "decay", "threshold"):
                assert np.isfinite(getattr(layer, what)).all(), what
    return got


@budget(80)
@given(data=st.data())
def test_damaged_bytes(path, data):
    """HDF5 keeps no checksums, so that another net may come out, but never a broken one."""
    whole = path.read_bytes()
    load(path, after(whole, data.draw(accidents(whole))))


@budget(40)
@given(data=st.data())
def test_truncated_files_are_refused(path, data):
    whole = path.read_bytes()
    got = load(path, whole[: data.draw(cuts(whole))])
    assert isinstance(got, Refused)


#: What a file may hold in the place of something else.
ODD = st.sampled_from([
    "x", "", b"\xff\xfe", "Input", "LIF", "NIRGraph", "Affine", "{}", "[]", '{"surrogate": 3}',
    '{"timesteps": -1}', '{"timesteps": 1e999}', '{"input": 7}', '{"readout": {"kind": []}}', True,
    0, 1, -1, 2**31, 2**62, 2**64 - 1, math.nan, math.inf, -math.inf, 1e-320, 1e308, 0.5,
    h5py.Empty("f"), np.zeros(0), np.zeros((0, 3)), np.zeros((2, 2, 2, 2, 2)), np.ones(3),
    np.full((3, 2), np.nan), np.full((3, 8), np.inf), np.full((3, 8), 1e308), np.ones((3, 8)),
    np.array([2**40, 2**40]), np.array([-1, 4]), np.array([0]), np.array([1, 4, 4]),
    np.array([4.5]), np.array([1 + 2j]), np.array([b"a", b"b"]), np.array([[b"input", b"output"]]),
    np.array([[b"lif", b"lif"]]), np.array([[b"fc", b"fc"], [b"fc", b"nowhere"]]),
    {}, {"type": "LIF"}, {"type": 3}, {"nodes": {}, "edges": [], "type": "NIRGraph"},
])


def tree_in(path) -> dict[str, Any]:
    with h5py.File(path) as file:
        return tree_of(file)


def tree_of(group: h5py.Group) -> dict[str, Any]:
    return {name: tree_of(value) if isinstance(value, h5py.Group) else value[()]
            for name, value in group.items()}


def hdf5(tree: Any) -> bytes:
    """``tree`` as a file, without what HDF5 cannot hold."""
    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        _fill(root, tree if isinstance(tree, dict) else {"node": tree})
    return file.getvalue()


def _fill(group: h5py.Group, tree: dict[str, Any]) -> None:
    for name, value in tree.items():
        try:
            if isinstance(value, dict):
                _fill(group.create_group(str(name)), value)
            else:
                group.create_dataset(str(name), data=value)
        except (TypeError, ValueError, RuntimeError, OSError):
            continue


@budget(250)
@given(data=st.data())
def test_twisted_graphs(path, data):
    load(path, hdf5(data.draw(twisted(tree_in(path), odd=ODD))))


@budget(60)
@given(data=st.data())
def test_twisted_settings(path, data):
    """What our own export writes about the run, for any file."""
    tree = tree_in(path)
    settings = {"timesteps": 5, "name": "mine", "surrogate": {"name": "atan", "alpha": 2.0},
                "readout": {"kind": "spike-count", "population": 1, "early_exit": False},
                "input": {"kind": "counts", "bits": 2}}
    text = json_of(data.draw(twisted(settings)))
    tree["node"].setdefault("metadata", {})["spikewright_settings"] = text.replace(b"\0", b"")
    load(path, hdf5(tree))
