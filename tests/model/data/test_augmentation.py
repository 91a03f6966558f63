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


def _recordings(most=1, samples=300, timesteps=4):
    return torch.randint(0, most + 1, (samples, timesteps, 270)).float()


def test_time_moves_whole_recordings_and_what_leaves_is_lost():
    torch.manual_seed(0)
    x = _recordings()
    moved = distort(x, SHAPE, Augmentation(time_shift=1))
    candidates = torch.stack([
        torch.cat([x[:, 1:], torch.zeros_like(x[:, :1])], 1), x,
        torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1),
    ])
    same = (candidates == moved).flatten(2).all(2)
    assert same.any(0).all()
    assert same.any(1).all()
    far = distort(x, SHAPE, Augmentation(time_shift=100))
    assert 0 < (far.sum((1, 2)) == 0).sum() < len(x)


def test_polarities_change_places_in_their_share_of_recordings():
    torch.manual_seed(0)
    x = _recordings()
    assert torch.equal(distort(x, SHAPE, Augmentation(polarity_flip=1)),
                       torch.cat([x[..., 135:], x[..., :135]], 2))
    flipped = (distort(x, SHAPE, Augmentation(polarity_flip=0.3)) != x).any(2).any(1)
    assert 0.2 < flipped.float().mean() < 0.4
    assert torch.equal(distort(x, (1, 9, 30), Augmentation(polarity_flip=1)), x)


@pytest.mark.parametrize("most", [1, 9])
def test_every_recording_loses_a_share_of_its_own(most):
    torch.manual_seed(0)
    x = _recordings(most)
    kept = distort(x, SHAPE, Augmentation(event_drop=0.5))
    assert (kept <= x).all()
    assert torch.equal(kept, kept.round())
    share = kept.sum((1, 2)) / x.sum((1, 2))
    assert 0.4 < share.min() < 0.55
    assert 0.95 < share.max() <= 1
    assert 0.7 < share.mean() < 0.8


@pytest.mark.parametrize(("options", "words"), [
    ({"event_drop": 1}, "event_drop"), ({"polarity_flip": 1.5}, "polarity_flip"),
    ({"shift": 17}, "shift"), ({"rotation": -1}, "rotation"), ({"scale": 1}, "scale"),
    ({"shear": 2}, "shear"), ({"flip": 1}, "flip: Extra inputs"),
])
def test_wrong_options(options, words):
    with pytest.raises(RecipeError, match=rf"training\.augmentation\.{words}"):
        Recipe.check({"encoding": {"timesteps": 2}, "net": {"beta": 0.9},
                      "training": {"augmentation": options}}, "mine.toml")
