"""Reading the numbers of an image from a file, a piece at a time, into the memory they stay in.

So a volume of N bytes never needs room for a second copy, compressed, scaled or of the other byte order as it may be,
and no file stays open: the user may replace or delete it while its image is shown.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError

#: So much is read, unpacked and converted at a time.
PIECE_BYTES = 1 << 20


class Stream(Protocol):
    """What is needed of an open file, compressed or not."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; none at the end."""

    def readinto(self, buffer: Any, /) -> int | None:
        """Fill a buffer as far as there are bytes, and say how far."""


class ZlibStream:
    """Unpacks what an open file holds from here on, in zlib's format (RFC 1950).

    Attributes:
        file: the open file.
    """

    def __init__(self, file: Stream) -> None:
        self.file = file
        self._unpack = zlib.decompressobj()
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, with -1 all; EOFError where the packed bytes end too early."""
        out = bytearray()
        while (size < 0 or len(out) < size) and not self._unpack.eof:
            packed = self._rest or self.file.read(PIECE_BYTES)
            if not packed:
                raise EOFError("The packed values end too early.")
            out += self._unpack.decompress(packed, 0 if size < 0 else size - len(out))
            self._rest = self._unpack.unconsumed_tail
        return bytes(out)

    def readinto(self, buffer: Any, /) -> int:
        """Fill ``buffer`` as far as there are bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def read_values(
    stream: Stream,
    count: int,
    stored: npt.DTypeLike,
    path: Path,
    *,
    available: int | None = None,
    kept: npt.DTypeLike | None = None,
    convert: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None = None,
) -> npt.NDArray[Any]:
    """Read ``count`` numbers.

    Args:
        stream: where they begin.
        count: how many.
        stored: dtype in the file, with its byte order.
        path: the file, for messages.
        available: how many bytes there are, where that is known.
        kept: dtype of the result; as stored, in the machine's byte order, if None.
        convert: applied to each piece before it is kept.

    Returns:
        ``(count,)``, in the machine's byte order.

    Raises:
        ImageError: if the file ends before.
    """
    dtype = np.dtype(stored)
    if available is not None and count * dtype.itemsize > available:
        raise cut_off(path)
    out = np.empty(count, dtype.newbyteorder("=") if kept is None else kept)
    try:
        if kept is None and convert is None:
            _fill(stream, out, path)
            if not dtype.isnative:
                out.byteswap(inplace=True)
        else:
            step = max(1, PIECE_BYTES // dtype.itemsize)
            piece = np.empty(min(step, count), dtype)
            for start in range(0, count, step):
                part = piece[: min(step, count - start)]
                _fill(stream, part, path)
                with np.errstate(all="ignore"):
                    out[start : start + len(part)] = part if convert is None else convert(part)
        stream.read(1)  # at its end, a packed file is compared with the checksum it carries
    except EOFError as error:
        raise cut_off(path) from error
    return out


def skip(stream: Stream, count: int, path: Path) -> None:
    """Read ``count`` bytes away; raises as `read_values`."""
    while count > 0:
        got = len(stream.read(min(count, PIECE_BYTES)))
        if not got:
            raise cut_off(path)
        count -= got


def cut_off(path: Path) -> ImageError:
    """The error for a file that ends before its values do."""
    return ImageError(f"{path} is cut off: it holds fewer values than it says; copy or export it again.")


def _fill(stream: Stream, values: npt.NDArray[Any], path: Path) -> None:
    """Read bytes over ``values``, which are contiguous."""
    view: memoryview = values.view(np.uint8).data
    done = 0
    while done < len(view):
        got = stream.readinto(view[done : done + PIECE_BYTES])
        if not got:
            raise cut_off(path)
        done += got
