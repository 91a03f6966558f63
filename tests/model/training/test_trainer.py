from functools import partial

import numpy as np
import pytest
import torch

from spikewright.gen import Stimulus, simulate
from spikewright.gen.errors import RecipeError, RunFolderError
from spikewright.model import compile, nets, quantise
from spikewright.model.recipe import Recipe
from spikewright.model.surrogates import PARAMETERS, SMOOTH
from spikewright.model.training import checkpoint, device
from spikewright.model.training.penalty import Penalty
from spikewright.model.training.trainer import (
    Trainer,
    accuracy,
    seeded,
)

RECIPE = Recipe.check({
    "encoding": {"timesteps": 3},
    "net": {"hidden": [6], "beta": 0.8},
    "surrogate": {"name": "atan"},
    # Dropout and distortions are drawn at random, so resuming must restore the generator too.
    "training": {"epochs": 4, "batch": 8, "dropout": 0.2, "learning_rate": 0.02, "gain": 3,
                 "augmentation": {"shift": 1, "rotation": 10, "scale": 0.1, "shear": 0.1}},
}, "test")
SHAPE = (1, 4, 4)


def _samples(n=24):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    spikes = rng.random((n, 3, 16)) < 0.1
    spikes[labels == 1, :, :8] |= rng.random((n // 2, 3, 8)) < 0.8
    return Stimulus(spikes, labels)


def _trainer(seed=0, recipe=RECIPE, **settings):
    seeded(seed)
    net = nets.build(recipe, SHAPE, 2)
    return Trainer(net, lambda x: nets.unroll(net, x), _samples(), SHAPE,
                   recipe.training.model_copy(update=settings))


def _with(**surrogate):
    return Recipe.check(RECIPE.model_dump(mode="json") | {"surrogate": surrogate}, "test")


def test_learns():
    trainer = _trainer()
    losses = [trainer.train_epoch()["loss"] for _ in range(4)]
    assert losses[-1] < losses[0]
    assert accuracy(trainer.module, trainer.forward, _samples()) > 0.8


@pytest.mark.parametrize(("name", "forward"), [
    *((name, "hard") for name in PARAMETERS), *((name, "smooth") for name in SMOOTH),
])
def test_every_surrogate_trains(name, forward):
    # SFS passes gradients above B alone, and no neuron starts so far above its threshold.
    given = {"B": -1} if name == "SFS" else {"alpha": 2} if name == "atan" else {}
    trainer = _trainer(recipe=_with(name=name, forward=forward, **given), epochs=8)
    losses = [trainer.train_epoch()["loss"] for _ in range(8)]
    assert min(losses[1:]) < losses[0]


def test_the_device_is_chosen_in_one_place(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [device.chosen(name).type for name in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(RecipeError, match="PyTorch finds no such GPU"):
        device.chosen("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [device.chosen(name).type for name in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]


def test_membranes_of_a_held_current():
    fields = RECIPE.model_dump(mode="json")
    fields |= {"encoding": {"kind": "current", "timesteps": 3}, "readout": {"kind": "membrane"}}
    recipe = Recipe.check(fields, "test")
    samples = _samples()
    held = Stimulus(samples.spikes.any(1, keepdims=True), samples.labels)
    readout = recipe.readout.contract
    seeded(0)
    net = nets.build(recipe, SHAPE, 2)

    def forward(x):
        return nets.unroll(net, x, timesteps=3, readout=readout)

    trainer = Trainer(net, forward, held, SHAPE, recipe.training, readout=readout)
    losses = [trainer.train_epoch()["loss"] for _ in range(4)]
    assert losses[-1] < losses[0]
    net.eval()
    x = torch.from_numpy(held.spikes).float().transpose(0, 1)
    repeated = nets.unroll(net, x.expand(3, *x.shape[1:]), readout=readout)
    assert torch.equal(forward(x).votes, repeated.votes)
    spec = compile(net, SHAPE, 3, input=recipe.encoding.input, readout=readout)
    assert simulate(spec, held.spikes, engine="golden").scores.shape == (24, 2)


def test_a_penalty_makes_hidden_layers_quieter():
    fired = []
    for penalty in (0.0, 1.0):
        trainer = _trainer(penalty=Penalty(spikes=penalty))
        for _ in range(4):
            trainer.train_epoch()
        with torch.no_grad():
            fired.append(trainer.forward(trainer.x.float().transpose(0, 1)).fired.sum().item())
    assert fired[1] < fired[0]


@pytest.mark.parametrize("sharpness", [0.0, 0.1])
def test_resuming_is_not_interrupting(tmp_path, sharpness):
    recipe = _with(name="atan", forward="smooth" if sharpness else "hard")
    make = partial(_trainer, recipe=recipe, sharpness=sharpness)
    whole = make()
    for _ in range(4):
        whole.train_epoch()
    first = make()
    first.train_epoch()
    checkpoint.save(tmp_path / "c.pt", first.state())
    second = make(seed=99)
    second.restore(checkpoint.load(tmp_path / "c.pt"))
    while second.epoch < second.epochs:
        second.train_epoch()
    for ours, theirs in zip(second.module.parameters(), whole.module.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    other = make(seed=99)
    other.train_epoch()
    assert not torch.equal(next(other.module.parameters()), next(first.module.parameters()))


def test_damaged_checkpoints(tmp_path):
    path = tmp_path / "c.pt"
    with pytest.raises(RunFolderError, match="cannot be read"):
        checkpoint.load(path)
    checkpoint.save(path, _trainer().state())
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 50):
        path.write_bytes(whole[:size])
        with pytest.raises(RunFolderError, match="truncated"):
            checkpoint.load(path)
    torch.save([1, 2], path)
    with pytest.raises(RunFolderError, match="no checkpoint of spikewright"):
        checkpoint.load(path)


class Trap:
    def __reduce__(self):
        return exec, ("raise SystemExit('code from a file ran')",)


def test_checkpoints_cannot_run_code(tmp_path):
    torch.save({"model": Trap()}, tmp_path / "c.pt")
    with pytest.raises(RunFolderError):
        checkpoint.load(tmp_path / "c.pt")


@pytest.mark.parametrize("change", [
    {"model": {}}, {"optimizer": {}}, {"random": torch.zeros(3)}, {"epoch": "soon"},
])
def test_checkpoint_of_something_else(change):
    trainer = _trainer()
    with pytest.raises(RunFolderError, match="does not belong"):
        trainer.restore({**trainer.state(), **change})


@pytest.mark.parametrize("neuron", [
    {"beta": 0.5, "hidden": ["3c2", "m2", 6]},
    {"beta": 0.5, "neuron": "synaptic", "alpha": 0.5}, {"beta": 0.5, "neuron": "rleaky"},
    {"beta": 0.5, "neuron": "rsynaptic", "alpha": 0.5, "all_to_all": False},
    {"neuron": "lapicque", "R": 1, "C": 5}, {"neuron": "lapicque", "beta": 0.8, "R": 2.0},
    {"beta": 0.5, "reset_mechanism": "zero", "reset_delay": False}, {"beta": 0.5, "bias": False},
])
@pytest.mark.parametrize("loss", ["ce_count_loss", "ce_rate_loss", "mse_count_loss",
                                  "ce_temporal_loss"])
def test_every_neuron_and_loss_trains(neuron, loss):
    fields = RECIPE.model_dump(mode="json")
    fields["net"] = {"hidden": [6], "threshold": 0.3, **neuron}
    fields["training"]["loss"] = loss
    recipe = Recipe.check(fields, "test")
    seeded(0)
    net = nets.build(recipe, SHAPE, 2)
    before = [p.clone() for p in net.parameters()]
    trainer = Trainer(net, lambda x: nets.unroll(net, x), _samples(), SHAPE, recipe.training)
    assert np.isfinite(trainer.train_epoch()["loss"])
    assert all(not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_nets_of_smooth_spikes_compile_and_train_on_in_integers():
    recipe = _with(name="atan", forward="smooth")
    seeded(0)
    smooth, hard = (nets.build(r, SHAPE, 2) for r in (recipe, recipe.hard))
    hard.load_state_dict(smooth.state_dict())
    assert compile(smooth, SHAPE, 3) == compile(hard, SHAPE, 3)
    module = quantise(smooth, SHAPE, 3).trainable()
    x = torch.from_numpy(_samples().spikes).float().transpose(0, 1)
    fired = [layer.unique().tolist() for layer in module.activity(x).spikes]
    assert all(set(values) <= {0, 1} for values in fired)
