"""Still images with their labels: MNIST, in the files it is spread in."""

import gzip
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...gen import npzfile
from ...gen.errors import DataError

#: Where the files of MNIST lie below the data folder: its own name, torchvision's, or right there.
_FOLDERS = ("mnist", "MNIST/raw", "MNIST", ".")


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageDataset:
    """``images`` uint8 (samples, y, x); ``labels`` int64 (samples,), each below ``classes``;
    ``dataset[i]`` is (image, label)."""

    name: str
    classes: int
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.images.ndim != 3 or self.images.dtype != np.uint8 or not len(self.images):
            raise DataError(f"{self.name}: images are {self.images.dtype} of shape "
                            f"{self.images.shape}; bytes (samples, y, x) are needed")
        if self.labels.shape != self.images.shape[:1]:
            raise DataError(f"{self.name}: {self.labels.size} labels for {len(self.images)} "
                            f"images; one each is needed")
        if self.labels.min() < 0 or self.labels.max() >= self.classes:
            raise DataError(f"{self.name}: labels run from {self.labels.min()} to "
                            f"{self.labels.max()}; allowed are 0 to {self.classes - 1}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[npt.NDArray[np.uint8], int]:
        return self.images[i], int(self.labels[i])

    @property
    def sensor_size(self) -> tuple[int, int, int]:
        """(x, y, 1), as of an event camera with one polarity."""
        return self.images.shape[2], self.images.shape[1], 1

    def subset(self, which: npt.ArrayLike) -> "ImageDataset":
        """The samples with these indices, in this order."""
        indices = np.asarray(which, np.int64)
        return replace(self, images=self.images[indices], labels=self.labels[indices])


def mnist(root: Path) -> tuple[ImageDataset, ImageDataset | None]:
    """MNIST's training images, and its test images where their files lie there too.

    Looked for below ``root``: ``train-images-idx3-ubyte`` and so on, packed (.gz) or not, in
    ``mnist``, ``MNIST/raw``, ``MNIST`` or ``root`` itself; or Keras's ``mnist.npz`` there.

    Raises
    ------
    DataError
        If they are missing or malformed.
    """
    for folder in _FOLDERS:
        place = root / folder
        if (archive := place / "mnist.npz").is_file():
            return _from_keras(archive)
        if (train := _split(place, "train")) is not None:
            return train, _split(place, "t10k")
    raise DataError(
        f"{root} holds no MNIST: neither train-images-idx3-ubyte.gz and its labels nor mnist.npz "
        f"lie in it, in mnist/, MNIST/raw/ or MNIST/; to download them run: {download(root)}"
    )


def download(root: Path) -> str:
    """What to run to have MNIST downloaded below ``root``."""
    call = f"torchvision.datasets.MNIST({str(root)!r}, download=True)"
    return f'python -c "import torchvision; {call}"'


def files(root: Path) -> list[Path]:
    """The files of MNIST that :func:`mnist` reads below ``root``; none if it would refuse."""
    for folder in _FOLDERS:
        place = root / folder
        if (archive := place / "mnist.npz").is_file():
            return [archive]
        found = {prefix: _idx_files(place, prefix) for prefix in ("train", "t10k")}
        if len(found["train"]) == 2:
            return found["train"] + (found["t10k"] if len(found["t10k"]) == 2 else [])
    return []


def _split(folder: Path, prefix: str) -> ImageDataset | None:
    found = _idx_files(folder, prefix)
    if len(found) < 2:
        return None
    images, labels = map(_read_idx, found)
    return ImageDataset(name=f"MNIST {prefix}", classes=10, images=images,
                        labels=labels.astype(np.int64))


def _idx_files(folder: Path, prefix: str) -> list[Path]:
    """Those of the images and of the labels, as far as they are there."""
    found = (_idx_file(folder, f"{prefix}-{rest}") for rest in ("images-idx3", "labels-idx1"))
    return [path for path in found if path is not None]


def _idx_file(folder: Path, stem: str) -> Path | None:
    for name in (f"{stem}-ubyte", f"{stem}-ubyte.gz", f"{stem.replace('-idx', '.idx')}-ubyte"):
        if (folder / name).is_file():
            return folder / name
    return None


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """The array in an idx file: two zero bytes, 8 for bytes, the number of dimensions, their sizes
    as big-endian words of 32 bits, the data."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); download it again") from error
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise DataError(f"{path} is no idx file of bytes; download it again")
    header = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:header], ">u4").astype(int).tolist())
    if len(content) - header != int(np.prod(shape)):
        raise DataError(f"{path} holds {len(content) - header} bytes for an array of shape "
                        f"{shape}; download it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _from_keras(path: Path) -> tuple[ImageDataset, ImageDataset]:
    try:
        arrays = npzfile.read(path)
        parts = {key: arrays[key] for key in ("x_train", "y_train", "x_test", "y_test")}
        if any(array.dtype.kind not in "iu" for array in parts.values()):
            raise ValueError("not all of its arrays are of integers")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read as Keras's mnist.npz ({error}); download it "
                        f"again") from error
    train, test = (
        ImageDataset(name=f"MNIST {part}", classes=10, images=parts[f"x_{part}"],
                     labels=parts[f"y_{part}"].astype(np.int64))
        for part in ("train", "test")
    )
    return train, test
