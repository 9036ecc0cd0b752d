"""The script that makes the models of the package: what they learn from, and what is put where."""

import argparse
import re
import sys

import pytest

from napari_landmarker.engine.predict import Predictor, read_info
from napari_landmarker.engine.predict.calibration_file import read_calibration
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
        last = set(sorted(path.name for path in points)[len(points) - recipe.held_out :])
        calibration = {name for name, split in splits.items() if split is Split.CALIBRATION}
        assert len(calibration) == recipe.calibration
        assert not calibration & {row["image"] for row in recipe.sample.rows()}
        assert last <= test | calibration
        assert calibration <= last or not last


def test_what_ships_was_calibrated_on_images_that_it_never_saw(script, data, tmp_path):
    """Its card names them; they are those that the script keeps apart, and what it learnt from is what is left."""
    for recipe in script.RECIPES:
        folder = script.SHIPPED_DIR / recipe.sample.name
        points, splits = script.read_source(recipe, data)
        counts = [list(splits.values()).count(split) for split in (Split.TRAIN, Split.VALIDATION)]
        info = read_info(folder)
        assert [info.n_train, info.n_validation] == counts
        card = (folder / "docs" / "README.md").read_text(encoding="utf-8")
        listed = re.search(r"none of the sample project \w+: ([^\n]*)\.\n", card)[1].split(", ")
        assert listed == [path.name for path in points if splits[path.name] is Split.CALIBRATION]
        calibration = read_calibration(folder)
        assert calibration.count == recipe.calibration
        assert all(calibration.enough_for(name, 0.95) for name in info.names)


def test_models_that_ship_can_be_calibrated_without_a_training(script, tmp_path, monkeypatch):
    """With two images kept apart; a model that learnt from other images than those of today is not taken up."""
    read = script.read_source

    def with_two_apart(recipe, data):
        points, splits = read(recipe, data)
        learnt = [name for name, split in splits.items() if split is Split.TRAIN]
        return points, splits | dict.fromkeys(learnt[-2:], Split.CALIBRATION)

    monkeypatch.setattr(script, "read_source", with_two_apart)
    given = argparse.Namespace(data=None, out=tmp_path / "out", max_minutes=5.0, max_steps=2, images=2, calibrate=True)
    with pytest.raises(SystemExit, match="not the 2 and 2 of today: train it anew"):
        script.make(script.RECIPES[0], given)
    assert not given.out.exists()
    given.calibrate = False
    script.make(script.RECIPES[0], given)
    first = given.out / "fundus"
    monkeypatch.setattr(script, "SHIPPED_DIR", given.out)
    given.calibrate, given.out = True, tmp_path / "again"
    script.make(script.RECIPES[0], given)
    folders = (first, given.out / "fundus")
    calibrations = [read_calibration(folder) for folder in folders]
    assert calibrations[0].count == calibrations[1].count == 2
    assert (calibrations[0].scores == calibrations[1].scores).all()
    cards = [(folder / "docs" / "README.md").read_text(encoding="utf-8") for folder in folders]
    assert cards[0] == cards[1]
    _, splits = with_two_apart(script.RECIPES[0], None)
    assert all(name in cards[0] for name, split in splits.items() if split is Split.CALIBRATION)
    assert "## Sources and licence" in cards[0]


def test_a_model_is_put_in_its_place_unless_it_is_too_large(script, tmp_path, monkeypatch, capsys):
    out = tmp_path / "models"
    given = argparse.Namespace(data=None, out=out, max_minutes=5.0, max_steps=2, images=2, calibrate=False)
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
