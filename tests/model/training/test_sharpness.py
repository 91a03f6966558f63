import pytest
import torch
from torch import nn

from spikewright.model.training.sharpness import climbed


def _with_gradients():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 2), nn.Linear(2, 1))
    net[2].requires_grad_(False)
    net(torch.randn(3, 5)).square().sum().backward()
    return net


def test_climbs_along_the_gradient_of_all_weights_together():
    net = _with_gradients()
    before = [p.detach().clone() for p in net.parameters()]
    with climbed(net.parameters(), 0.3):
        moved = torch.cat([(p - w).flatten() for p, w in zip(net.parameters(), before,
                                                            strict=True)])
    gradients = torch.cat([p.grad.flatten() if p.grad is not None else 0 * p.detach().flatten()
                           for p in net.parameters()])
    assert moved.norm().item() == pytest.approx(0.3, rel=1e-5)
    torch.testing.assert_close(moved.detach(), 0.3 * gradients / gradients.norm())
    assert all(torch.equal(p, w) for p, w in zip(net.parameters(), before, strict=True))


def test_comes_back_after_an_error_too():
    net = _with_gradients()
    before = [p.detach().clone() for p in net.parameters()]
    with pytest.raises(KeyboardInterrupt), climbed(net.parameters(), 0.3):
        raise KeyboardInterrupt
    assert all(torch.equal(p, w) for p, w in zip(net.parameters(), before, strict=True))


def test_stays_where_there_is_no_gradient():
    weight = nn.Parameter(torch.ones(3))
    weight.grad = torch.zeros(3)
    with climbed([weight], 0.3):
        assert weight.tolist() == [1, 1, 1]


def test_a_flat_valley_wins_over_a_sharp_one():
    """Descent begins in a narrow valley, the deepest; steps that look ρ ahead leave it for a wide
    one."""
    def descend(w):
        w.grad = None
        (-1.2 * torch.exp(-200 * (w - 0.1) ** 2) - torch.exp(-2 * (w + 1) ** 2)).sum().backward()

    ends = []
    for rho in (0.0, 0.5):
        w = nn.Parameter(torch.tensor([0.15]))
        optimizer = torch.optim.SGD([w], lr=0.005)
        for _ in range(1000):
            descend(w)
            with climbed([w], rho):
                descend(w)
            optimizer.step()
        ends.append(w.item())
    assert 0 < ends[0] < 0.2
    assert -1.6 < ends[1] < -0.3
