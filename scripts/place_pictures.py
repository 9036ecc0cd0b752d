"""The scenes of `screenshots.py` in which landmarks are named, placed and measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pictures_head import RULER_LENGTH_MM, head_project, ruler_ends
from pictures_stage import Stage

from napari_landmarker.engine.project import Split


def place(stage: Stage) -> None:
    """A photograph while its second landmark is placed, under the magnifier too; the list of keys, and the export."""
    project = stage.sample(2)
    stage.open(project, project.cases_in(Split.TEST)[2].id)
    session, view = stage.session, stage.widget.annotate.view
    name = session.names[-1]
    goal = session.annotations.point(name)
    session.remove(name)
    stage.shoot("window_2d")
    stage.press(view.lens)
    stage.hover(goal)
    stage.shoot("window_magnifier")
    stage.press(view.lens)
    stage.press(view.keys)
    stage.shoot_dialog("window_keys", view.keys_help)
    view.keys_help.close()
    exchange = stage.widget.annotate.exchange
    stage.press(exchange.write)
    exchange.dialog.place.setText("~/Documents/fundus landmarks")
    stage.shoot_dialog("window_landmarks_out", exchange.dialog)
    exchange.dialog.reject()


def volume(stage: Stage) -> None:
    """A volume with a landmark on the slice that is shown and one that cannot be seen."""
    project = stage.sample(3)
    stage.open(project, project.cases_in(Split.TEST)[1].id)
    session = stage.session
    session.mark_absent(session.names[-1])
    session.set_current(session.names[1])
    stage.widget.layers.bring_into_view(session.names[1])
    stage.shoot("window_3d")
    stage.press(stage.widget.annotate.view.three)
    stage.shoot("window_ortho")


def head(stage: Stage) -> None:
    """A drawn head: the editor of its landmarks, the ruler, and a cephalometric analysis."""
    project = head_project(stage.folder)
    stage.open(project, project.cases[0].id)
    annotate, measure = stage.widget.annotate, stage.widget.measure
    stage.press(annotate.schema)
    editor = annotate.schema.dialog
    editor.landmarks.items.rows.setCurrentRow(4)
    stage.shoot_dialog("window_schema", editor)
    editor.reject()
    annotate.view.names.setChecked(False)
    stage.press(annotate.view.ruler)
    for end in ruler_ends():
        stage.click(end)
    question = annotate.view.dialog
    question.length.setValue(RULER_LENGTH_MM)
    question.all.setChecked(True)
    stage.put_aside(question)
    stage.shoot("window_ruler", question)
    question.accept()
    stage.show_page(measure)
    for button in measure.sets.values():
        stage.press(button)
    measure.table.choose(("SNA", "SNB", "FMA", "Gonial angle"))
    stage.shoot("window_measure")


def raters(stage: Stage) -> None:
    """Two raters of the same image: the points of the other one are drawn as diamonds."""
    project = stage.sample(2)
    case_id = project.cases_in(Split.TEST)[3].id
    stage.open(project, case_id)
    session = stage.session
    first, seen = session.rater, session.annotations
    session.set_rater("B. K.")
    for name, off in zip(session.names, ((5.0, -8.0), (-11.0, 7.0)), strict=True):
        stage.click(seen.point(name) + np.array(off))
    session.set_rater(first)
    session.show_rater("B. K.")
    session.set_current(session.names[-1])
    stage.shoot("window_raters")


PLACE_SCENES: dict[str, Callable[[Stage], None]] = {"place": place, "volume": volume, "head": head, "raters": raters}
