import numpy as np
import pytest

from spikewright.model.study.predictor import FEWEST, predictions

from .test_statistics import row


def nets(cycles, count=12, seeds=2):
    """Rows of nets whose ``cycles`` follow from the spikes of two layers."""
    source, rows = np.random.default_rng(0), []
    for beta in range(count):
        for seed in range(seeds):
            spikes = source.uniform(50, 200, 2)
            training = {"spikes": spikes.tolist(), "accuracy": source.uniform(), "loss": beta}
            rows.append(row(len(rows), {"cycles": cycles(spikes, beta), "training": training},
                            beta=beta, seed=seed))
    return rows


def test_what_follows_from_spikes_is_foretold_from_spikes_alone():
    found = {each.knowing: each for each in predictions(nets(
        lambda spikes, beta: 100 + 3 * spikes[0] + spikes[1]))}
    assert found["spikes"].error == pytest.approx(0, abs=1e-9)
    assert found["spikes"].explained == pytest.approx(1)
    assert found["nothing"].explained < 0
    assert found["accuracy"].error > 0.05
    assert found["spikes"].runs == 24
    assert found["spikes"].choices == 12


def test_nothing_is_seen_of_a_choice_that_is_held_back():
    """Cycles belong to the setting, each value of which only its own choice has."""
    found = {each.knowing: each for each in predictions(nets(lambda spikes, beta: 10 + beta % 2))}
    assert found["settings"].explained <= 0


def test_too_few_are_not_fitted():
    assert predictions(nets(lambda spikes, beta: spikes[0], count=FEWEST - 1)) == []
    assert predictions(nets(lambda spikes, beta: 10)) == []
    rows = nets(lambda spikes, beta: spikes[0])
    rows[0].figures["training"]["spikes"].append(1.0)
    assert predictions(rows) == []
    for each in rows:
        each.figures["training"] = None
    assert predictions(rows) == []
