"""`LandmarkerWidget`: the one dock widget."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QAction, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from napari_landmarker.engine.io.images import distinct_images
from napari_landmarker.engine.io.paths import whole_path
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.access_banner import AccessBanner
from napari_landmarker.gui.annotate_panel import NOT_ADDED, AnnotatePanel
from napari_landmarker.gui.canvas import CanvasTool
from napari_landmarker.gui.conflict import ConflictBanner
from napari_landmarker.gui.diagnostics import Messages, copy_diagnostics
from napari_landmarker.gui.drop import Dropped, DropTarget, Kind
from napari_landmarker.gui.file_choice import choose_folder
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.measure_panel import MeasurePanel
from napari_landmarker.gui.messages import reports, tell, tell_error, tell_warning
from napari_landmarker.gui.ortho_dock import OrthoDock
from napari_landmarker.gui.predict_panel import PredictPanel
from napari_landmarker.gui.project_bar import ProjectActions, ProjectBar
from napari_landmarker.gui.project_dialog import ProjectDialog
from napari_landmarker.gui.rater_bar import RaterBar
from napari_landmarker.gui.rater_layer import RaterLayer
from napari_landmarker.gui.report_panel import ReportPanel
from napari_landmarker.gui.samples import open_sample
from napari_landmarker.gui.save_guard import SaveGuard
from napari_landmarker.gui.start_page import StartPage
from napari_landmarker.gui.train_panel import TrainPanel
from napari_landmarker.gui.upkeep import Upkeep
from napari_landmarker.gui.waiting import run_beside, wait_for
from napari_landmarker.state.session import Session

_NO_PROJECT = "Open or create a project first."
_TAB_TIPS = (
    "Place, correct and accept landmarks.",
    "See the angles, distances and ratios between landmarks.",
    "Teach a model from the landmarks that are placed.",
    "Let a model place the landmarks.",
    "See how far the model is from what was annotated.",
)


class LandmarkerWidget(QWidget):
    """Annotate, train, predict, correct, export and report, in one dock widget.

    Args:
        viewer: napari's viewer; napari gives it.
        parent: as in Qt.
    """

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.session = Session()
        self.session.run_long = functools.partial(run_beside, self)
        self.messages = Messages(self.session)
        self.layers = CaseLayers(viewer, self.session)
        self.canvas = CanvasTool(viewer, self.session, self.layers)
        self.ortho = OrthoDock(viewer, self.session, self.layers, self.canvas, self)
        self.other_rater = RaterLayer(viewer, self.session, self.layers)
        self.bar = ProjectBar(self.session)
        self.raters = RaterBar(self.session)
        self.access = AccessBanner(self.session)
        self.conflicts = ConflictBanner(self.session)
        self.start = StartPage()
        self.annotate = AnnotatePanel(self.session, self.canvas.actions)
        self.measure = MeasurePanel(self.session, self.canvas.actions)
        self.train = TrainPanel(self.session)
        self.predict = PredictPanel(self.session, viewer, self.layers)
        self.report = ReportPanel(self.session)
        self.first = QStackedWidget()
        self.first.addWidget(self.start)
        self.first.addWidget(self.annotate)
        self.tabs = QTabWidget()
        for page, title in (
            (self.first, "Annotate"),
            (self.measure, "Measure"),
            (self.train, "Train"),
            (self.predict, "Predict"),
            (self.report, "Report"),
        ):
            self.tabs.addTab(page, title)
        layout = QVBoxLayout(self)
        layout.addWidget(self.bar)
        layout.addWidget(self.access)
        layout.addWidget(self.conflicts)
        layout.addWidget(self.raters)
        layout.addWidget(self.tabs, 1)
        self.setMinimumWidth(self.fontMetrics().averageCharWidth() * 72)
        self.upkeep = Upkeep(self.session, self)
        self.drop = DropTarget(self, self.session)
        self.drop.dropped.connect(self.open_dropped)
        self._add_help()
        for actions in (self.bar.actions_, self.start.actions_):
            self._connect(actions)
        self.measure.edit_wanted.connect(lambda: self.annotate.schema.edit(measurements=True))
        self.train.model_chosen.connect(self._go_on_with)
        self.train.report_wanted.connect(self._report_on)
        self.report.looked.connect(self.layers.bring_into_view)
        follow(self, self.session.project_changed, self._project_changed)
        follow(self, self.session.failed, tell_error)
        self._guard = SaveGuard(self.session, self)
        session, layers, canvas, other = self.session, self.layers, self.canvas, self.other_rater
        messages, ortho = self.messages, self.ortho
        self.destroyed.connect(
            lambda: (messages.close(), ortho.close(), other.close(), canvas.close(), layers.close(), session.leave())
        )
        self._project_changed()

    # ---- projects

    @reports
    def open_project(self, path: Path | str, case_id: str | None = None) -> None:
        """Open a project folder, at one of its cases if it is named; what is wrong is told in a notification."""
        self.session.open_project(Project.open(path))
        if case_id is not None:
            self.session.open_case(case_id)

    @reports
    def open_sample(self, ndim: int) -> None:
        """Open the sample project of 2D or 3D images."""
        project = open_sample(ndim)
        self.session.open_project(project)
        tell(f"The sample project lies in {project.root}.")

    def new_project(self, images: Sequence[Path] = (), annotations: Sequence[Path] = ()) -> None:
        """Ask for a new project, of these images and annotations if they are chosen already, and open it."""
        dialog = ProjectDialog(self, images, annotations)
        dialog.exec()
        dialog.deleteLater()
        if dialog.project is not None:
            self._take(dialog.project, dialog.along)

    def open_dropped(self, groups: Sequence[Dropped]) -> None:
        """Open what was dropped on napari as what it is, or say that it is nothing this program knows."""
        dropped = {group.kind: group.paths for group in groups}
        annotations = dropped.pop(Kind.ANNOTATIONS, ()) if Kind.IMAGES in dropped else ()
        for kind, paths in dropped.items():
            if kind is Kind.IMAGES:
                # the drop ends before a dialog begins
                QTimer.singleShot(0, functools.partial(self._open_images, paths, annotations))
            else:
                self._open_others(kind, paths)

    # ---- inside

    @reports
    def _open_images(self, paths: Sequence[Path], annotations: Sequence[Path]) -> None:
        """Images that were dropped, and the annotations that were dropped with them."""
        if self.session.project is None:
            self.new_project(paths, annotations)
            return
        sentence = self._add_images(paths)
        if sentence is None:
            tell(f"{NOT_ADDED}.")
        elif annotations:
            self.annotate.exchange.import_along(annotations, sentence)
        else:
            tell(f"{sentence}.")

    @reports
    def _open_others(self, kind: Kind, paths: Sequence[Path]) -> None:
        first, more = paths[0], len(paths) - 1
        if kind is Kind.PROJECT:
            self.open_project(first)
        elif kind is Kind.UNKNOWN:
            others = f" and {more} more" if more else ""
            tell_warning(
                f"{first.name}{others} cannot be opened here: drop images, annotation files, a project or a model."
            )
        elif self.session.project is None:
            tell_warning(f"Open or create a project first: {first.name} can then be dropped on it.")
        elif kind is Kind.ANNOTATIONS:
            for path in paths:
                self.annotate.exchange.import_from(path)
        else:
            self.tabs.setCurrentWidget(self.predict)
            self.predict.opener.open_model(first)

    def _go_on_with(self, _: str) -> None:
        """With the model just trained, on to the next image that is not finished, its points ready to be corrected."""
        self.tabs.setCurrentWidget(self.predict)
        self.predict.predict_next()

    def _add_images(self, paths: Sequence[Path]) -> str | None:
        """Add images to the project, and open the first of them.

        Returns:
            What was done, as a sentence without full stop; None where a person stopped it.
        """
        project = self.session.project
        assert project is not None
        images = wait_for(self, "Looking for images…", lambda job: distinct_images(paths, job.progress))
        added = None if images is None else self.session.add_images(images)
        if images is None or added is None:
            return None
        known = {project.image_path(case.id): case.id for case in project.cases}
        shown = added[0].id if added else known.get(whole_path(images[0]))
        if shown is not None and shown != self.session.case_id:
            self.session.open_case(shown)
        count = "One image was" if len(added) == 1 else f"{len(added)} images were"
        return f"{count} added to the project" if added else "All of these images are in the project already"

    def _add_help(self) -> None:
        """Entries in this widget's menu and in napari's *Help*, for as long as the widget is there."""
        messages = self.messages
        self.copy_diagnostics = QAction("Copy diagnostics of Landmarker", self)
        self.copy_diagnostics.setToolTip("Versions, device and the last messages, without names, paths or images.")
        self.copy_diagnostics.triggered.connect(lambda _=False: copy_diagnostics(messages))
        self.bar.menu.addAction(self.copy_diagnostics)
        self.viewer.window.help_menu.addAction(self.copy_diagnostics)

    def _connect(self, actions: ProjectActions) -> None:
        actions.new_wanted.connect(lambda: self.new_project())
        actions.open_wanted.connect(self._choose_project)
        actions.sample_wanted.connect(self.open_sample)

    def _choose_project(self) -> None:
        path = choose_folder(self, "Choose the folder of a project")
        if path is not None:
            self.open_project(path)

    @reports
    def _take(self, project: Project, annotations: Sequence[Path]) -> None:
        """Open a project that was made, and take in what annotations came with its images."""
        self.session.open_project(project)
        if annotations:
            count = len(project.cases)
            self.annotate.exchange.import_along(
                annotations, f"The new project has {count} image{'' if count == 1 else 's'}"
            )

    def _report_on(self, split: str) -> None:
        self.tabs.setCurrentWidget(self.report)
        self.report.report_on(Split(split))

    def _project_changed(self) -> None:
        has_project = self.session.project is not None
        self.first.setCurrentWidget(self.annotate if has_project else self.start)
        for tab in range(self.tabs.count()):
            self.tabs.setTabEnabled(tab, has_project or tab == 0)
            self.tabs.setTabToolTip(tab, _TAB_TIPS[tab] if has_project or tab == 0 else _NO_PROJECT)
        if not has_project:
            self.tabs.setCurrentIndex(0)
