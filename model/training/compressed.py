"""Products with a matrix that is sparse because most of a layer's neurons are away from their
threshold, on a CPU.

PyTorch's own compressed rows multiply as fast, but it takes longer to make them than a dense
product takes. Here two passes over the membranes make them: one counts, one places.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

#: Columns of a product that are computed at a time.
_WIDTH = 1024


class Rows(NamedTuple):
    """A sparse matrix: row i holds, at the columns ``columns[ends[i]:ends[i + 1]]``, what stands at
    these places of ``above`` (u − θ) and ``given`` (∂L/∂s)."""

    ends: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int32]
    above: npt.NDArray
    given: npt.NDArray


def counted(u: npt.NDArray, threshold: float, band: float, size: int) -> npt.NDArray[np.int64]:
    """Where rows end that hold the active neurons of u (rows, neurons): for each ``size`` rows of u
    one row per neuron. The last is the number of active neurons."""
    ends = np.zeros(-(-len(u) // size) * u.shape[1] + 1, np.int64)
    _count(u, u.dtype.type(threshold), u.dtype.type(band), size, ends)
    return ends


def by_neuron(
    u: npt.NDArray, given: npt.NDArray, threshold: float, band: float, size: int,
    ends: npt.NDArray[np.int64],
) -> Rows:
    """The matrix of those ``ends``, whose columns are rows of u."""
    rows = _empty(ends, u.dtype)
    _place(u, given, u.dtype.type(threshold), u.dtype.type(band), size, *rows)
    return rows


def by_row(
    u: npt.NDArray, given: npt.NDArray, threshold: float, band: float, active: int
) -> Rows:
    """The matrix with the rows of u and a column per neuron."""
    ends = np.zeros(len(u) + 1, np.int64)
    ends[-1] = active
    rows = _empty(ends, u.dtype)
    _follow(u, given, u.dtype.type(threshold), u.dtype.type(band), *rows)
    return rows


@numba.njit(cache=True, fastmath=True)
def add_product(
    ends: npt.NDArray, columns: npt.NDArray, values: npt.NDArray, table: npt.NDArray,
    out: npt.NDArray,
) -> None:
    """Adds to row i mod len(out) of ``out`` the rows of ``table`` that row i of the sparse matrix
    names, times its values: a part of the width at a time, so that the table's stays in the cache,
    and four rows at a time, so that ``out`` is read and written less often."""
    for start in range(0, out.shape[1], _WIDTH):
        part = slice(start, min(start + _WIDTH, out.shape[1]))
        for i in range(len(ends) - 1):
            row = out[i % len(out), part]
            k, stop = ends[i], ends[i + 1]
            while k + 4 <= stop:
                a, b, c, d = values[k], values[k + 1], values[k + 2], values[k + 3]
                at, bt = table[columns[k], part], table[columns[k + 1], part]
                ct, dt = table[columns[k + 2], part], table[columns[k + 3], part]
                for j in range(len(row)):
                    row[j] += a * at[j] + b * bt[j] + c * ct[j] + d * dt[j]
                k += 4
            while k < stop:
                a, at = values[k], table[columns[k], part]
                for j in range(len(row)):
                    row[j] += a * at[j]
                k += 1


def _empty(ends: npt.NDArray[np.int64], dtype: np.dtype) -> Rows:
    active = int(ends[-1])
    return Rows(ends, np.empty(active, np.int32), np.empty(active, dtype), np.empty(active, dtype))


@numba.njit(cache=True)
def _count(u, threshold, band, size, ends):
    rows, neurons = u.shape
    found = np.zeros(neurons, np.int64)
    for block in range((len(ends) - 1) // neurons):
        found[:] = 0
        for r in range(block * size, min(rows, (block + 1) * size)):
            for n in range(neurons):
                found[n] += abs(u[r, n] - threshold) <= band
        for n in range(neurons):
            at = block * neurons + n
            ends[at + 1] = ends[at] + found[n]


@numba.njit(cache=True)
def _place(u, given, threshold, band, size, ends, columns, above, taken):
    rows, neurons = u.shape
    for block in range((len(ends) - 1) // neurons):
        place = ends[block * neurons:(block + 1) * neurons].copy()
        for r in range(block * size, min(rows, (block + 1) * size)):
            for n in range(neurons):
                x = u[r, n] - threshold
                if abs(x) <= band:
                    k = place[n]
                    place[n] = k + 1
                    columns[k], above[k], taken[k] = r, x, given[r, n]


@numba.njit(cache=True)
def _follow(u, given, threshold, band, ends, columns, above, taken):
    k = 0
    for r in range(len(u)):
        for n in range(u.shape[1]):
            x = u[r, n] - threshold
            if abs(x) <= band:
                columns[k], above[k], taken[k] = n, x, given[r, n]
                k += 1
        ends[r + 1] = k
