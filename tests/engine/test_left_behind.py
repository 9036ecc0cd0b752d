"""Temporary files that a killed program left in a project are removed, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_landmarker.engine import left_behind
from napari_landmarker.engine.io import atomic
from napari_landmarker.engine.left_behind import remove_left_behind

#: Writes a file for ever; of the real writing only the last step is missing, before which it may be killed.
WRITE = """
import os, sys, time
from napari_landmarker.engine.io import atomic
def stay(source, target):
    print(source, flush=True)
    time.sleep(600)
atomic.os.replace = stay
atomic.write_bytes(sys.argv[1], b"half of it")
"""


def named(folder: Path, pid: int, host: str | None = None, of: str = "head.json") -> Path:
    """A temporary file as `write_bytes` names it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{of}.{host or atomic.this_host()}-{pid}-abcd_012.tmp"
    path.write_bytes(b"half")
    return path


def aged(path: Path, seconds: float) -> Path:
    os.utime(path, (time.time() - seconds,) * 2)
    return path


@pytest.fixture
def gone() -> int:
    """The number of a process that is over."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


@pytest.mark.parametrize("place", ["", "annotations/rater1", "predictions/m", "models/m/configs", "runs/m"])
def test_a_file_whose_writer_is_gone_is_removed_wherever_we_write(tmp_path: Path, gone: int, place: str) -> None:
    path = named(tmp_path / place, gone)
    assert remove_left_behind(tmp_path) == [path]
    assert not path.exists()


def test_a_writer_that_is_killed_leaves_a_file_that_is_kept_while_it_lives(tmp_path: Path) -> None:
    target = tmp_path / "annotations" / "rater1" / ("a case with a long name " * 8 + "é.json")
    with subprocess.Popen([sys.executable, "-c", WRITE, str(target)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        temporary = Path(process.stdout.readline().rstrip())
        aged(temporary, 3000)
        removed_before = remove_left_behind(tmp_path)
        process.kill()
    assert removed_before == [], "it may be slow, but it is at work"
    assert temporary.parent == target.parent
    assert temporary.exists()
    assert remove_left_behind(tmp_path) == [temporary]
    assert list(target.parent.iterdir()) == []


def test_a_number_that_another_process_has_now_does_not_keep_a_file(tmp_path: Path) -> None:
    own = os.getpid()
    assert remove_left_behind(tmp_path) == []
    fresh, old = named(tmp_path, own, of="new.json"), aged(named(tmp_path, own, of="old.json"), 400 * 24 * 3600)
    assert remove_left_behind(tmp_path) == [old]
    assert fresh.exists()


def test_a_file_of_another_computer_goes_after_an_hour(tmp_path: Path, gone: int) -> None:
    fresh = aged(named(tmp_path, gone, "0" * 8, of="new.json"), 3000)
    old = aged(named(tmp_path, gone, "0" * 8, of="old.json"), 4000)
    assert remove_left_behind(tmp_path) == [old]
    assert {path.name for path in tmp_path.iterdir()} == {fresh.name}, "the clock was read without a trace"


def test_nothing_but_our_own_files_is_removed(tmp_path: Path, gone: int) -> None:
    host = atomic.this_host()
    names = [
        ".notes.tmp",
        f"head.json.{host}-{gone}-abcd_012.tmp",
        f".head.json.{host}-{gone}-abcd_012.tmp.bak",
        f".head.json.{host}-{gone}-abcd.tmp",
        f".head.json.{gone}-abcd_012.tmp",
        ".head.json.abcd_012.tmp",
        ".lock",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"theirs")
        aged(tmp_path / name, 10**8)
    (tmp_path / "images").mkdir()
    elsewhere = named(tmp_path / "images", gone)
    folder = tmp_path / f".a.{host}-{gone}-abcd_012.tmp"
    folder.mkdir()
    link = tmp_path / f".b.{host}-{gone}-abcd_012.tmp"
    link.symlink_to(elsewhere)
    assert remove_left_behind(tmp_path) == []
    assert all((tmp_path / name).exists() for name in names)
    assert elsewhere.exists()
    assert folder.is_dir()
    assert link.is_symlink()


def test_what_cannot_be_removed_is_left_alone(tmp_path: Path, gone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = named(tmp_path, gone, of="a.json"), named(tmp_path, gone, of="b.json")
    real = os.unlink

    def refuse(path: str) -> None:
        if path == str(first):
            raise PermissionError(1, "Operation not permitted")
        real(path)

    monkeypatch.setattr(left_behind.os, "unlink", refuse)
    assert remove_left_behind(tmp_path) == [second]
    assert remove_left_behind(tmp_path / "there is no such folder") == []
