"""Nets as people write them: traced, and equal to their own forward pass in float64."""

from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from snntorch import surrogate, utils
from torch import nn
from torch.nn import functional as F

from spikewright.gen import MaxPool2d, Reset, SumPool2d
from spikewright.gen.errors import UnsupportedModuleError
from spikewright.model import compile
from spikewright.model.exchange import reference
from spikewright.model.exchange.dynamics import float_layers

#: snnTorch's annotations allow neither tensors nor numbers other than bool.
s: Any = snn
TIMESTEPS, BATCH = 6, 5


def _step(x):
    """As every surrogate of snnTorch, but without float32."""
    return (x > 0).to(x.dtype)


class Looped(nn.Module):
    """As in snnTorch's first tutorials: a static input, the loop inside, states outside."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(12, 9), nn.Linear(9, 4)
        self.lif1 = s.Leaky(beta=0.9, threshold=0.4)
        self.lif2 = s.Leaky(beta=torch.rand(4), learn_beta=True, threshold=torch.rand(4) / 4 + 0.1,
                            learn_threshold=True, reset_mechanism="zero")

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, membranes = [], []
        for _ in range(TIMESTEPS):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes), torch.stack(membranes)


class TimeFirst(Looped):
    def forward(self, x):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spikes = []
        for step in range(x.size(0)):
            spk1, mem1 = self.lif1(self.fc1(x[step].flatten(1)), mem=mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem=mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


class BatchFirst(TimeFirst):
    def forward(self, x):
        return super().forward(x.permute(1, 0, *range(2, x.ndim)))


class OneStep(nn.Module):
    """Neurons of every kind with their states inside."""

    def __init__(self, reset="subtract", delay=True):
        super().__init__()
        kind = {"reset_mechanism": reset, "init_hidden": True, "spike_grad": _step}
        self.layers = nn.ModuleList([
            nn.Linear(12, 8), s.Lapicque(beta=0.7, threshold=0.3, **kind),
            nn.Linear(8, 8), s.Synaptic(alpha=0.6, beta=0.8, threshold=0.4, reset_delay=delay,
                                        **kind),
            nn.Linear(8, 7), s.RLeaky(beta=0.7, linear_features=7, threshold=0.3,
                                      reset_delay=delay, **kind),
            nn.Linear(7, 6), s.RSynaptic(alpha=0.5, beta=0.9, all_to_all=False, V=torch.randn(6),
                                         threshold=0.5, **kind),
            nn.Linear(6, 5), s.Leaky(beta=0.5, threshold=0.2, output=True, reset_delay=delay,
                                     **kind),
        ])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x[0]


class StatesOutside(Looped):
    """As in the docstrings of snnTorch's neurons."""

    def forward(self, x, mem1, spk1, mem2):
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        return mem1, spk1, mem2, spk2


class Maps(nn.Module):
    """Convolutions, folded norms, both poolings as functions, and a view of the batch."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)
        self.lif1 = s.Leaky(beta=0.5, threshold=0.4, init_hidden=True)
        self.conv2 = nn.Conv2d(3, 4, 3, stride=(1, 2), padding=1)
        self.lif2 = s.Leaky(beta=0.7, threshold=torch.rand(4, 1, 1) / 4 + 0.05, init_hidden=True)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4 * 2 * 3, 6)
        self.norm2 = nn.BatchNorm1d(6)
        self.lif3 = s.Leaky(beta=0.9, threshold=0.3, init_hidden=True)
        with torch.no_grad():
            for norm in (self.norm1, self.norm2):
                for values in (norm.weight, norm.bias, norm.running_mean):
                    values.normal_(0.2, 0.5)
                norm.running_var.uniform_(0.1, 2)

    def forward(self, x):
        utils.reset(self)
        spikes = []
        for step in range(x.shape[0]):
            spk = self.lif1(self.norm1(self.conv1(x[step].view(x.shape[1], 1, 8, 6))))
            spk = F.max_pool2d(spk, (2, 1))
            spk = self.lif2(F.avg_pool2d(self.conv2(spk), (2, 1)))
            spk = F.dropout(self.drop(spk[:, :, :, :]), training=self.training)
            spikes.append(self.lif3(self.norm2(self.fc(spk.reshape(x.shape[1], -1)))))
        return torch.stack(spikes)


class Recurrent(nn.Module):
    """Recurrence written by hand, beside a neuron that has none."""

    def __init__(self):
        super().__init__()
        self.fc1, self.back = nn.Linear(12, 7), nn.Linear(7, 7)
        self.lif1 = s.Leaky(beta=0.8, threshold=0.3, reset_mechanism="zero")
        self.fc2, self.lif2 = nn.Linear(7, 3), s.Leaky(beta=0.8, threshold=0.1)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk1 = torch.zeros(x.shape[1], 7)
        spikes = []
        for frame in x:
            spk1, mem1 = self.lif1(self.fc1(frame) + self.back(spk1), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


def _float64(net):
    net = net.double().eval()
    for module in net.modules():
        if hasattr(module, "spike_grad"):
            module.spike_grad = _step
    return net


def _theirs(net, x):
    """Output spikes of the net's own forward pass, for x (timesteps, batch, …)."""
    if isinstance(net, OneStep):
        utils.reset(net)
        return torch.stack([net(frame) for frame in x])
    if isinstance(net, StatesOutside):
        mem1, mem2, spk1, out = net.lif1.reset_mem(), net.lif2.reset_mem(), torch.zeros(0), []
        for frame in x:
            mem1, spk1, mem2, spk2 = net(frame, mem1, spk1, mem2)
            out.append(spk2)
        return torch.stack(out)
    if isinstance(net, BatchFirst):
        return net(x.transpose(0, 1))
    return net(x[0])[0] if type(net) is Looped else net(x)


def _compare(net, shape, x):
    """Our layers on x, and the net's own output, both in float64; the spikes must be equal."""
    layers = float_layers(net, shape)
    net = _float64(net)
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            theirs = _theirs(net, x)
    finally:
        torch.set_default_dtype(dtype)
    if type(net) is Looped:
        x = x[:1].expand(TIMESTEPS, *x.shape[1:])
    ours = reference.run(layers, x.flatten(2))[-1].spikes
    assume(0 < theirs.mean() < 1)
    assert torch.equal(ours, theirs)
    return layers


def _x(rng, shape):
    return torch.from_numpy(rng.random((TIMESTEPS, BATCH, *shape)) < 0.5).double()


@pytest.mark.parametrize(("net", "shape"), [
    (Looped, (12,)), (TimeFirst, (12,)), (TimeFirst, (2, 3, 2)), (BatchFirst, (12,)),
    (StatesOutside, (12,)), (Maps, (48,)), (Maps, (2, 4, 6)), (Recurrent, (12,)),
])
@settings(deadline=None, max_examples=4)
@given(seed=st.integers(0, 2**31))
def test_traced_nets_equal_their_own_forward_pass(net, shape, seed):
    torch.manual_seed(seed)
    _compare(net().eval(), shape, _x(np.random.default_rng(seed), shape))


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delay", [True, False])
@settings(deadline=None, max_examples=4)
@given(seed=st.integers(0, 2**31))
def test_every_neuron_and_reset(reset, delay, seed):
    torch.manual_seed(seed)
    layers = _compare(OneStep(reset, delay), (12,), _x(np.random.default_rng(seed), (12,)))
    assert [layer.name for layer in layers] == [f"layers_{i}" for i in range(0, 10, 2)]
    assert [layer.reset_delay for layer in layers] == [True, delay, delay, True, delay]


def test_what_a_traced_net_becomes():
    torch.manual_seed(1)
    one, two, three = float_layers(Maps().eval(), (1, 8, 6))
    assert isinstance(two.pool, MaxPool2d)
    assert (two.weight.shape, two.geometry.stride) == ((4, 3, 4, 3), (2, 2))  # a pooled kernel
    assert (one.pool, three.pool, three.geometry) == (None, None, None)
    (layer, _) = float_layers(Recurrent(), (12,))
    assert (layer.recurrent.shape, layer.reset) == ((7, 7), Reset.ZERO_KEEP_INPUT)


def test_pooled_spikes():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), s.Leaky(0.5), nn.AvgPool2d(2), nn.Flatten(),
                        nn.Linear(8, 2), s.Leaky(0.5))
    (_, layer) = float_layers(net, (1, 6, 6))
    assert isinstance(layer.pool, SumPool2d)


def test_averaged_sums_are_a_larger_convolution():
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(2, 4, 3, stride=(1, 2), padding=1, groups=2),
                        nn.AvgPool2d((3, 2), stride=(2, 1)),
                        s.Leaky(beta=0.5, threshold=0.3, init_hidden=True)).double()
    x = torch.rand(TIMESTEPS, BATCH, 2, 9, 8, dtype=torch.float64)
    (trace,) = reference.run(float_layers(net, (2, 9, 8)), x.flatten(2))
    _float64(net)
    utils.reset(net)
    with torch.no_grad():
        theirs = torch.stack([net(frame).flatten(1) for frame in x])
    assert torch.equal(trace.spikes, theirs)
    assert 0 < theirs.mean() < 1


def test_a_net_is_left_as_it_was():
    net = OneStep().train()
    net(torch.rand(2, 12))  # states with gradients, of another batch
    before = {name: value.clone() for name, value in net.state_dict().items()}
    states = [layer.mem for layer in net.layers if hasattr(layer, "mem")]
    random, count = torch.get_rng_state(), len(s.SpikingNeuron.instances)
    float_layers(net, (12,))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(a is b for a, b in
               zip(states, (layer.mem for layer in net.layers if hasattr(layer, "mem")),
                   strict=True))
    assert torch.equal(random, torch.get_rng_state())
    assert (net.training, torch.get_default_dtype()) == (True, torch.float32)
    assert len(s.SpikingNeuron.instances) == count


def test_sequential_blocks_and_own_runners():
    block = OneStep()
    net = nn.Sequential(nn.Flatten(), block, nn.Dropout(0.3), nn.Linear(5, 3),
                        s.Leaky(0.5, init_hidden=True))
    names = [layer.name for layer in float_layers(net, (3, 4))]
    assert names == [*(f"layer1_layers_{i}" for i in range(0, 10, 2)), "layer3"]

    class Named(Looped):
        def forward(self, batch):
            return [super(Named, self).forward(frame) for frame in batch["frames"]]

    def run(net, x):
        return TimeFirst.forward(net, x)

    assert len(float_layers(Named(), (12,), run=run)) == 2


def test_a_traced_net_compiles():
    torch.manual_seed(0)
    spec = compile(TimeFirst(), (12,), 5, bits=4)
    assert [layer.name for layer in spec.layers] == ["fc1", "fc2"]


class _Base(Looped):
    """One timestep, on which the nets below do what hardware cannot."""

    def start(self):
        return self.lif1.reset_mem(), self.lif2.reset_mem()

    def forward(self, x):
        mem1, mem2 = self.start()
        spk1, spk2 = torch.zeros(x.shape[1], 9), torch.zeros(x.shape[1], 4)
        for frame in x:
            cur = self.first(frame, spk1, spk2, mem1)
            spk1, mem1 = self.lif1(cur, self.kept(mem1))
            spk2, mem2 = self.lif2(self.second(frame, spk1, mem1), mem2)
        return spk2

    def kept(self, mem):
        return mem

    def first(self, x, spk1, spk2, mem1):
        return self.fc1(x)

    def second(self, x, spk1, mem1):
        return self.fc2(spk1)


def _net(**methods):
    return type("Net", (_Base,), methods)()


def _extra(net, **modules):
    for name, module in modules.items():
        setattr(net, name, module)
    return net


@pytest.mark.parametrize(("net", "words"), [
    (lambda: _net(second=lambda self, x, spk, mem: self.fc2(spk + 1)),
     r"module lif2 takes the result of torch.Tensor.add at test_tracing.py:\d+, which has no"),
    (lambda: _net(second=lambda self, x, spk, mem: self.fc2(spk + self.lif1.spk_sum),
                  start=lambda self: (setattr(self.lif1, "spk_sum", torch.ones(9)),
                                      self.lif1.reset_mem(), self.lif2.reset_mem())[1:]),
     "a tensor that torch did not make of the net's input at test_tracing.py"),
    (lambda: _extra(_net(second=lambda self, x, spk, mem: self.fc2(spk) + self.skip(x)),
                    skip=nn.Linear(12, 4)),
     r"takes a sum of two signals made at test_tracing.py:\d+; .*no skip connections"),
    (lambda: _extra(_net(second=lambda self, x, spk, mem: self.both(torch.cat([spk, x], 1))),
                    both=nn.Linear(21, 4)), r"result of torch.cat at test_tracing.py.*merge"),
    (lambda: _net(second=lambda self, x, spk, mem: self.fc2(spk * 0.5)), "torch.Tensor.mul.*weigh"),
    (lambda: _net(second=lambda self, x, spk, mem: self.fc2(torch.relu(spk))), "torch.relu"),
    (lambda: _net(second=lambda self, x, spk, mem: F.linear(spk, self.fc2.weight)), "nn.Linear"),
    (lambda: _net(second=lambda self, x, spk, mem: self.fc2(mem)), "takes the mem of module lif1"),
    (lambda: _net(second=lambda self, x, spk, mem: self.fc2(spk.mul_(0))), "mul_"),
    (lambda: _net(second=lambda self, x, spk, mem: self.fc2(torch.bernoulli(spk * 0.5)[:, :])),
     "the result of torch.Tensor.mul"),
    (lambda: _net(kept=lambda self, mem: mem * 0.5), "gets another mem .* may not be changed"),
    (lambda: _net(kept=lambda self, mem: torch.zeros_like(mem)), "reset states before the loop"),
    (lambda: _net(start=lambda self: (torch.ones(3, 9), self.lif2.reset_mem())), "is not 0"),
    (lambda: _extra(_net(first=lambda self, x, s1, s2, mem: self.fc1(x) + self.back(s2)),
                    back=nn.Linear(4, 9)), "earlier timestep; there is no feedback across layers"),
    (lambda: _extra(_net(first=lambda self, x, s1, s2, mem: self.fc1(x) + self.back(mem),
                         start=lambda self: (torch.zeros(3, 9), torch.zeros(3, 4))),
                    back=nn.Linear(9, 9)), "takes the mem of module lif1"),
    (lambda: _extra(_net(second=lambda self, x, spk, mem: self.fc2(self.more(x)[0])),
                    more=nn.Sequential(nn.Linear(12, 9), s.Leaky(0.5))), "both take the input"),
    (lambda: _extra(_net(second=lambda self, x, spk, mem: self.norm(self.fc2(spk))),
                    norm=nn.BatchNorm1d(4)), r"norm \(BatchNorm1d\) is in training mode.*eval"),
])
def test_refused(net, words):
    torch.manual_seed(3)
    with pytest.raises(UnsupportedModuleError, match=words):
        float_layers(net(), (12,))


def test_outputs_without_a_neuron():
    class Net(Looped):
        def forward(self, x):
            spikes, _ = super().forward(x)
            return self.get_submodule("fc3")(spikes[-1])

    net = _extra(Net(), fc3=nn.Linear(4, 2))
    with pytest.raises(UnsupportedModuleError, match=r"fc3 \(Linear\) has no neuron behind"):
        float_layers(net, (12,))


@pytest.mark.parametrize("shape", [(13,), (3, 5)])
def test_wrong_shapes(shape):
    with pytest.raises(UnsupportedModuleError, match="could not be run on inputs of shape"):
        float_layers(Looped(), shape)


def test_what_modules_do_not_show():
    """A net that hides something from the recording is found out by its spikes."""
    class Net(Looped):
        def forward(self, x):
            for lif in (self.lif1, self.lif2):
                with torch._C.DisableTorchFunction():
                    lif.threshold.data.mul_(0.8)
            return super().forward(x)

    torch.manual_seed(0)
    with pytest.raises(UnsupportedModuleError, match="does something that its modules do not show"):
        float_layers(Net(), (12,))


def test_casts_and_other_types():
    class Net(Recurrent):
        def forward(self, x):
            zeros = torch.zeros(x.shape[1], 7, dtype=torch.float32)
            spk1, mem1 = self.lif1(self.fc1(x[0].to(torch.float32)) + self.back(zeros))
            _, mem2 = self.lif2(self.fc2(spk1.float()))
            for frame in x.float()[1:]:
                spk1, mem1 = self.lif1(self.fc1(frame) + self.back(spk1.type(torch.float)), mem1)
                _, mem2 = self.lif2(self.fc2(spk1), mem2)

    assert [layer.recurrent is None for layer in float_layers(Net(), (12,))] == [False, True]


def test_surrogates_do_not_matter():
    net = Looped()
    net.lif1.spike_grad = surrogate.fast_sigmoid(slope=3)
    assert float_layers(net, (12,))[0].spike_grad is net.lif1.spike_grad
