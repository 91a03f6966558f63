"""Every surrogate: its formula against snnTorch's own and against numbers, its smooth form against
the formula."""

import numpy as np
import pytest
import torch
from snntorch import surrogate

from spikewright.gen.errors import RecipeError
from spikewright.model.recipe import Recipe
from spikewright.model.spikes import from_snntorch
from spikewright.model.surrogates import (
    DEFAULTS,
    PARAMETERS,
    SMOOTH,
    STEEPNESS,
    Surrogate,
    build,
    sweep,
)

#: Membranes around the threshold, and far from it; not where a derivative jumps.
X = [-90.0, -2.3, -1.0, -0.4, -0.1, 0.1, 0.4, 0.9, 1.7, 90.0]

#: Values that snnTorch's defaults are not.
OTHERS = {"slope": 3.0, "alpha": 1.5, "beta": 2.0, "threshold": 2.0, "mean": 0.3, "variance": 0.4,
          "B": -0.2}


def _gradient(spike_grad, x, dtype=torch.float32):
    x = torch.tensor(x, requires_grad=True, dtype=dtype)
    spikes = spike_grad(x)
    spikes.sum().backward()
    assert spikes.tolist() == [float(v > 0) for v in x]
    assert spikes.dtype is dtype or spike_grad.__module__ == surrogate.__name__
    assert x.grad is not None
    return x.grad


def _others(name):
    return {parameter: OTHERS[parameter] for parameter in PARAMETERS[name]}


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_surrogate_spikes_and_passes_finite_gradients(name, dtype):
    gradient = _gradient(build(name), [*X, 0.0, 1.1], dtype)
    assert gradient.isfinite().all()
    assert gradient.any()


#: By hand, with k, α, β and so on as in :data:`OTHERS`.
FORMULAS = {
    "fast_sigmoid": lambda x: 1 / (1 + 3 * abs(x)) ** 2,
    "atan": lambda x: 0.75 / (1 + (np.pi * 1.5 * x / 2) ** 2),
    "sigmoid": lambda x: 3 / (4 * np.cosh(1.5 * x) ** 2),
    "straight_through_estimator": lambda x: 1.0,
    "triangular": lambda x: -2.0 if x >= 0 else 2.0,
    "heaviside": lambda x: float(x > 0),
    "spike_rate_escape": lambda x: 3 * np.exp(-2 * abs(x - 1)),
    "LSO": lambda x: 1.0 if x > 0 else 3.0,
    "SFS": lambda x: float(x > -0.2) / (1 + 3 * abs(x)) ** 2,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas(name):
    gradient = _gradient(build(name, **_others(name)), X, torch.float64)
    np.testing.assert_allclose(gradient, [FORMULAS[name](x) for x in X], rtol=1e-12, atol=1e-30)


def test_the_stochastic_one_is_random_below_the_threshold():
    torch.manual_seed(0)
    below = _gradient(build("SSO", mean=0.3, variance=0.4), [-1.0] * 4000)
    assert -0.08 <= below.min() < -0.07
    assert 0.31 < below.max() <= 0.32
    assert below.mean().item() == pytest.approx(0.12, abs=0.01)
    assert _gradient(build("SSO"), [0.5]).tolist() == [1]


# snnTorch's LSO fails, its SSO is random, and far away its sigmoid divides infinities.
@pytest.mark.parametrize("name", sorted(set(PARAMETERS) - {"LSO", "SSO"}))
@pytest.mark.parametrize("defaults", [True, False])
def test_they_are_snntorchs(name, defaults):
    parameters = {} if defaults else _others(name)
    theirs = getattr(surrogate, name)(**parameters)
    x = [v for v in X if abs(v) < 3]
    torch.testing.assert_close(_gradient(build(name, **parameters), x), _gradient(theirs, x))
    assert from_snntorch(theirs) == build(name, **parameters)


def test_snntorchs_lso_becomes_one_that_works():
    x = torch.zeros(1, requires_grad=True)
    with pytest.raises(TypeError):
        surrogate.LSO()(x)
    assert from_snntorch(surrogate.LSO(slope=0.3)) == build("LSO", slope=0.3)


@pytest.mark.parametrize("foreign", [
    torch.sigmoid, surrogate.custom_surrogate(lambda x, grad, spikes: grad), torch.nn.ReLU(),
])
def test_other_functions_are_not_taken_for_one(foreign):
    assert from_snntorch(foreign) is None


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_forms(name):
    """From 0 to 1, never falling, and in proportion to the surrogate in their slope."""
    smooth = build(name, forward="smooth", **_others(name))
    x = torch.linspace(-3, 5, 4001, dtype=torch.float64)
    x = x[(x - 1).abs() > 1e-3]  # spike_rate_escape has a corner there
    s = smooth(x)
    assert (s.diff() >= 0).all()
    far = smooth(torch.tensor([-1e9, 1e9], dtype=torch.float64))
    np.testing.assert_allclose(far, [0, 1], atol=1e-8)
    middle = (x > -0.19) & (x < 4.9)  # SFS has a corner at B
    step = 1e-6
    measured = (smooth(x + step) - smooth(x - step)) / (2 * step)
    torch.testing.assert_close(smooth.derivative(x)[middle], measured[middle], rtol=1e-5, atol=1e-5)
    ratio = smooth.derivative(x)[middle] / smooth.hard.derivative(x)[middle]
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))


@pytest.mark.parametrize("name", sorted(set(PARAMETERS) - set(SMOOTH)))
def test_the_others_have_no_smooth_form(name):
    with pytest.raises(RecipeError, match="no smooth form; use fast_sigmoid"):
        build(name, forward="smooth")
    with pytest.raises(ValueError, match="no smooth form"):
        Surrogate(name=name, forward="smooth")


def test_sweeps():
    found = sweep(DEFAULTS, [1, 4])
    assert len(found) == 2 * len(STEEPNESS) + (len(DEFAULTS) - len(STEEPNESS))
    assert [s.given() for s in found if s.name == "atan"] == [{"alpha": 1}, {"alpha": 4}]
    assert [s.given() for s in found if s.name == "heaviside"] == [{}]
    assert all(STEEPNESS[name] in PARAMETERS[name] for name in STEEPNESS)
    steep = [s.build().derivative(torch.tensor([0.3])).item() for s in sweep(["atan"], [2, 8])]
    assert steep[0] > steep[1]
    with pytest.raises(RecipeError, match="'relu' is unknown"):
        sweep(["relu"], [1])
    with pytest.raises(RecipeError, match="must be above 0"):
        sweep(["atan"], [1, 0])


@pytest.mark.parametrize("change", [
    {"net": {"hidden": [4], "beta": 0.5, "neuron": "rleaky"}}, {"readout": {"kind": "first-spike"}},
    {"training": {"loss": "ce_temporal_loss"}},
])
def test_smooth_spikes_that_gradients_would_not_fit(change):
    fields = {"encoding": {"timesteps": 2}, "net": {"hidden": [4], "beta": 0.5},
              "surrogate": {"name": "atan", "forward": "smooth"}}
    assert Recipe.check(fields, "test").hard.surrogate.forward == "hard"
    with pytest.raises(RecipeError, match=r"surrogate\.forward is 'smooth'"):
        Recipe.check(fields | change, "test")
