"""The script that makes the models of the package: what they learn from, and what is put where."""

import argparse
import sys

import pytest

from napari_landmarker.engine.predict import Predictor, read_info
from napari_landmarker.engine.project import Split


@pytest.fixture
def script(repository, monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    import make_models

    yield make_models
    del sys.modules["make_models"], sys.modules["make_sample_data"]


@pytest.fixture
def data(repository):
    folder = repository.parent / "shared" / "data"
    if not folder.exists():
        pytest.skip(f"the full data is not at {folder.parent.name}/{folder.name}")
    return folder


def test_no_test_image_of_a_sample_is_learnt_from(script, data):
    for recipe in script.RECIPES:
        kept_apart = {row["image"] for row in recipe.sample.rows() if row["split"] == "test"}
        for source in (None, data):
            points, splits = script.read_source(recipe, source)
            test = {path.name for path in points if splits[path.name] is Split.TEST}
            assert kept_apart <= test
            assert len(points) == len(splits) >= {None: 44, data: 200}[source]
            assert min(list(splits.values()).count(split) for split in Split if split is not Split.CALIBRATION) >= 7
        last = sorted(path.name for path in points)[len(points) - recipe.held_out :]
        assert set(last) <= test


def test_a_model_is_put_in_its_place_unless_it_is_too_large(script, tmp_path, monkeypatch, capsys):
    out = tmp_path / "models"
    given = argparse.Namespace(data=None, out=out, max_minutes=5.0, max_steps=2, images=2)
    (out / "fundus").mkdir(parents=True)
    (out / "fundus" / "old").touch()
    script.make(script.RECIPES[0], given)
    assert [path.name for path in out.iterdir()] == ["fundus"]
    assert not (out / "fundus" / "old").exists()
    info = read_info(out / "fundus")
    assert (info.n_train, info.n_validation, info.ndim, info.channels) == (2, 2, 2, 3)
    assert Predictor.load(out / "fundus").info.names == ("optic_disc_centre", "fovea")
    card = (out / "fundus" / "docs" / "README.md").read_text()
    assert "CC BY 4.0" in card
    assert "On 2 test images that it never saw" in card
    assert "fundus: 2 test images" in capsys.readouterr().out
    for file in out.rglob("*.*"):
        assert file.is_dir() or str(tmp_path).encode() not in file.read_bytes()
    monkeypatch.setattr(script, "MAX_BYTES", 1_000_000)
    made = (out / "fundus" / "models" / "model.pt").stat().st_mtime_ns
    with pytest.raises(SystemExit, match="less than 1 MB"):
        script.make(script.RECIPES[0], given)
    assert (out / "fundus" / "models" / "model.pt").stat().st_mtime_ns == made
    assert [path.name for path in out.iterdir()] == ["fundus"]
