"""Models that stand together: the folder of an ensemble, several folders at once, and what is refused."""

import json
import os
import shutil
from contextlib import suppress

import numpy as np
import pytest
import torch
from oracles import info_of

from napari_landmarker.engine.errors import ModelError, ProjectError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.losses.configs import L2Config
from napari_landmarker.engine.model_folders import model_folders
from napari_landmarker.engine.models.configs import CascadeConfig, CoordinateRegressionConfig, UNetConfig
from napari_landmarker.engine.predict import Predictor, read_info
from napari_landmarker.engine.predict.bundle import INFO, WEIGHTS, save_bundle
from napari_landmarker.engine.predict.ensemble import ENSEMBLE, fingerprint_of, remove_moved, save_ensemble

TINY = UNetConfig(features_2d=(8, 8, 8, 8, 8), stride_2d=2)
IMAGE = Image.from_array(np.random.default_rng(5).normal(size=(40, 44)).astype(np.float32), Grid((40, 44)))


def saved(folder, names=("a", "b"), seed=0, **options):
    """A model folder with random weights."""
    info = info_of(names, (64, 64), channels=1, multiple=32, **{"model": TINY, **options})
    torch.manual_seed(seed)
    network = info.config.model.build(2, 1, len(names))
    save_bundle(folder, info, network, [])
    return folder


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_ensemble_is_a_model_folder_and_answers_as_its_members_together(tmp_path):
    members = [saved(tmp_path / "runs" / f"fold-{k}", seed=k) for k in (1, 2)]
    apart = Predictor.load(members)
    expected = apart.predict(IMAGE)
    assert apart.info.name == "fold-1 + fold-2"
    info = read_info(members[0]).model_copy(update={"name": "both", "validation_error": 1.5})
    save_ensemble(tmp_path / "both", members, info)
    assert names_in(tmp_path / "runs") == []
    assert names_in(tmp_path) == ["both", "runs"]
    assert names_in(tmp_path / "both") == ["configs", "fold-1", "fold-2"]
    assert read_info(tmp_path / "both") == info
    assert json.loads((tmp_path / "both" / "configs" / "metadata.json").read_text())["network_data_format"]
    predictor = Predictor.load(tmp_path / "both")
    assert predictor.info == info
    found = predictor.predict(IMAGE)
    np.testing.assert_array_equal(found.landmarks.points, expected.landmarks.points)
    np.testing.assert_array_equal(found.heatmaps, expected.heatmaps)
    nested = Predictor.load([tmp_path / "both", tmp_path / "both" / "fold-1"])
    assert len(nested.members) == 3


def test_the_heat_of_two_models_is_the_mean_of_their_heat(tmp_path):
    alone = [saved(tmp_path / str(k), seed=k) for k in (1, 2)]
    predictors = [Predictor.load(folder) for folder in (*alone, alone)]
    heats = []
    for predictor in predictors[:2]:
        look = predictor._looks(IMAGE, 1, lambda: None)[0]
        with torch.no_grad():
            heats.append(look.member.heat_of_maps(look.member.answer(look.drawn()))[0])
    mean = (heats[0] + heats[1]) / 2
    shown = mean / mean.flatten(1).amax(dim=1)[:, None, None]
    np.testing.assert_allclose(predictors[2].predict(IMAGE).heatmaps, shown, atol=1e-5)


def test_models_that_know_different_landmarks_find_all_of_them(tmp_path):
    folders = [saved(tmp_path / "one", ("a", "b"), 1), saved(tmp_path / "two", ("c", "a"), 2)]
    both, one, two = (Predictor.load(which) for which in (folders, folders[0], folders[1]))
    assert both.info.names == ("a", "b", "c")
    found = both.predict(IMAGE).landmarks
    np.testing.assert_allclose(found.point("b"), one.predict(IMAGE).landmarks.point("b"), atol=1e-4)
    np.testing.assert_allclose(found.point("c"), two.predict(IMAGE).landmarks.point("c"), atol=1e-4)


def test_pairs_of_models_are_joined_and_must_agree(tmp_path):
    one = saved(tmp_path / "one", ("l", "r", "m"), 1, pairs=(("l", "r"),))
    other = saved(tmp_path / "two", ("l", "r", "x", "y"), 2, pairs=(("r", "l"), ("x", "y")))
    assert Predictor.load([one, other]).info.landmarks.pairs == (("l", "r"), ("x", "y"))
    third = saved(tmp_path / "three", ("l", "m"), 3, pairs=(("l", "m"),))
    with pytest.raises(ModelError, match="do not agree whether 'r' or 'm' is the other side of 'l'") as caught:
        Predictor.load([one, third])
    assert str(caught.value).count(". ") == 0


def test_a_network_that_finds_one_point_is_no_model_of_landmarks_with_several(tmp_path):
    folder = saved(tmp_path / "one", model=CoordinateRegressionConfig(features_2d=(8, 8)), loss=L2Config(of="points"))
    content = json.loads((folder / INFO).read_text())
    content["landmarks"]["instances"] = 3
    (folder / INFO).write_text(json.dumps(content))
    with pytest.raises(ModelError, match="'coordinate' cannot find") as caught:
        read_info(folder)
    assert str(folder / INFO) in str(caught.value)
    assert "\n" not in str(caught.value)
    for model in (CoordinateRegressionConfig(), CascadeConfig()):
        loss = {"loss": L2Config(of="points")} if model.answer == "points" else {}
        with pytest.raises(ValueError, match="several points"):
            info_of(("a",), (16, 16), model=model, instances=2, **loss)
    assert info_of(("a",), (16, 16), instances=2).landmarks.instances == 2


def test_an_ensemble_that_cannot_be_written_leaves_its_members_where_they_were(tmp_path):
    members = [saved(tmp_path / "fold-1"), tmp_path / "fold-2"]
    info = read_info(members[0])
    with pytest.raises(ProjectError, match="could not be written"):
        save_ensemble(tmp_path / "both", members, info)
    assert names_in(tmp_path) == ["fold-1"]
    assert Predictor.load(members[0]).info.names == ("a", "b")
    with pytest.raises(ProjectError, match="there already"):
        save_ensemble(members[0], members[:1], info)
    for wrong in ([], [members[0], members[0]]):
        with pytest.raises(ModelError, match="different names"):
            save_ensemble(tmp_path / "both", wrong, info)


class Ended(BaseException):
    """The program is killed: nothing that is written for errors runs, and nothing is put away."""


def ended_at(monkeypatch, number):
    """Let the program end instead of the ``number``-th change of the disk, counted from 0."""
    left = [number]

    def before(change):
        def change_or_end(*given, **more):
            if left[0] == 0:
                raise Ended
            left[0] -= 1
            return change(*given, **more)

        return change_or_end

    for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, before(getattr(os, name)))
    return left


def test_an_ensemble_is_whole_or_its_members_are_whenever_the_program_ends(tmp_path, monkeypatch):
    """Killed before each change of the disk in turn; afterwards the same call ends what was begun."""
    begun = [saved(tmp_path / "kept" / f"fold-{k}", seed=k) for k in (1, 2)]
    info = read_info(begun[0])
    expected = Predictor.load(begun).fingerprint
    ends = {"old": 0, "new": 0}
    for number in range(1000):
        place = tmp_path / str(number)
        members = [shutil.copytree(one, place / "runs" / one.name) for one in begun]
        folder = place / "both"
        with monkeypatch.context() as patch:
            left = ended_at(patch, number)
            with suppress(Ended):
                save_ensemble(folder, members, info)
        if left[0] > 0:
            break
        kind = "new" if folder.exists() else "old"
        ends[kind] += 1
        assert fingerprint_of([folder] if kind == "new" else members) == expected
        assert [path.name for path in model_folders(place)] == (["both"] if kind == "new" else [])
        if kind == "old":
            save_ensemble(folder, members, info)
        else:
            remove_moved(members)
        assert fingerprint_of([folder]) == expected
        assert names_in(place) == ["both", "runs"]
        assert names_in(place / "runs") == []
    assert min(ends.values()) > 5
    assert number < 999


def test_damaged_and_hostile_ensembles_are_one_sentence(tmp_path):
    save_ensemble(tmp_path / "e", [saved(tmp_path / "m")], read_info(tmp_path / "m"))
    secret = saved(tmp_path / "secret")
    good = json.loads((tmp_path / "e" / ENSEMBLE).read_text())
    for change, words in (
        ({"members": [f"../{secret.name}"]}, "damaged at 'members'"),
        ({"members": [str(secret)]}, "damaged at 'members'"),
        ({"members": [".."]}, "damaged at 'members'"),
        ({"members": []}, "damaged at 'members'"),
        ({"members": "m"}, "damaged at 'members'"),
        ({"members": ["gone"]}, "is no model"),
        ({"format": "other"}, "not an ensemble"),
        ({"version": 99}, "newer"),
    ):
        (tmp_path / "e" / ENSEMBLE).write_text(json.dumps({**good, **change}))
        with pytest.raises(ModelError, match=words) as caught:
            Predictor.load(tmp_path / "e")
        assert str(caught.value).count("\n") == 0
    (tmp_path / "e" / ENSEMBLE).write_text("{")
    with pytest.raises(ModelError, match="no valid JSON"):
        Predictor.load(tmp_path / "e")
    (tmp_path / "e" / ENSEMBLE).write_text(json.dumps(good))
    (tmp_path / "e" / "m" / WEIGHTS).unlink()
    with pytest.raises(ModelError, match="is missing"):
        Predictor.load(tmp_path / "e")


def test_what_cannot_be_loaded_together_or_at_all_is_said(tmp_path):
    one = saved(tmp_path / "one")
    points = saved(
        tmp_path / "points", model=CoordinateRegressionConfig(features_2d=(8, 8)), loss=L2Config(of="points")
    )
    with pytest.raises(ModelError, match="'one' and 'points' answer in different ways"):
        Predictor.load([one, points])
    with pytest.raises(ModelError, match="No model"):
        Predictor.load([])
    with pytest.raises(ModelError, match="no device 'graphics'"):
        Predictor.load(one, "graphics")
    with pytest.raises(ModelError, match="no left-right pairs"):
        Predictor.load(one, flips=True)
    for views in (0, 1000):
        with pytest.raises(ModelError, match=f"{views} views"):
            Predictor.load(one, views=views)
    assert Predictor.load(points).predict(IMAGE).landmarks.placed.all()
