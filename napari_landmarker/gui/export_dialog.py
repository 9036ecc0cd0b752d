"""`ExportDialog`: which annotations go out, as what, and where to."""

from __future__ import annotations

import functools
from pathlib import Path

from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QGroupBox,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.exporting import ExportResult, Selection, export_annotations
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.paths import whole_path
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.close_guard import CloseGuard
from napari_landmarker.gui.export_words import note_on, told_after
from napari_landmarker.gui.file_choice import choose_folder, choose_new_file
from napari_landmarker.gui.format_list import FormatList
from napari_landmarker.gui.problem_label import ProblemLabel
from napari_landmarker.gui.scroll_panel import wrapped
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.session import Session


class ExportDialog(QDialog):
    """Asks for format, images and place, and writes beside the window. What is wrong stands in the dialog.

    Args:
        session: with a project, of which all is saved.
        grid: geometry of the open image, or of one that stands for all.
        parent: as in Qt.

    Attributes:
        task: the export that is going on, or None.
    """

    exported = Signal(str)
    """It is done, and this came of it."""

    def __init__(self, session: Session, grid: Grid, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        assert session.project is not None
        self.setWindowTitle("Export landmarks")
        self.task: Task | None = None
        self._session = session
        self._project: Project = session.project
        self._grid = grid
        self._named = ""
        self._make_choices()
        self._make_place()
        self._lay_out()
        self.formats.changed.connect(self._refresh)
        for button in (self.this, self.all, self.finished_only, self.predicted, self.replace):
            button.toggled.connect(self._refresh)
        self.place.textChanged.connect(self._show_ready)
        self._refresh()

    # ---- making it

    def _make_choices(self) -> None:
        count, case_id = len(self._project.cases), self._session.case_id
        self.formats = FormatList(self._grid, len(self._session.names))
        self.formats.setAccessibleName("Format")
        self.note = wrapped()
        self.this = QRadioButton("This image" if case_id is None else f"This image: {_short(case_id)}")
        self.this.setEnabled(case_id is not None)
        self.all = QRadioButton(f"All {count} images" if count > 1 else "All images")
        self.all.setToolTip("Images in which nothing is annotated are left out.")
        self.finished_only = QRadioButton("Only finished images")
        self.finished_only.setToolTip("Images in which every landmark is placed or marked as not visible.")
        self.all.setChecked(True)
        self.predicted = QCheckBox("Also points that wait to be accepted")
        self.predicted.setToolTip(
            "Points of the model that you use, where nobody has accepted or placed one yet.\n"
            "Without this, only what a person stands behind is written."
        )

    def _make_place(self) -> None:
        self.place = QLineEdit()
        self.place.setAccessibleName("Where to write")
        self.browse = QPushButton("Browse…")
        self.browse.setAutoDefault(False)
        self.browse.clicked.connect(lambda _=False: self._choose_place())
        self.replace = QCheckBox("Replace files that are there already")
        self.problem = ProblemLabel()
        self.bar = QProgressBar()
        self.counted = QLabel()
        for widget in (self.bar, self.counted):
            widget.hide()

    def _lay_out(self) -> None:
        self.choices = QWidget()
        column = QVBoxLayout(self.choices)
        column.setContentsMargins(0, 0, 0, 0)
        for title, widgets in (
            ("Format", (self.formats, self.note)),
            ("Landmarks", (self.this, self.all, self.finished_only, self.predicted)),
        ):
            box = QGroupBox(title)
            inside = QVBoxLayout(box)
            for widget in widgets:
                inside.addWidget(widget, int(widget is self.formats))
            column.addWidget(box, int(title == "Format"))
        where = QGridLayout()
        self.where = QLabel("Write to")
        self.where.setBuddy(self.place)
        where.addWidget(self.where, 0, 0)
        where.addWidget(self.place, 0, 1)
        where.addWidget(self.browse, 0, 2)
        where.addWidget(self.replace, 1, 1, 1, 2)
        column.addLayout(where)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.export = self.buttons.addButton("Export", QDialogButtonBox.ButtonRole.AcceptRole)
        self.export.setDefault(True)
        self.cancel = self.buttons.button(QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.choices, 1)
        for widget in (self.problem, self.counted, self.bar, self.buttons):
            layout.addWidget(widget)
        size = QSize(self.fontMetrics().averageCharWidth() * 95, self.fontMetrics().height() * 50)
        screen = self.screen()
        self.resize(size if screen is None else size.boundedTo(screen.availableSize() * 0.9))

    # ---- what is chosen

    @property
    def selection(self) -> Selection:
        """Which landmarks are to be written, as they are chosen now."""
        session = self._session
        return Selection(
            case_ids=(session.case_id,) if self.this.isChecked() and session.case_id is not None else None,
            rater=session.rater,
            finished=self.finished_only.isChecked(),
            predicted=self.predicted.isChecked(),
            model=session.model,
            hidden=session.hidden_predictions,
        )

    @property
    def one_file(self) -> bool:
        """Whether all that is chosen goes into one file, and not into a folder of files."""
        fmt = self.formats.format
        return self.this.isChecked() or (fmt is not None and fmt.capabilities.several_images)

    def _refresh(self, *_: object) -> None:
        """Follow what was chosen: what the format leaves out, and the name of what is written."""
        fmt = self.formats.format
        self.note.setText("" if fmt is None else note_on(fmt, self._grid, self.predicted.isChecked()))
        name = self._name()
        if name != self._named:  # what a person typed stays as long as it is to be called the same
            folder = Path(self.place.text()).parent if self.place.text().strip() else self._project.root.parent
            self._named = name
            self.place.setText(str(folder / name))
        self.where.setText("Write to file" if self.one_file else "Write to folder")
        self.problem.hide()
        self._show_ready()

    def _name(self) -> str:
        """What the file or folder is called at first."""
        key, fmt = self.formats.chosen, self.formats.format
        suffix = fmt.suffixes[0] if fmt is not None and self.one_file else ""
        if self.this.isChecked():
            return f"{self._session.case_id}{suffix}"
        return f"{self._project.root.name}-{key}{suffix}"

    def _choose_place(self) -> None:
        fmt, start = self.formats.format, self.place.text()
        if fmt is None:
            return
        if self.one_file:
            path = choose_new_file(self, "Write the landmarks to", start, f"{fmt.name} (*{fmt.suffixes[0]})")
            if path is not None:
                self.replace.setChecked(path.exists())  # the file dialog has asked
                path = path if path.name.lower().endswith(fmt.suffixes) else path.with_name(path.name + fmt.suffixes[0])
        else:
            path = choose_folder(self, "Folder for the files", Path(start).parent)
        if path is not None:
            self.place.setText(str(path))

    # ---- doing it

    def accept(self) -> None:
        """Write, in a thread; on a problem, say it and stay open. Called by Qt."""
        if self.task is not None or not self.export.isEnabled():
            return
        target = whole_path(self.place.text().strip())
        work = functools.partial(
            _write,
            project=self._project,
            target=target,
            to=str(self.formats.chosen),
            chosen=self.selection,
            overwrite=self.replace.isChecked(),
        )
        self.task = task = Task(work)
        task.progressed.connect(self._progressed)
        task.returned.connect(functools.partial(self._returned, target))
        task.failed.connect(self._failed)
        task.finished.connect(self._finished)
        CloseGuard.watch(self.window())
        self._show_busy(True)
        task.start()

    def reject(self) -> None:
        """Stop what is being written, or else close. Called by Qt."""
        if self.task is None:
            super().reject()
        else:
            self.counted.setText("Stopping…")
            self.task.cancel()

    def _progressed(self, done: int, total: int) -> None:
        if self.task is not None and not self.task.cancelled:
            self.counted.setText(f"{done} of {total} images" if done < total else "Finishing…")
            self.bar.setRange(0, total)
            self.bar.setValue(done)

    def _returned(self, target: Path, result: ExportResult) -> None:
        if not result.n_images:
            self._failed(told_after(result, target))
            return
        super().accept()
        self.exported.emit(told_after(result, target))

    def _failed(self, sentence: str) -> None:
        self.problem.say(sentence)

    def _finished(self) -> None:
        stopped = self.task is not None and self.task.cancelled
        self.task = None
        self._show_busy(False)
        if stopped:
            self._failed("Stopped: nothing was written.")

    def _show_busy(self, busy: bool) -> None:
        self.choices.setEnabled(not busy)
        self.bar.setRange(0, 0)
        self.bar.setVisible(busy)
        self.counted.setText("Reading the landmarks…")
        self.counted.setVisible(busy)
        self.cancel.setText("Stop" if busy else "Cancel")
        if busy:
            self.problem.hide()
        self._show_ready()

    def _show_ready(self, *_: object) -> None:
        ready = self.formats.chosen is not None and bool(self.place.text().strip())
        self.export.setEnabled(ready and self.task is None)


def _write(job: Job, *, project: Project, target: Path, to: str, chosen: Selection, overwrite: bool) -> ExportResult:
    """What the thread does."""
    return export_annotations(project, target, to, chosen, overwrite=overwrite, progress=job.progress)


def _short(name: str) -> str:
    """A name that fits on a button: a long one loses its middle."""
    return name if len(name) <= 40 else f"{name[:20]}…{name[-18:]}"
