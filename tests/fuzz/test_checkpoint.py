"""Checkpoints: the state that was saved, or a refusal; never code, never half a net."""

import copy
import io
import math
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from spikewright.gen import Stimulus
from spikewright.model.exchange.loading import load_net
from spikewright.model.readouts import Activity
from spikewright.model.training import checkpoint
from spikewright.model.training.settings import Training
from spikewright.model.training.trainer import Trainer

from .archives import Trap
from .law import Refused, attempt, budget, untouched
from .mutations import accidents, after, cuts

pytestmark = pytest.mark.usefixtures("little_memory")


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def state_of(module):
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    return {"epoch": 3, "model": module.state_dict(), "optimizer": optimizer.state_dict(),
            "random": torch.get_rng_state()[:100]}


STATE = state_of(net())


def bytes_of(state, **keywords):
    file = io.BytesIO()
    torch.save(state, file, **keywords)
    return file.getvalue()


WHOLE = {legacy: bytes_of(STATE, _use_new_zipfile_serialization=not legacy)
         for legacy in (False, True)}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints") / "checkpoint.pt"


def equal(one, other):
    """Of states; a NaN equals itself."""
    if isinstance(one, torch.Tensor):
        return (isinstance(other, torch.Tensor) and one.dtype == other.dtype
                and one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num()))
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(
            equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def load(path, content):
    path.write_bytes(content)
    with untouched(path.parent):
        return attempt(checkpoint.load, path)


@budget(150)
@given(data=st.data())
def test_damaged_bytes(path, data):
    """The archive has checksums."""
    got = load(path, after(WHOLE[False], data.draw(accidents(WHOLE[False]))))
    assert isinstance(got, Refused) or equal(got, STATE)


@budget(100)
@given(data=st.data())
def test_damaged_bytes_of_the_old_format(path, data):
    """It has none, so that other numbers may come out."""
    load(path, after(WHOLE[True], data.draw(accidents(WHOLE[True]))))


@budget(60)
@given(data=st.data(), legacy=st.booleans())
def test_truncated_files_are_refused(path, data, legacy):
    whole = WHOLE[legacy]
    assert isinstance(load(path, whole[: data.draw(cuts(whole))]), Refused)


@budget(150)
@given(data=st.data())
def test_damaged_pickles_in_whole_archives(path, data):
    """With checksums that are right."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WHOLE[False])) as good, zipfile.ZipFile(file, "w") as bad:
        for member in good.infolist():
            content = good.read(member)
            if member.filename.endswith("data.pkl"):
                content = after(content, data.draw(accidents(content)))
            bad.writestr(member, content)
    got = load(path, file.getvalue())
    if not isinstance(got, Refused):
        restore(got)


def restore(state):
    """A state that was read fits the net, or leaves it as it was."""
    module = net()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    got = attempt(checkpoint.restore_weights, module, state)
    if isinstance(got, Refused):
        assert equal(dict(module.state_dict()), before)


_VALUES = st.sampled_from([
    None, 0, "x", [], {}, torch.zeros(0), torch.zeros(4, 3), torch.zeros(4), torch.zeros(2, 4),
    torch.full((4, 3), torch.nan), torch.zeros(4, 3, dtype=torch.complex64),
    torch.zeros(4, 3, dtype=torch.int64), torch.zeros(4, 3, dtype=torch.bool),
    torch.zeros(4, 3).to_sparse(), torch.zeros(4, 3, device="meta"), torch.zeros(4, 1).expand(4, 3),
    torch.zeros(4, 3, dtype=torch.float64), torch.nested.nested_tensor([torch.zeros(3)]),
    torch.quantize_per_tensor(torch.zeros(4, 3), 0.1, 0, torch.qint8),
])


@budget(200)
@given(changes=st.dictionaries(
    st.sampled_from(["0.weight", "0.bias", "1.running_mean", "1.num_batches_tracked", "2.weight",
                     "", "x", 7]), _VALUES, max_size=3),
    dropped=st.sets(st.sampled_from(list(STATE["model"])), max_size=2),
    model=st.sampled_from([None, 3, [], "x", torch.zeros(2)]) | st.just(STATE["model"]))
def test_states_of_other_nets(path, changes, dropped, model):
    if isinstance(model, dict):
        model = OrderedDict({key: value for key, value in model.items() if key not in dropped}
                            | changes)
    try:
        content = bytes_of({"model": model})
    except (RuntimeError, NotImplementedError):
        return  # no file can hold that
    got = load(path, content)
    if not isinstance(got, Refused):
        restore(got)


@pytest.mark.parametrize("reader", [checkpoint.load, lambda path: load_net(str(path), "x.py:Net")])
@pytest.mark.parametrize("pack", [pickle.dumps, bytes_of,
                                  lambda o: bytes_of(o, _use_new_zipfile_serialization=False)])
def test_no_code_runs(path, pack, reader):
    trap = path.with_name("trap")
    path.write_bytes(pack({"model": {"0.weight": Trap(str(trap))}}))
    assert isinstance(attempt(reader, path), Refused)
    assert not trap.exists()


@budget(150)
@given(data=st.data(), legacy=st.booleans())
def test_nets_of_users(path, data, legacy):
    """`spikewright compile net.pt` reads them."""
    path.write_bytes(after(WHOLE[legacy], data.draw(accidents(WHOLE[legacy]))))
    with untouched(path.parent):
        attempt(load_net, str(path), "torch.nn:Identity")


def trainer():
    samples = Stimulus(np.ones((4, 2, 3), bool), np.array([0, 1, 0, 1]))

    def forward(x):
        votes = module(x.mean(0))[None]
        return Activity(votes, (votes,), x)

    module = net()
    return Trainer(module, forward, samples, (3,), Training(epochs=2, batch=2))


@budget(60)
@given(changes=st.dictionaries(
    st.sampled_from(["epoch", "model", "optimizer", "random"]),
    st.sampled_from([None, -1, 3, 10**30, math.nan, "x", {}, [], torch.zeros(3),
                     torch.zeros(5056, dtype=torch.uint8), {"state": {}, "param_groups": []},
                     {"state": {0: {"exp_avg": torch.zeros(1)}}, "param_groups": [7]}]),
    max_size=2), dropped=st.sets(st.sampled_from(["epoch", "optimizer", "random"]), max_size=1))
def test_a_trainer_goes_on_or_stays_as_it_is(changes, dropped):
    going = trainer()
    going.train_epoch()
    before = copy.deepcopy(going.state())
    state = copy.deepcopy(before) | changes
    got = attempt(going.restore, {key: state[key] for key in state if key not in dropped})
    if isinstance(got, Refused):
        assert equal(going.state(), before)
    else:
        assert 0 <= going.epoch <= going.epochs
