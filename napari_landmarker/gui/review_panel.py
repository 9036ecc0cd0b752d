"""`ReviewPanel`: which images of the project to look at first, and why; looked at one after the other."""

from __future__ import annotations

import functools

from qtpy.QtCore import QModelIndex
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QListView,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import reports
from napari_landmarker.gui.region_box import RegionBox
from napari_landmarker.gui.review_list import ReviewModel
from napari_landmarker.gui.reviewing import Queue, find_items, read_ahead
from napari_landmarker.gui.scroll_panel import choice, wrapped
from napari_landmarker.gui.tasks import Task
from napari_landmarker.state.session import Session

_BY_REASON, _BY_REGION = "reason", "region"
#: Rows of the list that are seen at once.
_ROWS = 6


class ReviewPanel(QGroupBox):
    """The review of the active model's predictions.

    Args:
        session: what is open.
        layers: bring a landmark into view.
        regions: knows what the active model promises.
        parent: as in Qt.

    Attributes:
        queue: what was found.
        task: what is going on in the background.
        ahead: the reading of the next image.
    """

    def __init__(self, session: Session, layers: CaseLayers, regions: RegionBox, parent: QWidget | None = None) -> None:
        super().__init__("Review of all images", parent)
        self.session = session
        self.queue = Queue()
        self.task: Task | None = None
        self.ahead: Task | None = None
        self._layers = layers
        self._regions = regions
        self._model: tuple[object, str | None] = (None, None)
        self._looked = False
        self.look = QPushButton("Find what to look at")
        self.look.setToolTip("Look through all images for points that are unsure, unusual or have swapped sides.")
        self.look.clicked.connect(self.start)
        self.order = choice()
        self.order.addItem("reason, the most urgent first", _BY_REASON)
        self.order.addItem("size of the region in mm", _BY_REGION)
        self.order.setToolTip("In which order images are looked at. Regions need a calibrated model.")
        self.order.currentIndexChanged.connect(self._show)
        self.list = QListView()
        self.rows = ReviewModel(session, self.list)
        self.list.setModel(self.rows)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setUniformItemSizes(True)
        self.list.setFixedHeight(_ROWS * (self.list.fontMetrics().height() + 4))
        self.list.selectionModel().currentChanged.connect(self._chosen)
        self.reason, self.count = wrapped(), wrapped()
        self.reviewed = QPushButton("Reviewed, next")
        self.reviewed.setToolTip("Tick this image off and open the next one.")
        self.reviewed.clicked.connect(self.tick)
        self.skip = QPushButton("Skip")
        self.skip.setToolTip("Open the next image without ticking this one off.")
        self.skip.clicked.connect(self.go_on)
        self.bar = QProgressBar()
        self._lay_out()
        for signal in (session.project_changed, session.predictions_changed):
            follow(self, signal, self._model_may_have_changed)
        follow(self, session.schema_changed, self._forget)
        follow(self, session.reviewed_changed, self._refresh)
        self._refresh()

    def _lay_out(self) -> None:
        self.ordered = QWidget()
        layout, buttons, form = QVBoxLayout(self), QHBoxLayout(), QFormLayout(self.ordered)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Ordered by", self.order)
        buttons.addWidget(self.reviewed)
        buttons.addWidget(self.skip)
        for widget in (self.look, self.bar, self.count):
            layout.addWidget(widget)
        layout.addWidget(self.ordered)
        layout.addWidget(self.list)
        layout.addWidget(self.reason)
        layout.addLayout(buttons)

    # ---- what a person does

    def start(self) -> None:
        """Look through the project, beside the window; again: no longer."""
        if self.task is not None:
            self.task.cancel()
            return
        project, model = self.session.project, self.session.model
        if project is None or model is None:
            return
        known = self._regions.model
        calibration = None if known is None else known.calibration
        work = functools.partial(find_items, project=project.snapshot(), model=model, calibration=calibration)
        self.task = Task(work)
        self.task.progressed.connect(self._progressed)
        self.task.returned.connect(self._found)
        self.task.failed.connect(self.session.failed.emit)
        self.task.finished.connect(self._finished)
        self.bar.setRange(0, 0)
        self.task.start()
        self._refresh()

    @reports
    def tick(self, *_: object) -> None:
        """Tick the image of the chosen row off, and open the next one."""
        row = self.list.currentIndex().row()
        if row >= 0:
            self.session.set_reviewed(self.rows.items[row].case_id)
            self.go_on()

    def go_on(self, *_: object) -> None:
        """Open the next image that is not ticked off."""
        row = self.list.currentIndex().row()
        current = self.rows.items[row].case_id if row >= 0 else None
        following = self.rows.next_open(row, current)
        if following >= 0:
            self.list.setCurrentIndex(self.rows.index(following))
        self._refresh()

    # ---- what follows

    def _progressed(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)

    def _found(self, queue: Queue) -> None:
        self.queue, self._looked = queue, True
        self._model = (self.session.project, self.session.model)
        self._show()
        self.go_on()

    def _finished(self) -> None:
        self.task = None
        self._refresh()

    def _model_may_have_changed(self) -> None:
        """What was found is of one model in one project."""
        if self._model != (self.session.project, self.session.model):
            self._forget()
        self._refresh()

    def _forget(self) -> None:
        """What was found is of another model, or of landmarks that have other names now."""
        if self.task is not None:
            self.task.cancel()
        self.queue, self._looked = Queue(), False
        self._model = (self.session.project, self.session.model)
        self._show()

    def _show(self, *_: object) -> None:
        by_region = self.order.currentData() == _BY_REGION
        self.rows.show(self.queue.by_region if by_region else self.queue.items)
        self._refresh()

    @reports
    def _chosen(self, index: QModelIndex, _: QModelIndex) -> None:
        """Open an image at its landmark, and read the one after it ahead."""
        if not index.isValid():
            return
        item = self.rows.items[index.row()]
        if item.case_id != self.session.case_id:
            self.session.open_case(item.case_id)
        self.session.set_current(item.landmark)
        self._layers.bring_into_view(item.landmark)
        self._read_ahead(self.rows.next_open(index.row(), item.case_id))
        self._refresh()

    def _read_ahead(self, row: int) -> None:
        images = self.session.images
        if row < 0 or images is None or images.has(self.rows.items[row].case_id):
            return
        if self.ahead is not None:
            self.ahead.cancel()
        self.ahead = Task(functools.partial(read_ahead, images=images, case_ids=(self.rows.items[row].case_id,)))
        self.ahead.finished.connect(self._was_read)
        self.ahead.start()

    def _was_read(self) -> None:
        if self.sender() is self.ahead:
            self.ahead = None

    def _refresh(self, *_: object) -> None:
        going, row = self.task is not None, self.list.currentIndex().row()
        chosen = 0 <= row < len(self.rows.items)
        self.look.setEnabled(self.session.model is not None)
        self.look.setText("Cancel" if going else "Find what to look at")
        self.bar.setVisible(going)
        images = self.rows.images
        for widget in (self.list, self.reviewed, self.skip):
            widget.setVisible(bool(images))
        self.ordered.setVisible(self._looked)
        for widget in (self.reviewed, self.skip):
            widget.setEnabled(chosen)
        self.count.setText(self._count(images))
        self.count.setVisible(bool(self.count.text()))
        self.reason.setText(self.rows.items[row].reason if chosen else "")
        self.reason.setVisible(chosen)

    def _count(self, images: frozenset[str]) -> str:
        if images:
            done = sum(map(self.session.reviewed, images))
            return f"{done} of {len(images)} images reviewed."
        if self.order.currentData() == _BY_REGION:
            return "The sizes of regions are known of predicted images, with a calibrated model and a known spacing."
        return "There is nothing to look at: predict images first." if self._looked else ""
