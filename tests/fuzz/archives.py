"""npz files that no honest writer makes: zip archives of arrays that are not what they say."""

import io
import pickle
import warnings
import zipfile
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from .mutations import Accident, accidents, after


@dataclass(frozen=True)
class Member:
    """One file of the archive: an npy with this header, which may lie, and this payload."""

    name: str
    descr: Any
    shape: Any
    payload: bytes
    fortran: Any = False
    version: tuple[int, int] = (1, 0)

    @classmethod
    def of(cls, name: str, array: npt.NDArray[Any]) -> "Member":
        return cls(name, np.lib.format.dtype_to_descr(array.dtype), array.shape, array.tobytes())

    def bytes(self) -> bytes:
        header = repr({"descr": self.descr, "fortran_order": self.fortran, "shape": self.shape})
        length = len(header).to_bytes(2 if self.version == (1, 0) else 4, "little")
        return b"\x93NUMPY" + bytes(self.version) + length + header.encode() + self.payload


@dataclass(frozen=True)
class Archive:
    """An npz; names may repeat."""

    members: tuple[Member, ...]
    method: int = zipfile.ZIP_DEFLATED
    accidents: tuple[Accident, ...] = ()

    def bytes(self) -> bytes:
        file = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
            warnings.simplefilter("ignore", UserWarning)  # of repeated names
            for member in self.members:
                info = zipfile.ZipInfo(f"{member.name}.npy")
                info.compress_type = self.method
                archive.writestr(info, member.bytes())
        return after(file.getvalue(), list(self.accidents))


class Trap:
    """A pickle of it writes a file when it is loaded."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def pickled(name: str, trap: str) -> Member:
    """An array of objects whose pickle, if it is loaded, makes the file ``trap``."""
    return Member(name, "|O", (1,), pickle.dumps(np.array([Trap(trap)], object)))


_SHAPES = [(), (0,), (1,), (-1,), (2**40,), (2**31, 2**31), (2**62, 4), (2**64,), (10**30,), (0, 9),
           (3, 0, 2**60), (True,), (1.5,), [3], None, "x", ((1,),)]
_DESCRS = ["|O", "<i9", "<f2", "<f8", "<c16", "|S0", "<U3", "|V4", "<M8[s]", ">i8", "<u8", "|b1",
           "|u1", "|i1", "", None, 7, [], [("a", "<i8")], [("a", "|O")], "i8,i8", ("<i8", (2,))]
_TYPES = ["bool", "uint8", "int8", "uint16", ">i4", "int64", "uint64", "float16", "float32",
          "float64", "complex64", "U4", "S3", "datetime64[s]"]
_VALUES = [0, 1, -1, 2, 3, 255, 2**31, 2**62, -(2**63), 2**63 - 1, 0.5, np.nan, np.inf, 1e300]


@st.composite
def archives(draw, arrays: dict[str, npt.NDArray[Any]], trap: str) -> Archive:
    """An npz of ``arrays`` of which something is wrong; most changes leave a valid archive."""
    arrays = dict(arrays)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(list(arrays)))
        arrays[name] = draw(_altered(arrays[name]))
    members = [Member.of(name, array) for name, array in arrays.items()]
    for _ in range(draw(st.integers(0, 2))):
        if members:
            members = draw(_lies(members, trap))
    method = draw(st.sampled_from([
        zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
    archive = Archive(tuple(members), method)
    if draw(st.integers(0, 9)):
        return archive
    return replace(archive, accidents=tuple(draw(accidents(archive.bytes()))))


@st.composite
def _altered(draw, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Another type, shape or value."""
    match draw(st.sampled_from(("type", "value", "shape"))):
        case "type":
            kind = draw(st.sampled_from(_TYPES))
            if kind[0] in "Ud" or array.dtype.kind not in "iufb":
                return np.zeros(array.shape, kind)
            with np.errstate(all="ignore"):
                return array.astype(kind)
        case "value" if array.size and array.dtype.kind in "iufb":
            value = draw(st.sampled_from(_VALUES))
            array = np.ascontiguousarray(array).copy()
            try:
                with np.errstate(all="ignore"):
                    array.flat[draw(st.integers(0, array.size - 1))] = value
            except (OverflowError, ValueError):
                array = np.full(array.shape, value, np.float64)
            return array
    flat = array.reshape(-1)
    return draw(st.sampled_from([
        flat, array[np.newaxis], array[..., np.newaxis], array.T, flat[:-1], flat[:1],
        *([array[:0], array[..., :0], np.concatenate([array, array])] if array.ndim else []),
    ]))


@st.composite
def _lies(draw, members: list[Member], trap: str) -> list[Member]:
    at = draw(st.integers(0, len(members) - 1))
    member, rest = members[at], [*members[:at], *members[at + 1 :]]
    other = members[draw(st.integers(0, len(members) - 1))]
    match draw(st.sampled_from(("drop", "twice", "name", "swap", "shape", "descr", "payload",
                                "order", "version", "pickle"))):
        case "drop":
            return rest
        case "twice":
            return [*members, replace(other, name=member.name)]
        case "name":
            return [*rest, replace(member, name=draw(
                st.sampled_from(["", "x", "..", "/x", "labels.npy", "é", "\0"])))]
        case "swap":
            return [replace(each, name={member.name: other.name, other.name: member.name}.get(
                each.name, each.name)) for each in members]
        case "shape":
            return [*rest, replace(member, shape=draw(st.sampled_from(_SHAPES)))]
        case "descr":
            return [*rest, replace(member, descr=draw(st.sampled_from(_DESCRS)))]
        case "payload":
            return [*rest, replace(member, payload=after(
                member.payload, draw(accidents(member.payload))))]
        case "order":
            return [*rest, replace(member, fortran=draw(st.sampled_from([True, 1, None, "x"])))]
        case "version":
            return [*rest, replace(member, version=draw(
                st.sampled_from([(0, 0), (2, 0), (3, 0), (9, 9)])))]
    return [*rest, pickled(member.name, trap)]
