import numpy as np

from spikewright.gen import Folding, simulate
from spikewright.gen.cycles import timeline
from spikewright.gen.plan import layer_plans
from spikewright.gen.traffic import traffic
from spikewright.model import figures


def test_a_timeline_has_two_bars_for_each_layer_and_timestep(small_net, small_stimulus):
    spec, spikes = small_net, small_stimulus.spikes
    folding = Folding.lanes(2, 2, spec=spec)
    plans = layer_plans(spec, folding)
    trace = simulate(spec, spikes, engine="cycles", folding=folding)
    times = timeline(plans, traffic(plans, spikes, trace.spikes))
    figure = figures.timeline(times, ["a", "b"], 1)
    (axis,) = figure.axes
    assert len(axis.collections) == 2 * 2 * spikes.shape[1]
    ends = [np.asarray(path.vertices)[:, 0].max()
            for bar in axis.collections for path in bar.get_paths()]
    assert max(ends) <= times.cycles[1]


def test_a_picture_says_what_it_shows():
    html = figures.Picture(figures.curves({"a": [1.0, 2.0]}, "b"), "Up & away")._repr_html_()
    assert 'aria-label="Up &amp; away"' in html
    assert figures.INK not in html
