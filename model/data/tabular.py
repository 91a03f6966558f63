"""Tables: samples that are a row of features each, from scikit-learn, which brings them along.

A row becomes an image of one line, so that whatever turns pixels into input signals takes features
as well. Feature x is scaled by what the training part alone shows of it::

    pixel = floor(256·u), at most 255           u clipped to 0 … 1

    standard     u = (z + 2)/4                  z = (x − mean) / (standard deviation)
    range        u = (x − least)/(most − least)

A feature that never changes there is 0.
"""

import numpy as np
import numpy.typing as npt

from ...gen.errors import DataError
from .datasets import Splits
from .images import ImageDataset
from .settings import Scaling
from .splits import drawn, parted

#: By the name that recipes use: the loader in :mod:`sklearn.datasets`, and what it loads.
TABLES = {
    "iris": ("load_iris", "iris flowers, 4 features, 3 classes"),
    "wine": ("load_wine", "wines, 13 features, 3 classes"),
    "breast_cancer": ("load_breast_cancer", "breast cancer Wisconsin, 30 features, 2 classes"),
    "digits": ("load_digits", "handwritten digits, 64 pixels, 10 classes"),
}

#: Standard deviations to each side of the mean that are told apart.
REACH = 2.0


def table(name: str, train: int | None = None, scaling: Scaling = "standard") -> Splits:
    """Table ``name`` with ``train`` samples (default four fifths) to train on, drawn once and for
    all with equal shares of each class.

    Raises
    ------
    DataError
        If there is no such table, or ``train`` leaves a class out of a part.
    """
    if name not in TABLES:
        raise DataError(f"there is no table {name!r}; allowed are "
                        f"{', '.join(f'sklearn:{known}' for known in TABLES)}")
    from sklearn import datasets

    features, target = getattr(datasets, TABLES[name][0])(return_X_y=True)
    labels = target.astype(np.int64)
    first, rest = drawn(labels, train, name)
    pixels = scaled(features, features[first], scaling)
    return parted(
        ImageDataset(name=name, classes=len(np.unique(labels)), images=pixels[:, None, :],
                     labels=labels),
        first, rest,
    )


def scaled(
    features: npt.NDArray[np.float64], seen: npt.NDArray[np.float64], scaling: Scaling
) -> npt.NDArray[np.uint8]:
    """``features`` (samples, features) as pixels, by what the samples ``seen`` show of each."""
    if scaling == "standard":
        least = seen.mean(0) - REACH * seen.std(0)
        span = 2 * REACH * seen.std(0)
    else:
        least, span = seen.min(0), np.ptp(seen, 0)
    unit = np.divide(features - least, span, out=np.zeros_like(features), where=span > 0)
    return np.clip(np.floor(256 * unit), 0, 255).astype(np.uint8)
