"""Downloading the files of a data set: they go on where they broke off, and are checked against checksums.

Where no checksum of a file is published, the SHA-256 of its first download is kept in a small file beside the data
set, and every later download must have it too.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.io.atomic import read_json, require_writable, write_json
from napari_landmarker.engine.progress import Progress

if TYPE_CHECKING:
    from requests import Response

#: Asked again and again whether to stop.
Cancel = Callable[[], bool]

_RETRIES = 4
_TIMEOUT_S = (15, 60)
#: Bytes written at a time; so many, at most, of what came are lost where a connection breaks off.
_CHUNK = 1 << 15
_BUSY = (408, 425, 429, 500, 502, 503, 504)


class DownloadCancelled(ProjectError):
    """A download that was stopped on request; what has come is kept, and the next one goes on from there."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set on a server.

    Attributes:
        url: its address.
        name: its place below the folder of the data set, with forward slashes.
        sha256: its checksum, where it is published.
    """

    url: str
    name: str
    sha256: str | None = None


@dataclass(frozen=True)
class Fetch:
    """Brings files into a folder.

    Attributes:
        folder: where they go. A file that is there already, such as one that a person downloaded, is used.
        record: the JSON file that keeps checksums, by the files' names.
        progress: told how far the file is.
        cancel: asked whether to stop.
        pause_s: seconds before the first further try; each one after it waits twice as long.
    """

    folder: Path
    record: Path
    progress: Progress | None = None
    cancel: Cancel | None = None
    pause_s: float = 1.0

    def __call__(self, file: RemoteFile) -> Path:
        """The file on disk, downloaded if it is not there.

        Raises:
            DownloadCancelled: if asked to stop.
            ProjectError: if it cannot be downloaded or written, or its checksum is wrong; the address and what to do
                are named.
        """
        import pooch

        path = self.folder / file.name
        require_writable(path.parent)
        sums = self._recorded()
        known = file.sha256 or sums.get(file.name)
        store = pooch.create(
            self.folder, base_url="", registry={file.name: known}, urls={file.name: file.url}, allow_updates=False
        )
        there = path.exists()
        try:
            with _quiet(pooch.get_logger()):
                store.fetch(file.name, downloader=ResumingDownload(path, self.progress, self.cancel, self.pause_s))
        except ValueError as error:  # the checksum is another
            raise ProjectError(self._wrong(file, path, there, by_record=file.sha256 is None)) from error
        except OSError as error:
            raise ProjectError(_not_kept(path, error)) from error
        if known is None:
            write_json(self.record, sums | {file.name: pooch.file_hash(str(path))})
        return path

    def _recorded(self) -> dict[str, Any]:
        if not self.record.exists():
            return {}
        return read_json(self.record, "the checksums of a data set", ProjectError)

    def _wrong(self, file: RemoteFile, path: Path, there: bool, by_record: bool) -> str:
        what = f"{path} is damaged or another file" if there else f"{file.url} gave a damaged or another file"
        cure = "delete it and try again" if there else f"try again, or download it by hand to {path}"
        renewed = f"; if the data set was renewed on purpose, delete {self.record}" if by_record else ""
        return f"{what} (its checksum is wrong): {cure}{renewed}."


class ResumingDownload:
    """A downloader for pooch that keeps what has come in ``NAME.part`` and asks the server only for the rest.

    Args:
        path: where the file will lie in the end.
        progress: told how far it is.
        cancel: asked whether to stop.
        pause_s: seconds before the first further try.
    """

    def __init__(self, path: Path, progress: Progress | None, cancel: Cancel | None, pause_s: float) -> None:
        self.path, self.progress, self.cancel, self.pause_s = path, progress, cancel, pause_s
        self.part = path.with_name(f"{path.name}.part")
        self.tag = path.with_name(f"{path.name}.part.tag")

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download ``url`` to ``output_file``; pooch checks it then.

        Raises:
            DownloadCancelled: if asked to stop.
            ProjectError: if the server does not give the file.
            OSError: if it cannot be written.
        """
        import requests

        failures, most = 0, self._have()
        while True:
            reason: Exception | str = "the connection broke off"
            try:
                if self._attempt(url):
                    break
            except requests.RequestException as error:
                reason = error
            failures = 1 if self._have() > most else failures + 1
            most = max(most, self._have())
            if failures > _RETRIES:
                cause = reason if isinstance(reason, Exception) else None
                raise ProjectError(self._refused(url, _in_words(reason))) from cause
            self._pause(self.pause_s * 2 ** (failures - 1))
        self.tag.unlink(missing_ok=True)
        os.replace(self.part, output_file)

    def _attempt(self, url: str) -> bool:
        """One connection; whether the file is whole after it."""
        import requests

        have = self._have()
        headers = {"Accept-Encoding": "identity", "User-Agent": "napari-landmarker"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self.tag.exists():
                headers["If-Range"] = self.tag.read_text(encoding="utf-8")
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
            status = response.status_code
            if status == 416 and _total(response) == have:
                return True
            if status == 416 or (status == 206 and _start(response) != have):
                self.part.unlink(missing_ok=True)
                return False
            if status in _BUSY:
                raise requests.HTTPError(f"the server answered {status}")
            if status not in (200, 206):
                raise ProjectError(self._refused(url, f"the server answered {status}"))
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise ProjectError(self._refused(url, "the server sent a web page instead of the file"))
            total = _total(response)
            self._receive(response, have if status == 206 else 0, total)
        return not total or self._have() == total

    def _receive(self, response: Response, start: int, total: int) -> None:
        """Write what comes; with ``start`` behind what is there."""
        if not start:
            tag = response.headers.get("ETag", "")
            tag = response.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
            self.tag.unlink(missing_ok=True)
            if tag:
                self.tag.write_text(tag, encoding="utf-8")
        done = start
        self._tell(done, total)
        with self.part.open("ab" if start else "wb") as file:
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                self._tell(done, total)

    def _tell(self, done: int, total: int) -> None:
        self._stop_if_asked()
        if self.progress is not None:
            self.progress(done, total)

    def _stop_if_asked(self) -> None:
        if self.cancel is not None and self.cancel():
            raise DownloadCancelled(
                f"The download of {self.path.name} was stopped: start it again and it goes on from there."
            )

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._stop_if_asked()
            time.sleep(min(left, 0.1))

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _refused(self, url: str, reason: str) -> str:
        return (
            f"{url} could not be downloaded ({reason}): check the network and try again, "
            f"or download it by hand to {self.path}."
        )


def _total(response: Response) -> int:
    """Size of the whole file, 0 where the server does not say."""
    size = response.headers.get("Content-Range", "").rpartition("/")[2] or response.headers.get("Content-Length", "")
    return int(size) if size.isdecimal() else 0


def _start(response: Response) -> int:
    """The byte that a partial answer starts with, -1 where it does not say."""
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else -1


def _in_words(reason: Exception | str) -> str:
    import requests

    if isinstance(reason, requests.Timeout):
        return "the server does not answer"
    if isinstance(reason, requests.HTTPError | str):
        return str(reason)
    if isinstance(reason, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "no connection to the server, or it broke off"
    return type(reason).__name__


def _not_kept(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"{path} could not be written (the disk is full): make room and try again, it goes on from there."
    reason = error.strerror or type(error).__name__
    return f"{path} could not be written ({reason}): check that its folder is writable."


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep what a library says of each file to itself."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
