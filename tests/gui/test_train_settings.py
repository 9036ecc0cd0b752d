"""`TrainSettings` and its form: every setting of a training, from the model of the configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDoubleSpinBox, QSpinBox

from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.presets import PRESETS, read_config
from napari_landmarker.gui.config_fields import NumberEditor, OptionalEditor, TextEditor, value_editor
from napari_landmarker.gui.config_form import ConfigForm, GroupEditor, KindEditor, kinds_of
from napari_landmarker.gui.train_settings import OWN, TrainSettings, differences

CONFIGS = {name: preset.config or TrainConfig() for name, preset in PRESETS.items()}


@pytest.fixture
def settings(qtbot: QtBot) -> Callable[..., TrainSettings]:
    """Opens the dialog on a preset."""

    def show(preset: str = "static", **options: object) -> TrainSettings:
        dialog = TrainSettings(CONFIGS[preset], PRESETS[preset].title, **options)
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return show


def number(form: ConfigForm, group: str, name: str) -> QSpinBox | QDoubleSpinBox:
    """The box of a number."""
    editor = form.groups[group] if group else form.general
    while isinstance(editor, KindEditor):
        editor = editor.group
    assert isinstance(editor, GroupEditor)
    found = editor.editors[name]
    assert isinstance(found, NumberEditor)
    return found.box


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("ndim", [2, 3, None])
def test_the_form_gives_back_what_it_is_given(qtbot: QtBot, preset: str, ndim: int | None) -> None:
    form = ConfigForm(TrainConfig, ndim)
    qtbot.addWidget(form)
    form.set_value(CONFIGS[preset])
    assert TrainConfig.model_validate(form.value()) == CONFIGS[preset]


def test_every_kind_of_every_part_has_a_form_that_gives_its_defaults(qtbot: QtBot) -> None:
    for name, info in TrainConfig.model_fields.items():
        for kind, model in kinds_of(info).items():
            editor = GroupEditor(model)
            qtbot.addWidget(editor)
            editor.set_value(model())
            assert model.model_validate({"kind": kind, **editor.value()}) == model(), name


def test_settings_of_another_number_of_dimensions_are_not_shown(settings: Callable[..., TrainSettings]) -> None:
    dialog = settings(ndim=3)
    dialog.form.sections.setCurrentRow(list(dialog.form.groups).index("optimiser") + 1)
    assert not number(dialog.form, "optimiser", "batch_size_2d").isVisible()
    assert number(dialog.form, "optimiser", "batch_size_3d").isVisible()


def test_bounds_and_descriptions_are_told_by_the_tooltip(settings: Callable[..., TrainSettings]) -> None:
    form = settings().form
    box = number(form, "", "workers")
    assert (box.minimum(), box.maximum()) == (0, 64)
    assert box.toolTip() == ("Processes that draw images while the network learns; 0: none.\nAt least 0, at most 64.")
    assert number(form, "optimiser", "learning_rate").toolTip() == "Above 0."
    assert number(form, "optimiser", "warmup").maximum() == 1


def test_a_change_is_bold_and_can_be_reset(settings: Callable[..., TrainSettings], qtbot: QtBot) -> None:
    dialog = settings()
    row = list(dialog.form.groups).index("optimiser") + 1
    assert dialog.told.text() == "As the preset."
    dialog.form.sections.setCurrentRow(row)
    box = number(dialog.form, "optimiser", "learning_rate")
    box.selectAll()
    QTest.keyClicks(box, "0.0005")
    QTest.keyClick(box, Qt.Key.Key_Tab)
    group = dialog.form.groups["optimiser"]
    assert isinstance(group, GroupEditor)
    assert group._labels["learning_rate"].font().bold()
    assert not group._labels["weight_decay"].font().bold()
    assert dialog.form.sections.item(row).font().bold()
    assert dialog.told.text() == "1 setting of your own."
    assert dialog.config.optimiser.learning_rate == 0.0005
    assert dialog.config.preset == OWN
    qtbot.mouseClick(dialog.reset, Qt.MouseButton.LeftButton)
    assert dialog.config == CONFIGS["static"]
    assert not dialog.form.sections.item(row).font().bold()


def test_another_kind_of_network_brings_its_own_settings(settings: Callable[..., TrainSettings]) -> None:
    dialog = settings("one-hot")
    editor = dialog.form.groups["model"]
    assert isinstance(editor, KindEditor)
    editor.combo.setFocus()
    editor.combo.setCurrentIndex(editor.combo.findData("segresnet"))
    editor.combo.activated.emit(editor.combo.currentIndex())
    assert editor.group is not None
    assert set(editor.group.editors) >= {"blocks", "dropout"}
    assert dialog.config.model.kind == "segresnet"
    assert editor._label.font().bold()


def test_what_cannot_be_trained_is_said_and_cannot_be_used(settings: Callable[..., TrainSettings]) -> None:
    dialog = settings("cascade")
    loss = dialog.form.groups["loss"]
    assert isinstance(loss, KindEditor)
    loss.combo.setCurrentIndex(loss.combo.findData("l2"))
    loss.combo.activated.emit(loss.combo.currentIndex())
    assert dialog.told.text().startswith("This cannot be trained: the first stage of a cascade learns logits")
    assert not dialog.use.isEnabled()
    assert not dialog.save.isEnabled()
    dialog.reset.click()
    assert dialog.use.isEnabled()


def test_settings_are_saved_and_loaded(settings: Callable[..., TrainSettings], tmp_path: Path) -> None:
    first, second = settings("one-hot"), settings("static")
    number(first.form, "", "validations").setValue(7)
    first.save_file(tmp_path / "mine.yaml")
    assert first.told.text() == "Saved as mine.yaml."
    assert read_config(tmp_path / "mine.yaml") == first.config
    second.load_file(tmp_path / "mine.yaml")
    assert second.config.validations == 7
    assert second.config.model == CONFIGS["one-hot"].model
    (tmp_path / "bad.yaml").write_text("validations: none", encoding="utf-8")
    second.load_file(tmp_path / "bad.yaml")
    assert "bad.yaml: 'validations' must be a valid integer" in second.told.text()
    assert second.config.validations == 7


def test_numbers_are_shown_without_idle_decimals(qtbot: QtBot) -> None:
    editor = value_editor(float, [])
    qtbot.addWidget(editor)
    assert isinstance(editor, NumberEditor)
    for value, text in ((0.002, "0.002"), (1e-05, "0.00001"), (3.0, "3"), (0.0, "0")):
        editor.set_value(value)
        assert editor.box.text() == text
        assert editor.value() == pytest.approx(value, rel=1e-9)


def test_a_value_that_may_be_left_out_and_a_list(qtbot: QtBot) -> None:
    maybe, some = value_editor(int | None, []), value_editor(tuple[int, ...], [])
    for editor in (maybe, some):
        qtbot.addWidget(editor)
    assert isinstance(maybe, OptionalEditor)
    assert isinstance(some, TextEditor)
    assert maybe.value() is None
    maybe.set_value(4)
    assert maybe.value() == 4
    maybe.box.click()
    assert maybe.value() is None
    some.line.setText("8, 16;32 x")
    assert some.value() == (8, 16, 32, "x")


def test_what_differs_is_told_in_words() -> None:
    base = CONFIGS["cascade"]
    now = base.changed(
        workers=2, optimiser=base.optimiser.model_copy(update={"learning_rate": 0.001}), target={"kind": "laplacian"}
    )
    left = {"preset", "reasons", "max_minutes"}
    assert differences(base.model_dump(exclude=left), now.model_dump(exclude=left)) == [
        "workers: 2",
        "target: laplacian",
        "optimiser › learning rate: 0.001",
    ]
