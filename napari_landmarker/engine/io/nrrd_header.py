"""The header of an NRRD file as text: its fields, and what they say of axes and numbers.

Source: Definition of NRRD File Format, https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError

#: No line of a header is longer; what is longer is no header.
_LONGEST_LINE = 1 << 16
_MOST_LINES = 10_000

_TYPES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
_CODES = {name: code for code, names in _TYPES.items() for name in names.split(", ")}

#: Signs that bring a space of the patient to LPS.
_SPACES = {
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
}

Vector = tuple[float, ...]


@dataclass(frozen=True)
class NrrdHeader:
    """The fields of a header, with names in lower case and without blanks.

    Attributes:
        path: the file.
        fields: what stands behind each name.
        end: where the header ends in the file, in bytes.
    """

    path: Path
    fields: Mapping[str, str]
    end: int

    @classmethod
    def read(cls, path: Path) -> NrrdHeader:
        """Read the header of a ``.nrrd`` or ``.nhdr`` file.

        Raises:
            ImageError: if it is no NRRD file, or ends within the header.
        """
        fields: dict[str, str] = {}
        with path.open("rb") as file:
            if not file.readline(_LONGEST_LINE).startswith(b"NRRD000"):
                raise ImageError(f"{path} is no NRRD file: choose another, or export it again as NRRD.")
            for _ in range(_MOST_LINES):
                line = file.readline(_LONGEST_LINE)
                text = line.decode("utf-8", errors="surrogateescape").strip()
                if not text:
                    break
                name, colon, value = text.partition(":")
                if not text.startswith("#") and colon and not value.startswith("="):  # := is for other programs
                    fields[name.replace(" ", "").lower()] = value.strip()
            end = file.tell()
        if not line and not {"datafile"} & fields.keys():
            raise ImageError(f"{path} is cut off within its header: copy or export it again.")
        return cls(path, fields, end)

    def get(self, name: str) -> str:
        """What stands behind a name; raises ImageError where it is missing."""
        if name not in self.fields:
            raise ImageError(f"{self.path} does not state its {name}, which NRRD files must: export it again.")
        return self.fields[name]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of samples along each axis, the fastest first."""
        sizes = tuple(int(n) for n in self.get("sizes").split())
        if len(sizes) != int(self.get("dimension")) or min(sizes) < 1:
            raise ImageError(f"{self.path} states sizes that do not fit its dimension: export it again.")
        return sizes

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The kind of number, with its byte order."""
        code = _CODES.get(" ".join(self.get("type").lower().split()))
        if code is None:
            raise ImageError(f"{self.path} does not hold plain numbers: save it with 8 or 16 bits or as 32-bit float.")
        big = code[1] != "1" and self.encoding not in ("txt", "text", "ascii") and self.get("endian").lower() == "big"
        return np.dtype((">" if big else "<") + code)

    @property
    def encoding(self) -> str:
        """How the values are written, in lower case."""
        return self.get("encoding").lower()

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each axis is, in lower case; ``"???"`` where the file does not say."""
        kinds = self.fields.get("kinds", "").lower().split()
        return tuple(kinds) if len(kinds) == len(self.sizes) else ("???",) * len(self.sizes)

    @property
    def directions(self) -> tuple[Vector | None, ...] | None:
        """The step along each axis in the space, None for an axis that is none of space; None if there are no steps."""
        if "spacedirections" not in self.fields:
            return None
        parts = re.findall(r"\([^)]*\)|\S+", self.fields["spacedirections"])
        out = tuple(None if part.lower() == "none" else _vector(part) for part in parts)
        if len(out) != len(self.sizes) or len({len(v) for v in out if v is not None}) != 1:
            raise ImageError(f"{self.path} states space directions that do not fit its dimension: export it again.")
        return out

    @property
    def origin(self) -> Vector | None:
        """The place of the first sample in the space."""
        return _vector(self.fields["spaceorigin"]) if "spaceorigin" in self.fields else None

    @property
    def spacings(self) -> Vector:
        """The distance of samples along each axis, NaN where the file states none."""
        given = tuple(float(n) for n in self.fields.get("spacings", "").split())
        return given if len(given) == len(self.sizes) else (math.nan,) * len(self.sizes)

    @property
    def to_lps(self) -> npt.NDArray[np.float64] | None:
        """Signs ``(3,)`` that bring the file's space to LPS, None where it is no space of a patient."""
        signs = _SPACES.get(self.fields.get("space", "").lower())
        return None if signs is None else np.array(signs, dtype=np.float64)

    def units(self, name: str, count: int) -> tuple[str, ...]:
        """The units that a field gives to axes or to the space, empty where it gives none."""
        found = re.findall(r'"([^"]*)"', self.fields.get(name, ""))
        return tuple(found) if len(found) == count else ("",) * count


def _vector(text: str) -> Vector:
    return tuple(float(n) for n in text.strip("()").split(","))
