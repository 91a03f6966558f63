"""Small event files that anyone can generate."""

import numpy as np
import pytest

SENSOR = (6, 5, 2)


def _arrays(samples=40, classes=2, seed=0):
    """Recordings of 30 ms in which class c moves along row c, with a little noise."""
    rng = np.random.default_rng(seed)
    parts, labels = [], []
    for i in range(samples):
        label = i % classes
        t = np.sort(rng.integers(0, 30_000, 60))
        x = t * SENSOR[0] // 30_000
        y = np.where(rng.random(60) < 0.9, label, rng.integers(0, SENSOR[1], 60))
        parts.append((x, y, rng.integers(0, 2, 60), t))
        labels.append(label)
    x, y, p, t = (np.concatenate(column) for column in zip(*parts, strict=True))
    return {
        "x": x.astype(np.uint8), "y": y.astype(np.uint8), "p": p.astype(np.uint8),
        "t": t.astype(np.uint32), "offsets": np.arange(samples + 1, dtype=np.int64) * 60,
        "labels": np.array(labels, np.uint8), "sensor_size": np.array(SENSOR, np.int64),
    }


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """The user's cache is left alone, and no test finds what another one kept."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(folder))
    return folder


@pytest.fixture
def event_arrays():
    return _arrays()


@pytest.fixture
def event_file(tmp_path, event_arrays):
    path = tmp_path / "events.npz"
    np.savez(path, **event_arrays)
    return path


@pytest.fixture
def recipe_file(tmp_path, event_file):
    path = tmp_path / "recipe.toml"
    path.write_text(f"""
        name = "tiny"
        [data]
        source = "events:{event_file}"
        train = 30
        [encoding]
        timesteps = 3
        time_window = 10000
        [net]
        hidden = [8]
        beta = 0.8
        [training]
        epochs = 4
        batch = 8
        learning_rate = 0.02
        dropout = 0.1
        [training.augmentation]
        shift = 1
        scale = 0.1
        [quantisation]
        epochs = 2
    """)
    return path
