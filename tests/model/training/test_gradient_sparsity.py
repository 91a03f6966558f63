import snntorch as snn
import torch
from torch import nn

from spikewright.gen import Readout, ReadoutKind
from spikewright.model import nets
from spikewright.model.readouts import Activity
from spikewright.model.surrogates import build
from spikewright.model.training import gradient_sparsity

MEMBRANE = Readout(kind=ReadoutKind.MEMBRANE)


def test_small_steps_measure_the_l1_norm_of_the_gradient(monkeypatch):
    torch.manual_seed(0)
    linear = nn.Linear(6, 3).double()

    def forward(x):
        return Activity(linear(x), (), x)

    x, y = torch.rand(1, 4, 6, dtype=torch.float64) * 5, torch.tensor([0, 1, 2, 0])
    rows = x[0].clone().requires_grad_()
    probability = linear(rows).softmax(1)[torch.arange(4), y]
    (gradient,) = torch.autograd.grad(probability.sum(), rows)
    # Inputs from 0 to 5, so a change by the whole range is five times as much.
    norms = 5 * gradient.abs().sum(1)
    monkeypatch.setattr(gradient_sparsity, "STEP", 1e-6)
    found = gradient_sparsity.penalty(linear, forward, x, y, MEMBRANE, full_scale=5.0)
    assert torch.isclose(found, norms.square().mean(), rtol=1e-4)
    found.backward()
    assert linear.weight.grad.any()


def test_dropout_is_neither_drawn_nor_left_off():
    net = nn.Sequential(nn.Dropout(0.9), nn.Linear(4, 2),
                        snn.Leaky(beta=0.5, spike_grad=build("atan"), init_hidden=True))
    x, y = torch.rand(3, 5, 4), torch.zeros(5, dtype=torch.int64)
    net.train()
    before = torch.get_rng_state()
    gradient_sparsity.penalty(net, lambda x: nets.unroll(net, x), x, y, Readout())
    assert torch.equal(torch.get_rng_state(), before)
    assert net.training
    assert net[0].training
