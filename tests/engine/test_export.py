"""ONNX files: they answer as the model does, say what they are, and are not written where that is not so."""

import json
import re
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tiny_models import CASCADE, COVARIANCES, MAPS, NAMES, POINTS, info_of, make_model, noise_images

from napari_landmarker.cli import app
from napari_landmarker.engine.errors import ModelError, ProjectError
from napari_landmarker.engine.io import read_image
from napari_landmarker.engine.predict import Predictor, read_info
from napari_landmarker.engine.predict.bundle import load_network
from napari_landmarker.engine.predict.ensemble import save_ensemble
from napari_landmarker.engine.predict.onnx_export import export_members, export_onnx
from napari_landmarker.engine.predict.onnx_graph import AsOnnx


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model in 2D that finds points by maps, ``model``, and its ONNX file beside."""
    folder = tmp_path_factory.mktemp("exported")
    make_model(folder / "model", MAPS, 2, seed=1)
    export_onnx(folder / "model", folder / "model.onnx")
    return folder


def session_of(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def answers(folder, path, size, batch):
    """What the file and torch say of the same random image."""
    network = load_network(folder, read_info(folder))
    image = np.random.default_rng(5).standard_normal((batch, 1, *size), dtype=np.float32)
    with torch.inference_mode():
        return session_of(path).run(None, {"image": image}), network(torch.from_numpy(image))


def about(path):
    texts = session_of(path).get_modelmeta().custom_metadata_map
    return {key: json.loads(text) for key, text in texts.items()}


def test_the_file_says_nothing_of_the_machine_that_wrote_it(exported):
    content = (exported / "model.onnx").read_bytes()
    for word in (b".py", str(exported).encode(), sys.prefix.encode(), b"stack_trace"):
        assert word not in content


def test_maps_of_images_of_any_size_and_number_are_torchs(exported):
    for size, batch in (((32, 48), 1), ((40, 20), 3), ((8, 120), 2)):
        (given,), wanted = answers(exported / "model", exported / "model.onnx", size, batch)
        np.testing.assert_allclose(given, wanted.numpy(), rtol=0, atol=1e-4 * float(wanted.abs().max()))
    image, maps = (
        session_of(exported / "model.onnx").get_inputs()[0],
        session_of(exported / "model.onnx").get_outputs()[0],
    )
    assert (image.name, image.shape) == ("image", ["batch", 1, "4*n0", "4*n1"])
    assert (maps.name, maps.shape) == ("maps", ["batch", 3, "2*n0", "2*n1"])


def test_the_file_says_all_that_is_needed_to_use_it(exported):
    onnx.checker.check_model(onnx.load(exported / "model.onnx"), full_check=True)
    said, info = about(exported / "model.onnx"), read_info(exported / "model")
    assert said["landmarks"] == list(NAMES)
    assert said["frame_shape"] == [32, 48]
    assert (said["unit"], said["spacing_mm"], said["stride"], said["multiple"]) == ("px", None, 2, 4)
    assert (said["maps"], said["window"], said["any_size"]) == ("logits", 2 * info.config.decoder.window + 1, True)
    assert "1st and 99th percentile" in said["preprocessing"]


def test_the_command_exports_a_cascade_in_3d_and_says_so_in_two_lines(tmp_path, capfd):
    make_model(tmp_path / "model", CASCADE, 3, spacing_mm=0.5)
    path = tmp_path / "new" / "cascade.onnx"
    app(["export", str(tmp_path / "model"), "--out", str(path)], standalone_mode=False)
    shown = capfd.readouterr()
    assert shown.err == ""
    assert len(shown.out.splitlines()) == 2
    assert "cascade.onnx" in shown.out
    (points, maps), wanted = answers(tmp_path / "model", path, (16, 32, 24), 3)
    np.testing.assert_allclose(points, wanted.points.numpy(), rtol=0, atol=1e-3)
    np.testing.assert_allclose(maps, wanted.maps.numpy(), rtol=0, atol=1e-4 * float(wanted.maps.abs().max()))
    said = about(path)
    assert (said["unit"], said["spacing_mm"], said["any_size"]) == ("mm", 0.5, False)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_point_is_answered_for_each_landmark_without_maps(ndim):
    module = AsOnnx(POINTS.build(ndim, 1, 3).eval(), POINTS.answer)
    assert module.names == ("points",)
    with torch.inference_mode():
        (points,) = module(torch.randn(2, 1, *[8] * ndim))
    assert points.shape == (2, 3, ndim)


def test_the_last_stack_and_its_covariances_are_what_is_given():
    network = COVARIANCES.build(2, 1, 3).eval()
    image = torch.randn(1, 1, 16, 16)
    module = AsOnnx(network, COVARIANCES.answer)
    assert module.names == ("maps", "covariances")
    with torch.inference_mode():
        maps, covariances = network(image)
        given = module(image)
    assert len(maps) == 2
    assert torch.equal(given[0], maps[-1])
    assert torch.equal(given[1], covariances[-1])


def test_a_file_that_would_answer_otherwise_is_not_written(exported, tmp_path, monkeypatch):
    make_model(tmp_path / "other", MAPS, 2, seed=2)
    wrong = (exported / "model.onnx").read_bytes()
    path = tmp_path / "other.onnx"
    path.write_bytes(b"the one before")
    monkeypatch.setattr("napari_landmarker.engine.predict.onnx_export.graph_of", lambda *_, **__: wrong)
    with pytest.raises(ModelError, match=r"other: .*'residual_unet' answers with other maps as ONNX"):
        export_onnx(tmp_path / "other", path)
    assert path.read_bytes() == b"the one before"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["other", "other.onnx"]


def test_a_network_that_cannot_be_written_is_named_in_one_sentence(exported, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("many\nlines")

    monkeypatch.setattr("napari_landmarker.engine.predict.onnx_export.graph_of", fail)
    with pytest.raises(ModelError, match=r"'residual_unet' cannot be written as ONNX .*use the model folder") as caught:
        export_onnx(exported / "model", tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_done_is_said_before_anything_is_computed(exported, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"end in \.onnx"):
        export_onnx(exported / "model", tmp_path / "model.pt")
    with pytest.raises(ModelError, match="is no model"):
        export_onnx(tmp_path, tmp_path / "model.onnx")
    with pytest.raises(ProjectError, match="could not be written"):
        export_onnx(exported / "model", tmp_path / "file" / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"onnxruntime: pip install napari-landmarker\[export\]"):
        export_onnx(exported / "model", tmp_path / "model.onnx")


def test_of_an_ensemble_every_member_is_exported_into_a_folder(tmp_path, monkeypatch):
    members = [tmp_path / name for name in ("fold-1", "fold-2")]
    for number, member in enumerate(members):
        make_model(member, MAPS, 2, seed=number)
    save_ensemble(tmp_path / "both", members, info_of(MAPS, 2))
    with pytest.raises(ModelError, match=r"ensemble of 2 models: give a folder"):
        export_onnx(tmp_path / "both", tmp_path / "both.onnx")
    monkeypatch.setattr(
        "napari_landmarker.engine.predict.onnx_export._exported", lambda folder, *_: folder.name.encode()
    )
    files = export_members(tmp_path / "both", tmp_path / "out")
    assert [file.name for file in files] == ["fold-1.onnx", "fold-2.onnx"]
    assert [file.read_bytes() for file in files] == [b"fold-1", b"fold-2"]
    assert [file.name for file in export_members(tmp_path / "both" / "fold-1", tmp_path / "out")] == ["fold-1.onnx"]


def test_the_listing_of_the_guide_finds_the_points_of_our_predictor(
    exported, repository, tmp_path, monkeypatch, capsys
):
    image = noise_images(tmp_path / "images", 2, count=1)[0]
    image.rename(tmp_path / "image.png")
    (tmp_path / "model.onnx").write_bytes((exported / "model.onnx").read_bytes())
    monkeypatch.chdir(tmp_path)
    listings = re.findall(r"```python\n(.*?)```", (repository / "docs" / "models.md").read_text(), re.S)
    (listing,) = (one for one in listings if "onnxruntime" in one)
    exec(compile(listing, "models.md", "exec"), {})
    rows = [line.rsplit(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    own = Predictor.load(exported / "model", "cpu").predict(read_image(tmp_path / "image.png")).landmarks
    assert [row[0] for row in rows] == list(NAMES)
    np.testing.assert_allclose([[float(x) for x in row[1:]] for row in rows], own.points, rtol=0, atol=0.02)
