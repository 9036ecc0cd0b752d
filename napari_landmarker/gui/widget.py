"""`LandmarkerWidget`: the one dock widget."""

from __future__ import annotations

from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtWidgets import QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from napari_landmarker.engine.project import Project
from napari_landmarker.gui.annotate_panel import AnnotatePanel
from napari_landmarker.gui.canvas import CanvasTool
from napari_landmarker.gui.file_choice import choose_folder
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import reports, tell, tell_error
from napari_landmarker.gui.predict_panel import PredictPanel
from napari_landmarker.gui.project_bar import ProjectActions, ProjectBar, StartPage
from napari_landmarker.gui.project_dialog import ProjectDialog
from napari_landmarker.gui.report_panel import ReportPanel
from napari_landmarker.gui.samples import open_sample
from napari_landmarker.gui.save_guard import SaveGuard
from napari_landmarker.gui.train_panel import TrainPanel
from napari_landmarker.state.session import Session

_NO_PROJECT = "Open or create a project first."
_TAB_TIPS = (
    "Place, correct and accept landmarks.",
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
        self.layers = CaseLayers(viewer, self.session)
        self.canvas = CanvasTool(viewer, self.session, self.layers)
        self.bar = ProjectBar(self.session)
        self.start = StartPage()
        self.annotate = AnnotatePanel(self.session, self.canvas.actions)
        self.train = TrainPanel(self.session)
        self.predict = PredictPanel(self.session, viewer)
        self.report = ReportPanel(self.session)
        self.first = QStackedWidget()
        self.first.addWidget(self.start)
        self.first.addWidget(self.annotate)
        self.tabs = QTabWidget()
        for page, title in (
            (self.first, "Annotate"),
            (self.train, "Train"),
            (self.predict, "Predict"),
            (self.report, "Report"),
        ):
            self.tabs.addTab(page, title)
        layout = QVBoxLayout(self)
        layout.addWidget(self.bar)
        layout.addWidget(self.tabs, 1)
        self.setMinimumWidth(400)
        for actions in (self.bar.actions_, self.start.actions_):
            self._connect(actions)
        self.train.model_chosen.connect(lambda _: self.tabs.setCurrentWidget(self.predict))
        follow(self, self.session.project_changed, self._project_changed)
        follow(self, self.session.failed, tell_error)
        self._guard = SaveGuard(self.session, self)
        session, layers, canvas = self.session, self.layers, self.canvas
        self.destroyed.connect(lambda: (canvas.close(), layers.close(), session.leave()))
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

    def new_project(self) -> None:
        """Ask for a new project and open it."""
        dialog = ProjectDialog(self)
        dialog.exec()
        dialog.deleteLater()
        if dialog.project is not None:
            self._take(dialog.project)

    # ---- inside

    def _connect(self, actions: ProjectActions) -> None:
        actions.new_wanted.connect(self.new_project)
        actions.open_wanted.connect(self._choose_project)
        actions.sample_wanted.connect(self.open_sample)

    def _choose_project(self) -> None:
        path = choose_folder(self, "Choose the folder of a project")
        if path is not None:
            self.open_project(path)

    @reports
    def _take(self, project: Project) -> None:
        self.session.open_project(project)

    def _project_changed(self) -> None:
        has_project = self.session.project is not None
        self.first.setCurrentWidget(self.annotate if has_project else self.start)
        for tab in range(self.tabs.count()):
            self.tabs.setTabEnabled(tab, has_project or tab == 0)
            self.tabs.setTabToolTip(tab, _TAB_TIPS[tab] if has_project or tab == 0 else _NO_PROJECT)
        if not has_project:
            self.tabs.setCurrentIndex(0)
