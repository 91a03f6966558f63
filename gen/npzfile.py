"""Arrays from an npz of anybody's: all that it holds, or one reason why not.

``np.load`` believes what a file says of itself. A header of a few bytes makes it ask for any amount
of memory, of two arrays of one name it takes the last, and a damaged archive raises whatever the
decompressor raises. Here an array is read only if its header, its member of the archive and its
checksum agree, and never if loading it could run code.
"""

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .errors import one_line

#: Most bytes of all arrays together.
MOST = 1 << 33

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read(file: Path | str | IO[bytes], most: int = MOST) -> dict[str, npt.NDArray[Any]]:
    """Every array in ``file``, by name; ``most`` bytes at most.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no npz, was damaged or truncated, holds an array twice, or one that is larger or
        smaller than it says, of objects, or does not fit ``most``.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if doubled := {name for name in names if names.count(name) > 1}:
                raise ValueError(
                    f"{one_line(min(doubled))} is there {names.count(min(doubled))} times")
            if sum(member.file_size for member in members) > most:
                raise ValueError(f"its arrays say that they have more than {most} bytes")
            return {member.filename.removesuffix(".npy"): _array(archive, member)
                    for member in members}
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.filename is None:
            # From inside the archive, such as an offset below 0.
            raise ValueError(f"damaged archive ({one_line(error)})") from error
        raise
    except Exception as error:  # zipfile and the decompressors raise many kinds
        raise ValueError(f"damaged archive ({one_line(error)})") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{member.filename} has version {version} of the npy format; "
                             f"{' and '.join(map(str, _HEADERS))} are read")
        shape, _, dtype = _HEADERS[version](file)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise ValueError(f"{member.filename} holds objects, which may run code")
        if min(shape, default=0) < 0 or size != member.file_size - file.tell():
            raise ValueError(f"{member.filename} holds {member.file_size - file.tell()} bytes for "
                             f"{dtype} of shape {shape}")
    with archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        if not size:
            file.read(1)  # the checksum is compared at the end
        return array
