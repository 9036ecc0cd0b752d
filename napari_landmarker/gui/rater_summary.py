"""`RaterSummary`: how well two raters agree over the project, as a part of the report."""

from __future__ import annotations

import functools

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_landmarker.engine.project import Project
from napari_landmarker.gui.error_table import ErrorTable
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.report_points import PointErrors
from napari_landmarker.gui.scroll_panel import choice, wrapped
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.comparing import Agreement, agreement
from napari_landmarker.state.session import Session


class RaterSummary(QGroupBox):
    """Two raters and their distances; only there where a project has two.

    Args:
        session: what is open.
        parent: as in Qt.
    """

    opened = Signal(str, str)
    """A person chose a point: its case and landmark."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Two raters", parent)
        self.session = session
        self.task: Task | None = None
        self.agreement: Agreement | None = None
        self.one, self.other = choice(), choice()
        for combo in (self.one, self.other):
            combo.setMinimumContentsLength(6)
            combo.setToolTip("Whose landmarks are compared, in all images that both annotated.")
        self.compare = QPushButton("Compare")
        self.compare.setToolTip("Measure how far apart the two placed each landmark.")
        self.compare.clicked.connect(self.compare_raters)
        self.bar = QProgressBar()
        self.told = wrapped()
        self.table = ErrorTable()
        self.points = PointErrors()
        self.points.opened.connect(self.opened)
        self.table.landmark_chosen.connect(lambda name: self.points.show_landmark(name or None))
        row = QHBoxLayout()
        for widget, stretch in ((self.one, 1), (QLabel("and"), 0), (self.other, 1)):
            row.addWidget(widget, stretch)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        for widget in (self.compare, self.bar, self.told, self.table, self.points):
            layout.addWidget(widget)
        follow(self, session.project_changed, self._project_changed)
        follow(self, session.rater_changed, self._refill)
        self._project_changed()

    def compare_raters(self) -> None:
        """Compare the two chosen raters in a worker thread."""
        project = self.session.project
        if project is None or self.task is not None:
            return
        work = functools.partial(_compare, project=project, one=self.one.currentText(), other=self.other.currentText())
        self.task = task = Task(work)
        task.progressed.connect(self._progressed)
        task.returned.connect(functools.partial(self._show, project))
        task.failed.connect(self._failed)
        task.finished.connect(self._finished)
        self.bar.setRange(0, 0)
        task.start()
        self._refresh()

    # ---- inside

    def _project_changed(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self.agreement = None
        self.told.setText("")
        self._refill()

    def _refill(self) -> None:
        raters = self.session.raters
        for combo, row in ((self.one, 0), (self.other, 1)):
            combo.clear()
            combo.addItems(raters)
            combo.setCurrentIndex(min(row, len(raters) - 1))
        self._refresh()

    def _refresh(self) -> None:
        self.setVisible(len(self.session.raters) > 1)
        self.compare.setEnabled(self.task is None)
        self.bar.setVisible(self.task is not None)
        self.told.setVisible(bool(self.told.text()))
        for widget in (self.table, self.points):
            widget.setVisible(self.agreement is not None)

    def _progressed(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.told.setText(f"{done} of {total} images")
        self.told.show()

    def _show(self, project: Project, found: Agreement) -> None:
        if self.session.project is not project:
            return
        self.agreement = found
        self.told.setText(summary(found))
        self.table.show_evaluation(found.evaluation)
        self.points.show_evaluation(found.evaluation)

    def _failed(self, sentence: str) -> None:
        self.agreement = None
        self.told.setText(sentence)

    def _finished(self) -> None:
        self.task = None
        self._refresh()


def summary(found: Agreement) -> str:
    """How well two raters agree, in a few sentences."""
    evaluation, overall = found.evaluation, found.evaluation.overall
    unit, images = evaluation.unit, evaluation.n_images
    text = (
        f"<b>{found.one} and {found.other} both placed {overall.n} point{'' if overall.n == 1 else 's'} in {images} "
        f"image{'' if images == 1 else 's'}: {overall.mean:.3g} {unit} apart on average, half of them within "
        f"{overall.median:.3g} {unit}, at most {overall.max:.3g} {unit}.</b>"
    )
    alone = [(found.one, found.only_one), (found.other, found.only_other)]
    left = " and ".join(f"{count} by {name}" for name, count in alone if count)
    return f"{text} Placed by one of them only, and left out: {left}." if left else text


def _compare(job: Job, project: Project, one: str, other: str) -> Agreement:
    return agreement(project, one, other, job.progress)
