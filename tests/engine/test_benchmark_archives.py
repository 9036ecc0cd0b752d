"""Unpacking archives of data sets, safely."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile

import pytest
from benchmark_copies import RAR, as_zip, install_unpacker

from napari_landmarker.engine.datasets.archives import unpack
from napari_landmarker.engine.errors import ProjectError

FILES = {"a.txt": b"one", "deep/er/b.bin": bytes(300)}


def tar_of(files: dict[str, bytes], link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if link:
                member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def link_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as content:
        member = zipfile.ZipInfo("link")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        content.writestr(member, "/etc/passwd")
    return out.getvalue()


def test_kinds_are_told_by_content(tmp_path, monkeypatch):
    install_unpacker(monkeypatch, tmp_path / "bin")
    for kind, content in {"zip": as_zip(FILES), "tar": tar_of(FILES), "rar": RAR + as_zip(FILES)}.items():
        archive = tmp_path / f"{kind}.bin"
        archive.write_bytes(content)
        unpack(archive, tmp_path / kind)
        found = {p.relative_to(tmp_path / kind).as_posix(): p.read_bytes() for p in (tmp_path / kind).rglob("*.*")}
        assert {name: content for name, content in found.items() if name in FILES} == FILES
        assert len(found) == 2


def test_a_folder_that_was_unpacked_by_half_is_replaced(tmp_path):
    (tmp_path / "out/deep").mkdir(parents=True)
    (tmp_path / "out/deep/half.part").write_bytes(b"")
    (tmp_path / "out/own.txt").write_bytes(b"mine")
    (tmp_path / "a.zip").write_bytes(as_zip(FILES))
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.*")) == ["a.txt", "b.bin", "own.txt"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(as_zip({"../evil.txt": b"x"}), id="zip-above"),
        pytest.param(as_zip({"a/../../evil.txt": b"x"}), id="zip-above-from-below"),
        pytest.param(as_zip({"/evil.txt": b"x"}), id="zip-root"),
        pytest.param(as_zip({"..\\evil.txt": b"x"}), id="zip-backslash"),
        pytest.param(as_zip({"C:/evil.txt": b"x"}), id="zip-drive"),
        pytest.param(link_zip(), id="zip-link"),
        pytest.param(tar_of({"../evil.txt": b"x"}), id="tar-above"),
        pytest.param(tar_of({"link": b""}, link="../../evil"), id="tar-link"),
    ],
)
def test_nothing_lands_outside_the_folder(tmp_path, content):
    archive = tmp_path / "in/archive"
    archive.parent.mkdir()
    archive.write_bytes(content)
    with pytest.raises(ProjectError, match="outside its folder") as raised:
        unpack(archive, tmp_path / "in/out")
    assert str(raised.value).startswith(str(archive))
    assert not [p for p in tmp_path.rglob("*") if "evil" in p.name or "link" in p.name]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no archive at all", id="text"),
        pytest.param(as_zip(FILES)[:-30], id="zip-cut"),
        pytest.param(tar_of(FILES)[:40], id="tar-cut"),
        pytest.param(RAR + b"cut off", id="rar-cut"),
    ],
)
def test_a_damaged_archive_is_named(tmp_path, monkeypatch, content):
    install_unpacker(monkeypatch, tmp_path / "bin")
    archive = tmp_path / "set.zip"
    archive.write_bytes(content)
    with pytest.raises(ProjectError, match="is damaged or no archive: delete it") as raised:
        unpack(archive, tmp_path / "out")
    assert str(raised.value).startswith(str(archive))
    assert not list((tmp_path / "out").iterdir())


def test_a_file_inside_that_is_damaged(tmp_path):
    content = bytearray(as_zip({"a.bin": bytes(range(200))}, zipfile.ZIP_STORED))
    content[content.index(bytes(range(100))) + 50] ^= 1
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(ProjectError, match="is damaged"):
        unpack(tmp_path / "set.zip", tmp_path / "out")


@pytest.mark.parametrize(("mark", "kind"), [(RAR, "rar"), (b"7z\xbc\xaf\x27\x1c", "7z")], ids=["rar", "7z"])
def test_without_a_program_the_archive_and_the_cure_are_named(tmp_path, monkeypatch, mark, kind):
    monkeypatch.setenv("PATH", str(tmp_path))
    archive = tmp_path / f"images.{kind}"
    archive.write_bytes(mark + b"...")
    with pytest.raises(ProjectError, match=f"is a {kind} archive and no program") as raised:
        unpack(archive, tmp_path / "out")
    message = str(raised.value)
    assert message.startswith(str(archive))
    assert f"unpack it by hand into {tmp_path / 'out'}" in message
    assert "unar" in message


def test_links_that_a_program_makes_are_refused(tmp_path, monkeypatch):
    script = "import os, sys; os.symlink('/etc/passwd', os.path.join(sys.argv[-2], 'link'))"
    install_unpacker(monkeypatch, tmp_path / "bin", script)
    (tmp_path / "a.rar").write_bytes(RAR)
    with pytest.raises(ProjectError, match="outside its folder"):
        unpack(tmp_path / "a.rar", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_seven_zip_is_not_given_to_unrar(tmp_path, monkeypatch):
    install_unpacker(monkeypatch, tmp_path / "bin", name="unrar")
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    with pytest.raises(ProjectError, match="no program"):
        unpack(tmp_path / "a.7z", tmp_path / "out")
