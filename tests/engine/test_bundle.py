"""The model folder: what it holds, what is damaged, what a stranger put in, and MONAI's own program running it."""

import json
import os
import pickle
import re
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import CASCADE, COVARIANCES, CURVE, MAPS, NAMES, NETWORKS, info_of, make_model, noise_images

from napari_landmarker.engine.errors import AnnotationError, ModelError
from napari_landmarker.engine.io import read_image, read_landmarks, write_landmarks
from napari_landmarker.engine.predict import Predictor, read_info
from napari_landmarker.engine.predict.bundle import INFO, WEIGHTS, load_network, read_curve
from napari_landmarker.engine.predict.monai_config import metadata
from napari_landmarker.engine.train.presets import read_config

#: What MONAI's specification of a bundle demands, of the whole and of each tensor.
WHOLE = {
    "version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version", "task", "description",
    "authors", "copyright", "network_data_format",
}  # fmt: skip
TENSOR = {
    "type", "format", "modality", "num_channels", "spatial_shape", "dtype", "value_range", "is_patch_data",
    "channel_def",
}  # fmt: skip
#: MONAI's ``python -m monai.bundle`` needs the package fire; without it, the same function is called.
BUNDLE = (
    ["-m", "monai.bundle", "run"]
    if find_spec("fire")
    else ["-c", "import sys; from monai.bundle import run; run(**dict(zip(sys.argv[1::2], sys.argv[2::2])))"]
)


@pytest.fixture
def tiny(tmp_path):
    """A model folder in 2D that finds points by maps."""
    make_model(tmp_path / "tiny", MAPS, 2)
    return tmp_path / "tiny"


def test_a_model_folder_holds_all_that_is_needed_to_use_judge_and_repeat_it(tiny):
    files = {path.relative_to(tiny).as_posix() for path in tiny.rglob("*") if path.is_file()}
    assert files == {
        "configs/inference.json",
        "configs/landmarker.json",
        "configs/metadata.json",
        "configs/train.yaml",
        "docs/README.md",
        "docs/training.csv",
        "models/model.pt",
    }
    info = read_info(tiny)
    assert info == info_of(MAPS, 2)
    assert read_config(tiny / "configs" / "train.yaml") == info.config
    assert read_curve(tiny) == CURVE
    assert [path for path in tiny.parent.iterdir()] == [tiny]


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_words_of_a_model_say_what_it_is_how_it_was_trained_and_on_what_it_was_judged(tmp_path, kind):
    from napari_landmarker.engine.predict.model_card import words

    text = words(info_of(NETWORKS[kind], 3, spacing_mm=0.75))
    for said in (
        *NAMES,
        NETWORKS[kind].kind,
        "preset `own`",
        "The images are small.",
        "7 steps",
        "5 cases",
        "train.yaml",
    ):
        assert said.lower() in text.lower(), said
    assert re.search(r"3 cases of the validation split: 1\.23 mm", text)
    assert ("without maps" in text) == (kind == "points")
    unjudged = words(info_of(MAPS, 2).model_copy(update={"n_validation": 0, "validation_error": None}))
    assert "not judged" in unjudged
    assert "validation split" not in unjudged


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_metadata_say_all_that_monais_specification_demands_and_what_the_network_gives(kind, ndim):
    info = info_of(NETWORKS[kind], ndim)
    found = metadata(info)
    assert set(found) >= WHOLE
    tensors = {**found["network_data_format"]["inputs"], **found["network_data_format"]["outputs"]}
    assert all(set(tensor) == TENSOR for tensor in tensors.values())
    network = info.config.model.build(ndim, 1, len(NAMES)).eval()
    with torch.inference_mode():
        answer = network(torch.zeros(1, 1, *tensors["image"]["spatial_shape"]))
    first = {"points": lambda: answer, "cascade": lambda: answer.points, "covariances": lambda: answer[0][-1]}
    given = first.get(kind, lambda: answer)()
    assert list(given.shape[1:]) == [tensors["pred"]["num_channels"], *tensors["pred"]["spatial_shape"]]
    assert list(tensors["pred"]["channel_def"].values()) == list(NAMES)


def changed(path, **changes):
    """Change entries of a JSON file; None takes one out."""
    content = json.loads(path.read_text())
    for key, value in changes.items():
        content[key] = value
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 1}, "older napari-landmarker.*train it again"),
        ({"version": 99}, "newer napari-landmarker.*update"),
        ({"version": "2"}, "damaged at 'version'"),
        ({"version": True}, "damaged at 'version'"),
        ({"format": "something else"}, "not a model of napari-landmarker"),
        ({"landmarks": None}, "damaged at 'landmarks'"),
        ({"channels": 0}, "damaged at 'channels'"),
        ({"ndim": 4}, "damaged at 'ndim'"),
        ({"ndim": 3}, "damaged at 'frame'"),
        ({"frame": {"shape": [0, 8], "spacing_mm": None, "multiple": 4}}, "damaged at 'frame'"),
        ({"frame": {"shape": [8, 8], "spacing_mm": -1.0, "multiple": 4}}, "damaged at 'frame'"),
        ({"config": {"seed": -1}}, "damaged at 'config.seed'"),
        ({"config": {"colour": "red"}}, "damaged at 'config.colour'"),
    ],
)
def test_what_is_damaged_in_a_model_folder_is_said_in_one_sentence(tiny, changes, said):
    changed(tiny / INFO, **changes)
    with pytest.raises(ModelError, match=said) as caught:
        read_info(tiny)
    assert str(tiny) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_reading_what_a_model_is_loads_no_torch(tiny):
    code = (
        f"import sys; from napari_landmarker.engine.predict import read_info; print(read_info({str(tiny)!r}).steps); "
        "print('torch' in sys.modules, 'monai' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["7", "False", "False"], done.stderr


class Poison:
    """Makes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_nothing_that_a_stranger_wrote_into_a_model_folder_is_run_by_us(tiny, tmp_path):
    mark = tmp_path / "mark"
    poison = f"$__import__('pathlib').Path({str(mark)!r}).touch()"
    for name in ("inference.json", "metadata.json"):
        content = json.loads((tiny / "configs" / name).read_text())
        content.update({"imports": [poison], "initialize": [poison], "network_def": poison, "device": poison})
        (tiny / "configs" / name).write_text(json.dumps(content))
    (tiny / "configs" / "train.yaml").write_text(f"!!python/object/apply:pathlib.Path.touch [{mark}]")
    path = noise_images(tmp_path / "images", 2, count=1)[0]
    assert Predictor.load(tiny).predict(read_image(path)).landmarks.placed.all()
    assert not mark.exists()
    from monai.bundle import ConfigParser

    ConfigParser(json.loads((tiny / "configs" / "inference.json").read_text())).get_parsed_content("device")
    assert mark.exists()  # the poison would have worked


def test_weights_that_are_code_or_of_another_network_are_refused_and_not_run(tiny, tmp_path):
    mark = tmp_path / "mark"
    info = read_info(tiny)
    for weights in (pickle.dumps(Poison(mark)), b"no weights", b""):
        (tiny / WEIGHTS).write_bytes(weights)
        with pytest.raises(ModelError, match="holds no weights of this model"):
            load_network(tiny, info)
    torch.save({"poison": Poison(mark)}, tiny / WEIGHTS)
    with pytest.raises(ModelError, match="holds no weights of this model"):
        load_network(tiny, info)
    torch.save(COVARIANCES.build(2, 1, 3).state_dict(), tiny / WEIGHTS)
    with pytest.raises(ModelError, match="holds no weights of this model"):
        load_network(tiny, info)
    (tiny / WEIGHTS).unlink()
    with pytest.raises(ModelError, match="missing"):
        load_network(tiny, info)
    assert not mark.exists()


def assert_same_points(model, images, out):
    """The files that MONAI's run wrote hold what our predictor finds."""
    predictor = Predictor.load(model, "cpu")
    for path in images:
        own = predictor.predict(read_image(path)).landmarks
        stem = path.name.split(".")[0]
        ending = ".json" if own.grid.ndim == 2 else ".mrk.json"
        other = read_landmarks(out / f"{stem}{ending}", own.grid, image_name=path.name)
        assert other.names == NAMES
        np.testing.assert_allclose(other.points, own.points, rtol=0, atol=1e-5)
        np.testing.assert_allclose(other.score, own.score, rtol=0, atol=1e-5)


def test_monais_own_program_predicts_as_we_do_in_2d(tmp_path):
    model, out = tmp_path / "model", tmp_path / "out"
    make_model(model, COVARIANCES, 2)
    images = noise_images(tmp_path / "images", 2)
    options = {
        "--config_file": model / "configs" / "inference.json",
        "--bundle_root": model,
        "--dataset_dir": tmp_path / "images",
        "--output_dir": out,
    }
    if "-c" in BUNDLE:
        options = {key.removeprefix("--"): value for key, value in options.items()}
    arguments = [str(word) for pair in options.items() for word in pair]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, *BUNDLE, *arguments], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert_same_points(model, images, out)


def test_monais_own_functions_check_and_run_a_model_in_3d(tmp_path, monkeypatch):
    from monai import bundle

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model, out = tmp_path / "model", tmp_path / "out"
    make_model(model, CASCADE, 3, spacing_mm=1.0)
    make_model(tmp_path / "maps", MAPS, 3)
    images = noise_images(tmp_path / "images", 3)
    demands = {"type": "object", "required": sorted(WHOLE | {"schema"})}
    (tmp_path / "schema.json").write_text(json.dumps(demands))
    configs = [str(tmp_path / "maps" / "configs" / name) for name in ("metadata.json", "inference.json")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bundle.verify_metadata(configs[0], str(tmp_path / "schema.json"))
        bundle.verify_net_in_out("network_def", configs[0], configs[1])
        bundle.run(
            config_file=str(model / "configs" / "inference.json"),
            bundle_root=str(model),
            dataset_dir=str(tmp_path / "images"),
            output_dir=str(out),
        )
        assert_same_points(model, images, out)
        torch.save({"poison": Poison(tmp_path / "mark")}, model / WEIGHTS)
        with pytest.raises(RuntimeError) as caught:
            bundle.run(config_file=str(model / "configs" / "inference.json"), bundle_root=str(model))
    assert "Weights only load failed" in str(caught.value.__cause__)
    assert not (tmp_path / "mark").exists()


def test_a_batch_of_several_images_is_read_one_by_one(tmp_path):
    from napari_landmarker.engine.predict import monai_bundle as parts

    make_model(tmp_path / "model", COVARIANCES, 2)
    images = noise_images(tmp_path / "images", 2, count=3)
    info = read_info(tmp_path / "model")
    network = load_network(tmp_path / "model", info)
    draw, find = parts.DrawInFrame(tmp_path / "model"), parts.FindLandmarks(tmp_path / "model", network)
    batch = parts.collate([draw(item) for item in parts.image_files(tmp_path / "images")])
    save = parts.SaveLandmarks(tmp_path / "out")
    evaluator = parts.LandmarkEvaluator(
        "cpu", [batch], network, lambda image, net: net(image), lambda item: save(find(item))
    )
    evaluator.run()
    assert_same_points(tmp_path / "model", images, tmp_path / "out")


def test_a_file_that_holds_what_a_person_placed_is_left_alone_by_monais_run(tmp_path):
    from napari_landmarker.engine.predict.monai_bundle import SaveLandmarks

    make_model(tmp_path / "model", MAPS, 2)
    image = noise_images(tmp_path / "images", 2, count=1)[0]
    landmarks = Predictor.load(tmp_path / "model", "cpu").predict(read_image(image)).landmarks
    save = SaveLandmarks(tmp_path / "out")
    item = {"path": str(image), "landmarks": landmarks}
    saved = Path(save(save(item))["saved"])  # predictions are replaced by predictions
    write_landmarks(landmarks.with_point(NAMES[0], (2, 3)), saved, image)
    before = saved.read_bytes()
    with pytest.raises(AnnotationError, match="placed by a person"):
        save(item)
    assert saved.read_bytes() == before
