"""MNIST from files of every form it is spread in, here written by hand."""

import gzip

import numpy as np
import pytest

from spikewright.gen import Stimulus
from spikewright.gen.errors import DataError
from spikewright.model.data.encoding import Encoding
from spikewright.model.data.images import mnist
from spikewright.model.data.settings import Data
from spikewright.model.data.sources import load


def _idx(array):
    array = np.asarray(array, np.uint8)
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return b"\0\0\x08" + bytes([array.ndim]) + sizes + array.tobytes()


def _digits(samples):
    rng = np.random.default_rng(samples)
    return rng.integers(0, 256, (samples, 28, 28)).astype(np.uint8), np.arange(samples) % 10


def _write(folder, prefix, samples, *, packed=False, dot=False):
    folder.mkdir(parents=True, exist_ok=True)
    for kind, array in zip(("images-idx3", "labels-idx1"), _digits(samples), strict=True):
        name = f"{prefix}-{kind.replace('-', '.') if dot else kind}-ubyte"
        content = _idx(array)
        (folder / (name + ".gz" * packed)).write_bytes(
            gzip.compress(content) if packed else content)


@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw", "MNIST", "."])
@pytest.mark.parametrize("form", [{}, {"packed": True}, {"dot": True}])
def test_idx_files(tmp_path, folder, form):
    _write(tmp_path / folder, "train", 60, **form)
    _write(tmp_path / folder, "t10k", 20, **form)
    splits = load(Data(source="mnist"), tmp_path)
    images, labels = _digits(60)
    assert (splits.train.images == images).all()
    assert (splits.train.labels == labels).all()
    image, label = splits.train[7]
    assert (image == images[7]).all()
    assert label == labels[7]
    assert (len(splits.held_back), splits.train.sensor_size) == (20, (28, 28, 1))
    with pytest.raises(DataError, match="own test files are there"):
        load(Data(source="mnist", train=5), tmp_path)


def test_the_last_sixth_is_held_back_where_there_are_no_test_files(tmp_path):
    _write(tmp_path, "train", 60)
    splits = load(Data(source="mnist"), tmp_path)
    assert (splits.held_back.images == _digits(60)[0][50:]).all()
    assert len(load(Data(source="mnist", train=20), tmp_path).held_back) == 40


def test_keras_archive(tmp_path):
    parts = dict(zip(("x_train", "y_train", "x_test", "y_test"), (*_digits(30), *_digits(10)),
                     strict=True))
    np.savez(tmp_path / "mnist.npz", **parts)
    train, test = mnist(tmp_path)
    assert (train.images == parts["x_train"]).all()
    assert test is not None
    assert (test.labels == parts["y_test"]).all()
    np.savez(tmp_path / "mnist.npz", x_train=parts["x_train"])
    with pytest.raises(DataError, match="cannot be read as Keras"):
        mnist(tmp_path)


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(DataError, match=r"holds no MNIST.*torchvision\.datasets\.MNIST"):
        mnist(tmp_path)
    _write(tmp_path, "train", 20, packed=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = gzip.decompress(path.read_bytes())
    for content, words in (
        (gzip.compress(whole[:-5]), "bytes for an array"),
        (gzip.compress(b"\0\0\x0d" + whole[3:]), "no idx file of bytes"),
        (path.read_bytes()[:100], "cannot be read"),
        (gzip.compress(_idx(np.zeros((20, 28)))), r"shape \(20, 28\); bytes \(samples, y, x\)"),
        (gzip.compress(_idx(np.zeros((19, 28, 28)))), "20 labels for 19 images"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            mnist(tmp_path)


@pytest.mark.parametrize("bits", range(1, 9))
def test_currents_are_the_upper_bits_of_pixels(tmp_path, bits):
    _write(tmp_path, "train", 12)
    train, _ = mnist(tmp_path)
    values = Encoding(kind="current", bits=bits, timesteps=4).encode(train)
    assert values.shape == (12, 1, 784)
    assert (values[:, 0].reshape(-1, 28, 28) == train.images >> (8 - bits)).all()
    assert Stimulus(values, train.labels).spikes.dtype == (np.bool_ if bits == 1 else np.uint8)


@pytest.mark.parametrize("fields", [{}, {"kind": "counts"}, {"kind": "current", "time_window": 9}])
def test_images_have_no_time(tmp_path, fields):
    _write(tmp_path, "train", 12)
    with pytest.raises(DataError, match=r"encoding\.kind = 'current'"):
        Encoding(timesteps=2, **fields).encode(mnist(tmp_path)[0])
