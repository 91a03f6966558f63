"""Scores in torch are those of the contract."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import Readout, ReadoutKind
from spikewright.model.readouts import scores, votes


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(ReadoutKind), st.integers(1, 3), st.integers(1, 4), st.integers(1, 6),
       st.sampled_from([0.0, 0.1, 0.5]), st.booleans(), st.integers(0, 2**32 - 1))
def test_scores(kind, population, classes, timesteps, rate, early, seed):
    rng = np.random.default_rng(seed)
    readout = Readout(kind=kind, population=population,
                      early_exit=early and kind is ReadoutKind.FIRST_SPIKE)
    shape = (timesteps, 5, population * classes)
    spikes, membranes = rng.random(shape) < rate, rng.integers(-99, 99, shape)
    expected = readout.scores(spikes.swapaxes(0, 1), membranes.swapaxes(0, 1), timesteps)
    found = scores(readout, votes(readout, torch.from_numpy(spikes).double(),
                                  torch.from_numpy(membranes).double()))
    assert (found.numpy() == expected).all()
