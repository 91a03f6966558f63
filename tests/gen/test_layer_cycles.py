"""The cycles that sweeps leave to events: the closed form against counting."""

from itertools import count, islice
from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikewright.gen.layer_cycles import SweepCycles


@given(takes=st.integers(1, 9), distance=st.integers(1, 6), begins=st.lists(
    st.integers(0, 30), min_size=1, max_size=4))
def test_taken_and_free_cycles_are_those_counted_one_by_one(takes, distance, begins):
    synapses = SimpleNamespace(takes=takes, take_distance=distance)
    sweep = SweepCycles(SimpleNamespace(synapses=synapses), np.array(begins, np.int32))
    for cycle in range(100):
        expected = [sum(begin + k * distance < cycle for k in range(takes)) for begin in begins]
        given_cycle = np.full(len(begins), cycle, np.int32)
        assert sweep.taken_before(given_cycle).tolist() == expected
    taken = [{begin + k * distance for k in range(takes)} for begin in begins]
    free = [list(islice((cycle for cycle in count() if cycle not in those), 80))
            for those in taken]
    for number in range(80):
        found = sweep.free_cycle(np.full(len(begins), number, np.int32))
        assert found.tolist() == [cycles[number] for cycles in free]
