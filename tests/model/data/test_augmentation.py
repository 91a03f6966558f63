import pytest
import torch

from spikewright.gen.errors import RecipeError
from spikewright.model.data.augmentation import Augmentation, distort
from spikewright.model.recipe import Recipe

SHAPE = (2, 9, 15)  # not square, so that x and y cannot be taken for each other


def _pixel(y, x, samples=400, timesteps=2):
    frames = torch.zeros(samples, timesteps, *SHAPE)
    frames[:, :, 1, y, x] = 1
    return frames.reshape(samples, timesteps, -1)


def _where(moved):
    return {tuple(at) for at in moved.reshape(-1, *SHAPE).nonzero()[:, 1:].tolist()}


def test_nothing_asked_nothing_drawn():
    x = torch.rand(3, 2, 270)
    before = torch.get_rng_state()
    assert distort(x, SHAPE, Augmentation()) is x
    assert torch.equal(torch.get_rng_state(), before)


def test_shifts_reach_every_place_and_no_further():
    torch.manual_seed(0)
    moved = distort(_pixel(4, 3), SHAPE, Augmentation(shift=2))
    assert _where(moved) == {(1, y, x) for y in range(2, 7) for x in range(1, 6)}
    assert (moved.sum((1, 2)) == 2).all()
    assert torch.equal(moved[:, 0], moved[:, 1])
    gone = distort(_pixel(0, 0), SHAPE, Augmentation(shift=1)).sum((1, 2)) == 0
    assert 0.4 < gone.float().mean() < 0.7  # five of nine moves leave the sensor


def test_turns_keep_the_middle_and_the_radius():
    torch.manual_seed(0)
    options = Augmentation(rotation=180)
    assert _where(distort(_pixel(4, 7), SHAPE, options)) == {(1, 4, 7)}
    found = _where(distort(_pixel(4, 10), SHAPE, options))
    radii = [((y - 4) ** 2 + (x - 7) ** 2) ** 0.5 for _, y, x in found]
    assert 2 < min(radii) <= max(radii) < 4
    assert {(1, 1, 7), (1, 7, 7), (1, 4, 4), (1, 4, 10)} <= found


def test_scale_and_shear_keep_their_axes():
    torch.manual_seed(0)
    grown = _where(distort(_pixel(4, 11), SHAPE, Augmentation(scale=0.3)))
    assert {y for _, y, _ in grown} == {4}
    assert {x for _, _, x in grown} == {10, 11, 12, 13}
    leaning = _where(distort(_pixel(8, 7), SHAPE, Augmentation(shear=0.5)))
    assert leaning == {(1, 8, x) for x in range(5, 10)}


@pytest.mark.parametrize(("options", "words"), [
    ({"shift": 17}, "shift"), ({"rotation": -1}, "rotation"), ({"scale": 1}, "scale"),
    ({"shear": 2}, "shear"), ({"flip": 1}, "flip: Extra inputs"),
])
def test_wrong_options(options, words):
    with pytest.raises(RecipeError, match=rf"training\.augmentation\.{words}"):
        Recipe.check({"encoding": {"timesteps": 2}, "net": {"beta": 0.9},
                      "training": {"augmentation": options}}, "mine.toml")
