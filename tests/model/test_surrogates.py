import pytest
import torch

from spikewright.model.surrogates import PARAMETERS, build


def _gradient(spike_grad, x):
    x = torch.tensor(x, requires_grad=True)
    spikes = spike_grad(x)
    spikes.sum().backward()
    assert spikes.tolist() == [float(v > 0) for v in x]
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_surrogate_spikes_and_passes_finite_gradients(name):
    gradient = _gradient(build(name), [-90.0, -1.0, -0.1, 0.0, 0.1, 1.0, 90.0])
    assert gradient.isfinite().all()
    assert gradient.any()


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_accepted(name):
    build(name, **dict.fromkeys(PARAMETERS[name], 0.5))


def test_leaky_spike_operator():
    assert _gradient(build("LSO", slope=0.25), [-1.0, 2.0]).tolist() == [0.25, 1.0]


def test_sigmoid_is_the_derivative_of_the_sigmoid():
    x = torch.tensor([-0.3, 0.2], requires_grad=True)
    torch.sigmoid(4 * x).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(_gradient(build("sigmoid", slope=4), [-0.3, 0.2]), x.grad)


def test_fast_sigmoid_is_snntorchs():
    torch.testing.assert_close(
        _gradient(build("fast_sigmoid", slope=3), [0.5]), torch.tensor([1 / 2.5**2])
    )
