"""Round trips through a .nir file, bit for bit, and files as other tools write them."""

import re
from itertools import pairwise
from typing import Any

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from snntorch.surrogate import atan

from spikewright.gen import MaxPool2d, Reset, SumPool2d
from spikewright.gen.errors import SpecError
from spikewright.model.exchange.float_layer import FloatLayer
from spikewright.model.exchange.geometry import Geometry
from spikewright.model.exchange.nir_export import differences, to_nir, write
from spikewright.model.exchange.nir_import import load

RESETS = [Reset.SUBTRACT, Reset.ZERO_KEEP_INPUT, Reset.ZERO_DROP_INPUT, Reset.NONE]


@st.composite
def nets(draw):
    """Layers of every kind, as float_layers gives them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    maps = draw(st.booleans())
    shape: tuple[int, ...] = (2, 9, 8) if maps else (7,)
    input_shape, layers = shape, []
    for number in range(draw(st.integers(1, 3))):
        pool = geometry = None
        if len(shape) == 3 and min(shape[1:]) >= 3 and draw(st.booleans()):
            kinds = [SumPool2d, MaxPool2d] if number else [SumPool2d]
            pool = draw(st.sampled_from(kinds))(input_shape=shape, kernel=(2, 3), stride=(2, 1))
            shape = pool.output_shape
        if len(shape) == 3 and min(shape[1:]) >= 2 and draw(st.booleans()):
            groups = draw(st.integers(1, 2))
            geometry = Geometry(input_shape=shape, stride=(1, draw(st.integers(1, 2))),
                                padding=(draw(st.integers(0, 1)), 0), groups=groups)
            weight = rng.normal(size=(4, shape[0] // groups, 2, 2))
            shape = (4, *geometry.sides((2, 2)))
        else:
            weight = rng.normal(size=(draw(st.integers(1, 5)), int(np.prod(shape))))
            shape = (len(weight),)
        neurons = int(np.prod(shape))
        shared = geometry is not None and draw(st.booleans())
        bias = (np.repeat(rng.normal(size=4), neurons // 4) if shared else
                rng.normal(size=neurons))
        recurrent = draw(st.sampled_from([None, "own", "all"]))
        layers.append(FloatLayer(
            name=f"layer{number}", weight=weight, bias=bias,
            decay=draw(st.sampled_from([rng.random(neurons), -rng.random(neurons),
                                        np.ones(neurons), np.full(neurons, 0.1)])),
            threshold=rng.random(neurons) + 0.01,
            reset=draw(st.sampled_from(RESETS)), reset_delay=draw(st.booleans()),
            spike_grad=atan(), geometry=geometry, pool=pool,
            synapse_decay=draw(st.sampled_from([None, rng.random(neurons)])),
            recurrent={None: None, "own": rng.normal(size=neurons),
                       "all": rng.normal(size=(neurons, neurons)) if len(shape) == 1 else None,
                       }[recurrent],
        ))
    return layers, input_shape


def assert_equal(ours: FloatLayer, theirs: FloatLayer) -> None:
    for name in ("name", "reset", "reset_delay"):
        assert getattr(ours, name) == getattr(theirs, name)
    for name in ("geometry", "pool"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert type(a) is type(b)
        assert a is None or vars(a) == vars(b)
    for name in ("weight", "bias", "decay", "threshold", "synapse_decay", "recurrent"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert (a is None) == (b is None), name
        assert a is None or (a.shape == b.shape and (a == b).all()), name


@settings(deadline=None, max_examples=60)
@given(net=nets(), integrates=st.booleans())
def test_round_trips_are_lossless(tmp_path_factory, net, integrates):
    layers, shape = net
    integrates &= layers[-1].reset is Reset.NONE and layers[-1].recurrent is None
    path = tmp_path_factory.getbasetemp() / "net.nir"
    write(path, to_nir(layers, shape, integrates=integrates, settings={"timesteps": 5}))
    back = load(path)
    assert back.findings.maps, back.findings.rows
    assert (back.input_shape, back.integrates) == (shape, integrates)
    assert back.settings == {"timesteps": 5}
    assert all(row.status == "exact" for row in back.findings.rows)
    for ours, theirs in zip(layers, back.layers, strict=True):
        assert_equal(ours, theirs)
    if all(layer.pool is None and (layer.geometry is None or layer.geometry.groups == 1)
           for layer in layers):
        nir.read(path)  # with all of its own checks, which know no groups and square kernels only


def _lif(kind=nir.LIF, n=3, **fields):
    """As a file has it: parameters in any shape, which nir's constructors would refuse."""
    node = kind.__new__(kind)
    values: dict[str, Any] = {"v_threshold": np.full(n, 0.5), "v_leak": np.zeros(n),
                              "v_reset": np.zeros(n), "r": np.ones(n)}
    values |= {"tau_mem": np.full(n, 0.01), "tau_syn": np.full(n, 0.005), "w_in": np.ones(n)} if (
        kind in (nir.CubaLIF, nir.CubaLI)) else {} if kind in (nir.IF, nir.I) else {
        "tau": np.full(n, 0.01)}
    if kind in (nir.LI, nir.CubaLI, nir.I):
        del values["v_threshold"], values["v_reset"]
    if kind is nir.I:
        del values["v_leak"]
    if kind is nir.IF:
        del values["v_leak"]
    for name, value in {**values, **fields}.items():
        if value is not None:
            setattr(node, name, np.asarray(value)[()])  # HDF5 has scalars as such
    node.metadata = {}
    return node


def _as_file(tmp_path, nodes, edges=None, **metadata):
    """A file of ``nodes``, in a chain unless there are ``edges``, without any check."""
    named = {"input": nir.Input(np.array([4])), **nodes, "output": nir.Output(np.array([3]))}
    graph = nir.NIRGraph(named, [], type_check=False, metadata=metadata)
    graph.edges = edges or list(pairwise(named))
    path = tmp_path / "theirs.nir"
    content = {name: _fields(node) for name, node in named.items()}
    graph.to_dict = lambda: {"type": "NIRGraph", "nodes": content, "edges": graph.edges,
                             "metadata": metadata}
    nir.write(path, graph)
    return path


def _fields(node):
    if isinstance(node, nir.NIRGraph):
        return {"type": "NIRGraph", "edges": node.edges,
                "nodes": {name: _fields(inner) for name, inner in node.nodes.items()}}
    fields = {key: value for key, value in vars(node).items()
              if key not in ("metadata", "input_type", "output_type") and value is not None}
    if isinstance(node, (nir.Input, nir.Output)):
        fields = {"shape": next(iter(node.output_type.values()))}
    return {"type": type(node).__name__, **fields}


WEIGHT, BIAS = np.arange(12.0).reshape(3, 4) - 5, np.array([1.0, 2, 3])


def _affine():
    return nir.Affine(WEIGHT, BIAS)


def _one(tmp_path, neuron, edges=None, dt: float | None = 1e-3, **more) -> Any:
    back = load(_as_file(tmp_path, {"fc": _affine(), **neuron}, edges, **more), dt=dt)
    assert back.findings.maps, back.findings.rows
    (layer,) = back.layers
    return layer, back


def _why(back):
    return " ".join(row.why for row in back.findings.rows)


def _simulate(tmp_path, node, dt, method="euler", steps=40, start=0.0):
    """NIR's own equations, integrated with 2000 substeps or by Euler, beside our layers."""
    from spikewright.model.exchange import reference
    back = load(_as_file(tmp_path, {"fc": _affine(), "lif": node}), dt=dt, discretisation=method)
    assert back.findings.maps, back.findings.rows
    x = torch.from_numpy(np.random.default_rng(3).random((steps, 2, 4)) < 0.4).double()
    (trace,) = reference.run(back.layers, x)
    sub = 1 if method == "euler" else 2000
    field = {name: np.broadcast_to(getattr(node, name, 0.0), 3) for name in
             ("tau", "tau_mem", "tau_syn", "w_in", "r", "v_leak", "v_threshold", "v_reset")}
    tau = field["tau"] if hasattr(node, "tau") else field["tau_mem"]
    v, current = np.full((2, 3), start), np.zeros((2, 3))
    spikes, membranes = [], []
    for frame in x.numpy():
        arriving = frame @ WEIGHT.T + BIAS
        for _ in range(sub):
            if hasattr(node, "tau_syn"):
                current = current + dt / sub / field["tau_syn"] * (
                    field["w_in"] * arriving - current)
            else:
                current = arriving
            v = v + dt / sub / tau * (field["v_leak"] - v + field["r"] * current)
        s = v > field["v_threshold"]
        v = np.where(s, field["v_reset"], v)
        spikes.append(s)
        membranes.append(v)
    return trace, np.array(spikes), np.array(membranes)


@pytest.mark.parametrize(("node", "start"), [
    (_lif(), 0.0), (_lif(v_leak=[0.1, -0.2, 0.3], r=2.0), 0.0),
    (_lif(tau=0.004, v_threshold=0.7), 0.0), (_lif(v_reset=-0.5), -0.5),
    (_lif(v_reset=[-0.1] * 3, v_leak=0.2), -0.1),
    (_lif(nir.CubaLIF, r=3.0, w_in=[1, 2, 3]), 0.0),
    (_lif(nir.CubaLIF, v_leak=-0.3, v_reset=-0.3), -0.3),
])
def test_the_equations_of_nir(tmp_path, node, start):
    """Arrays beside scalars too."""
    trace, spikes, membranes = _simulate(tmp_path, node, 1e-3, start=start)
    assert 0 < spikes.mean() < 1
    assert (trace.spikes.numpy() == spikes).all()
    np.testing.assert_allclose(trace.membranes.numpy() + start, membranes, atol=1e-12)


def test_the_exponential_is_the_exact_solution(tmp_path):
    trace, spikes, membranes = _simulate(tmp_path, _lif(v_leak=0.1), 4e-3, "exponential", steps=15)
    assert (trace.spikes.numpy() == spikes).all()
    np.testing.assert_allclose(trace.membranes.numpy(), membranes, atol=2e-3)


def test_snntorch_files(tmp_path):
    """Scalar parameters; r = τ/dt says dt, and what reset it had is lost."""
    beta, dt = np.float32(0.9), 1e-4
    tau = np.float32(dt) / (1 - beta)
    layer, back = _one(tmp_path, {"lif": _lif(tau=tau, r=tau / np.float32(dt), v_threshold=1.0,
                                              v_leak=0.0, v_reset=0.0)}, dt=None)
    np.testing.assert_allclose(layer.decay, 0.9, rtol=1e-6)
    np.testing.assert_allclose(layer.weight, WEIGHT, rtol=1e-6)
    assert (layer.reset, layer.reset_delay) == (Reset.ZERO_DROP_INPUT, False)
    assert "dt = 0.0001, implied by r = τ/dt" in _why(back)


def test_lava_files(tmp_path):
    """CubaLIF with w_in = τ/dt, and infinite time constants for neurons without leak."""
    tau = np.array([1e-3, 2e-3, np.inf])
    layer, _ = _one(tmp_path, {"lif": _lif(nir.CubaLIF, tau_mem=tau, r=tau / 1e-4, tau_syn=2e-4,
                                           w_in=2.0, v_reset=None)}, dt=None)
    np.testing.assert_allclose(layer.decay, [0.9, 0.95, 1])
    np.testing.assert_allclose(layer.synapse_decay, 0.5)
    np.testing.assert_allclose(layer.weight, WEIGHT)


def test_norse_files_say_no_timestep(tmp_path):
    path = _as_file(tmp_path, {"fc": _affine(), "lif": _lif()})
    with pytest.raises(SpecError, match=r"give dt \(--dt\), such as 1e-4 for snnTorch"):
        load(path)
    with pytest.raises(SpecError, match="dt is -1"):
        load(path, dt=-1)
    assert load(_as_file(tmp_path, {"fc": _affine(), "lif": _lif()}, dt=1e-3)).findings.maps


def test_sinabs_files(tmp_path):
    """IF with one scalar, SumPool2d, Flatten that counts the batch, biases of convolutions."""
    conv = nir.Conv2d(None, np.ones((2, 1, 3, 3)), 1, (1, 1), 1, 1, np.array([1.0, 2]))
    nodes = {"0": conv, "1": _lif(nir.IF, v_threshold=1.0, r=1.0, v_reset=None),
             "2": nir.SumPool2d(np.int64(2), np.array((2, 2)), np.array((0, 0))),
             "3": nir.Flatten({"input": np.zeros(4)}, 1, -1), "4": nir.Linear(np.ones((3, 8))),
             "5": _lif(nir.IF, v_reset=None)}
    named = {"input": nir.Input(np.array([1, 4, 4]))}
    back = load(_as_file(tmp_path, {**named, **nodes}))
    assert back.findings.maps
    one, two = back.layers
    assert (one.name, one.bias.tolist()) == ("layer0", [1.0] * 16 + [2.0] * 16)
    assert (one.decay == 1).all()
    assert isinstance(two.pool, SumPool2d)
    assert (two.weight == 1).all()


def test_subgraphs_and_cycles_recur(tmp_path):
    back_weight = np.arange(9.0).reshape(3, 3)
    nested = nir.NIRGraph({"input": nir.Input(np.array([3])), "lif": _lif(r=10.0),
                           "w_rec": nir.Affine(back_weight, BIAS),
                           "output": nir.Output(np.array([3]))}, [], type_check=False)
    nested.edges = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    layer, _ = _one(tmp_path, {"rnn": nested})
    np.testing.assert_allclose(layer.recurrent, back_weight)
    np.testing.assert_allclose(layer.bias, 2 * BIAS)
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "output"),
             ("lif", "output")]
    layer, _ = _one(tmp_path, {"lif": _lif(r=10.0), "back": nir.Linear(np.diag(BIAS))}, edges)
    np.testing.assert_allclose(layer.recurrent, BIAS)
    layer, _ = _one(tmp_path, {"lif": _lif(r=20.0)}, [*edges[:2], ("lif", "lif"), edges[-1]])
    np.testing.assert_allclose(layer.recurrent, 2)


def test_integrators_are_read_by_membranes_or_get_a_threshold(tmp_path):
    layer, back = _one(tmp_path, {"li": _lif(nir.LI, v_leak=0.5)})
    assert back.integrates
    np.testing.assert_allclose(layer.bias, 0.1 * BIAS + 0.05)
    for kind in (nir.LI, nir.CubaLI, nir.I):
        layer, back = _one(tmp_path, {"li": _lif(kind), "fire": nir.Threshold(np.full(3, 0.25))})
        assert not back.integrates
        assert (layer.reset, set(layer.threshold)) == (Reset.NONE, {0.25})


def test_thresholds_alone_scales_and_products(tmp_path):
    fire = nir.Threshold(np.array([-1.0, 0, 2]))
    layer, _ = _one(tmp_path, {"scale": nir.Scale(BIAS), "fire": fire})
    assert (layer.weight == WEIGHT * BIAS[:, None]).all()
    assert (layer.threshold - layer.bias == [-1 - 1, 0 - 4, 2 - 9]).all()
    assert (layer.decay == 0).all()
    second = nir.Linear(np.eye(3) * 2)
    layer, _ = _one(tmp_path, {"fc2": second, "lif": _lif(nir.IF)})
    assert (layer.weight == 2 * WEIGHT).all()
    back = load(_as_file(tmp_path, {"scale": nir.Scale(np.full(4, 3.0)), "fc": _affine(),
                                    "lif": _lif(nir.IF)}))
    assert (back.layers[0].weight == 3 * WEIGHT).all()
    back = load(_as_file(tmp_path, {"scale": nir.Scale(np.arange(4.0)),
                                    "lif": _lif(nir.IF, 4, v_threshold=1.0)}))
    assert (back.layers[0].weight == np.diag(np.arange(4.0))).all()
    assert "a weight for each input" in _why(back)


@pytest.mark.parametrize(("nodes", "edges", "words"), [
    ({"fc": _affine(), "lif": _lif(), "delay": nir.Delay(np.ones(3))}, None, "Delay.*allowed are"),
    ({"conv": nir.Conv1d(4, np.ones((1, 1, 2)), 1, 0, 1, 1, np.zeros(1)), "lif": _lif()}, None,
     "Conv1d"),
    ({"fc": _affine(), "lif": _lif(nir.CubaLIF, v_leak=0.5)}, None, "make v_leak and v_reset the"),
    ({"fc": _affine(), "lif": _lif(v_reset=0.6)}, None, "threshold goes down to -0.1"),
    ({"fc": _affine(), "lif": _lif(tau=-1.0)}, None, "time constant is -1"),
    ({"fc": _affine(), "lif": _lif(tau=1e-4)}, None, "explodes.*'exponential'"),
    ({"fc": _affine(), "lif": _lif(n=2)}, None, "one value, one per channel or one per neuron"),
    ({"fc": _affine(), "li": _lif(nir.LI), "fc2": nir.Linear(np.eye(3)), "lif": _lif()}, None,
     "only integrates"),
    ({"fc": _affine(), "lif": _lif(), "fc2": nir.Linear(np.eye(3)), "lif2": _lif()},
     [("input", "fc"), ("fc", "lif"), ("lif", "fc2"), ("lif", "lif2"), ("fc2", "lif2"),
      ("lif2", "output")], "layers form one chain"),
    ({"fc": _affine(), "fc2": _affine(), "lif": _lif()},
     [("input", "fc"), ("fc", "lif"), ("fc2", "lif"), ("lif", "output")], "are added"),
    ({"fc": _affine()}, None, "no neuron behind it"),
])
def test_refused(tmp_path, nodes, edges, words):
    back = load(_as_file(tmp_path, nodes, edges), dt=1e-3)
    assert not back.findings.maps
    assert back.layers == []
    assert re.search(words, _why(back)), _why(back)


def test_all_that_does_not_map_is_named(tmp_path):
    nodes = {"fc": _affine(), "lif": _lif(tau=-1.0), "fc2": nir.Linear(np.eye(3)),
             "lif2": _lif(nir.CubaLIF, v_leak=0.5), "d": nir.Delay(np.ones(3))}
    back = load(_as_file(tmp_path, nodes), dt=1e-3)
    refused = [row.part for row in back.findings.rows if row.status == "refused"]
    assert refused == ["lif", "lif2", "d"]


@pytest.mark.parametrize("content", [b"", b"text"])
def test_no_nir_file(tmp_path, content):
    path = tmp_path / "x.nir"
    path.write_bytes(content)
    with pytest.raises(SpecError, match="cannot be read as NIR"):
        load(path)
    with pytest.raises(SpecError, match="cannot be read as NIR"):
        load(tmp_path / "none.nir")


def test_what_others_make_of_our_files():
    layer = FloatLayer(
        name="fc", weight=WEIGHT, bias=BIAS, decay=np.full(3, 0.5), threshold=np.ones(3),
        reset=Reset.SUBTRACT, reset_delay=True, spike_grad=atan(),
    )
    (line,) = differences([layer])
    assert line == ("layer fc: other tools will reset to 0 in place of subtracting the threshold "
                    "and reset in the timestep of the spike in place of the next")
    graph = to_nir([layer], (4,))
    lif = graph.nodes["fc_neurons"]
    assert np.allclose(lif.tau, 2e-4)
    assert np.allclose(lif.r, 2)
