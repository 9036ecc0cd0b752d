"""Downloads of data sets: whole, resumed, checked, stopped, and what is said when they fail."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from benchmark_server import Mirror, redirect, serving

from napari_landmarker.engine.datasets.fetch import DownloadCancelled, Fetch, RemoteFile
from napari_landmarker.engine.errors import ProjectError

URL = "https://data.example.org/set.zip?id=7"
CONTENT = bytes(range(256)) * 4000
FILE = RemoteFile(URL, "part/set.zip")


@pytest.fixture
def mirror(monkeypatch):
    with serving(Mirror({URL: CONTENT})) as served:
        redirect(monkeypatch, served)
        yield served


def fetch(folder: Path, **options) -> Fetch:
    return Fetch(folder / "set", folder / "checksums.json", pause_s=0.01, **options)


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_file_is_downloaded_once_and_its_checksum_is_kept(tmp_path, mirror):
    told = []
    path = fetch(tmp_path, progress=lambda done, total: told.append((done, total)))(FILE)
    assert path == tmp_path / "set/part/set.zip"
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["checksums.json", "set/part/set.zip"]
    assert json.loads((tmp_path / "checksums.json").read_text()) == {FILE.name: hashlib.sha256(CONTENT).hexdigest()}
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    fetch(tmp_path)(FILE)
    assert len(mirror.log) == 1


def test_a_download_that_breaks_off_goes_on_where_it_was(tmp_path, mirror):
    mirror.faults = [-300_001, -5, -400_000, 0]
    assert fetch(tmp_path)(FILE).read_bytes() == CONTENT
    first, *rest = (asked for _, asked in mirror.log)
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in rest]
    assert first == ""
    assert 260_000 < starts[0] == starts[1] <= 300_001
    assert 660_000 < starts[2] <= starts[1] + 400_000
    assert names(tmp_path) == ["checksums.json", "set/part/set.zip"]


def test_a_stopped_download_goes_on_the_next_time(tmp_path, mirror):
    told = []

    def progress(done: int, total: int) -> None:
        told.append(done)

    with pytest.raises(DownloadCancelled, match="goes on from there"):
        fetch(tmp_path, progress=progress, cancel=lambda: any(told))(FILE)
    kept = (tmp_path / "set/part/set.zip.part").read_bytes()
    assert 0 < len(kept) < len(CONTENT)
    assert kept == CONTENT[: len(kept)]
    assert fetch(tmp_path)(FILE).read_bytes() == CONTENT
    assert mirror.log[-1][1] == f"bytes={len(kept)}-"


def test_halves_of_two_versions_are_never_put_together(tmp_path, mirror):
    mirror.faults = [-100_000, 503, 503, 503, 503, 503, 503]
    with pytest.raises(ProjectError, match="answered 503"):
        fetch(tmp_path)(FILE)
    assert (tmp_path / "set/part/set.zip.part").stat().st_size > 60_000
    mirror.files[URL] = renewed = CONTENT[::-1]
    mirror.faults = []
    assert fetch(tmp_path)(FILE).read_bytes() == renewed


@pytest.mark.parametrize(("faults", "requests"), [([-700_000, 0], 2), ([503, 0], 2), ([429, 500, -9, 0], 4)])
def test_a_server_without_ranges_or_that_is_busy_is_asked_again(tmp_path, mirror, faults, requests):
    mirror.ranges, mirror.faults = False, faults
    assert fetch(tmp_path)(FILE).read_bytes() == CONTENT
    assert len(mirror.log) == requests


@pytest.mark.parametrize("extra", [0, 17])
def test_a_part_that_is_as_long_as_the_file_or_longer(tmp_path, mirror, extra):
    part = tmp_path / "set/part/set.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT + b"x" * extra)
    assert fetch(tmp_path)(FILE).read_bytes() == CONTENT
    assert len(mirror.log) == (2 if extra else 1)


def test_a_server_that_always_breaks_off_is_given_up(tmp_path, mirror):
    mirror.ranges, mirror.faults = False, [-1000, -500] * 10
    with pytest.raises(ProjectError, match=r"broke off.*by hand to"):
        fetch(tmp_path)(FILE)
    assert len(mirror.log) < 8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"files": {}}, "the server answered 404"),
        ({"faults": [202]}, "the server answered 202"),
        ({"faults": [403]}, "the server answered 403"),
        ({"page": True}, "a web page instead of the file"),
    ],
)
def test_what_the_server_refuses_is_said_with_the_cure(tmp_path, mirror, change, words):
    for name, value in change.items():
        setattr(mirror, name, value)
    with pytest.raises(ProjectError, match=words) as raised:
        fetch(tmp_path)(FILE)
    message = str(raised.value)
    assert message.startswith(URL)
    assert f"download it by hand to {tmp_path / 'set/part/set.zip'}." in message
    assert len(mirror.log) == 1
    assert names(tmp_path) == []


def test_without_a_network(tmp_path, mirror):
    mirror.address = "http://127.0.0.1:9"
    with pytest.raises(ProjectError, match=r"no connection to the server.*check the network"):
        fetch(tmp_path)(FILE)


def test_a_published_checksum_is_checked(tmp_path, mirror):
    good = RemoteFile(URL, FILE.name, hashlib.sha256(CONTENT).hexdigest())
    assert fetch(tmp_path / "a")(good).read_bytes() == CONTENT
    assert not (tmp_path / "a/checksums.json").exists()
    bad = RemoteFile(URL, FILE.name, "0" * 64)
    with pytest.raises(ProjectError, match="gave a damaged or another file") as raised:
        fetch(tmp_path / "b")(bad)
    assert str(raised.value).startswith(URL)
    assert names(tmp_path / "b") == []


def test_a_kept_checksum_is_checked(tmp_path, mirror):
    path = fetch(tmp_path)(FILE)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(ProjectError, match="damaged or another file") as raised:
        fetch(tmp_path)(FILE)
    assert str(raised.value).startswith(str(path))
    path.unlink()
    mirror.files[URL] = CONTENT[::-1]
    with pytest.raises(ProjectError, match="gave a damaged or another file") as raised:
        fetch(tmp_path)(FILE)
    assert str(tmp_path / "checksums.json") in str(raised.value)
    assert not path.exists()


def test_a_file_downloaded_by_hand_is_used(tmp_path, mirror):
    path = tmp_path / "set/part/set.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"by hand")
    assert fetch(tmp_path)(FILE) == path
    assert path.read_bytes() == b"by hand"
    assert mirror.log == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk(tmp_path, mirror):
    part = tmp_path / "set/part/set.zip.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(ProjectError, match="the disk is full") as raised:
        fetch(tmp_path)(FILE)
    assert str(tmp_path / "set/part/set.zip") in str(raised.value)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="every folder is writable here")
def test_a_folder_that_cannot_be_written(tmp_path, mirror):
    tmp_path.chmod(0o500)
    with pytest.raises(ProjectError, match="could not be written"):
        fetch(tmp_path)(FILE)
    tmp_path.chmod(0o700)
