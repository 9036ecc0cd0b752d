"""`AnswerBox`: agree with the predicted points of the open image: with one, with all, or with those that are sure."""

from __future__ import annotations

import math

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QFormLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QSlider, QWidget

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.confidence import ConfidenceBar, ConfidenceColors
from napari_landmarker.gui.keys import tip
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import reports
from napari_landmarker.gui.scroll_panel import breakable, wrapped
from napari_landmarker.state.session import Session

#: Confidence that is asked for at first, in percent.
_USUAL = 80


class AnswerBox(QGroupBox):
    """Accepts predicted points, which are never annotations before.

    Args:
        session: what is open.
        layers: what points are drawn with.
        parent: as in Qt.
    """

    def __init__(self, session: Session, layers: CaseLayers, parent: QWidget | None = None) -> None:
        super().__init__("Points of this image", parent)
        self.session = session
        self.colors = ConfidenceColors(layers, self)
        self.points = wrapped()
        self.one = QPushButton("Accept current")
        self.one.clicked.connect(self._accept_one)
        self.all = QPushButton("Accept all")
        self.all.setToolTip(tip("accept_all", "Agree with every predicted point of this image."))
        self.all.clicked.connect(self._accept_all)
        self.colored = QCheckBox("Colour predicted points by confidence")
        self.colored.setToolTip("Instead of the landmarks' own colours; points below the limit are faint.")
        self.colored.toggled.connect(self.colors.set_wanted)
        self.threshold = QSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0, 100)
        self.threshold.setPageStep(5)
        self.threshold.setValue(_USUAL)
        self.threshold.setToolTip("The least confidence of points that are accepted together.")
        self.threshold.valueChanged.connect(self._limit_changed)
        self.limit = QLabel()
        self.limit.setMinimumWidth(self.limit.fontMetrics().horizontalAdvance("100 %"))
        self.above = QPushButton()
        self.above.clicked.connect(self._accept_above)
        self._lay_out()
        self.colors.threshold = _USUAL / 100
        for signal in (session.landmarks_changed, session.predictions_changed, session.case_changed):
            follow(self, signal, self.refresh)
        follow(self, session.current_changed, self.refresh)
        follow(self, session.project_changed, self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        buttons, limit = QHBoxLayout(), QHBoxLayout()
        buttons.addWidget(self.one)
        buttons.addWidget(self.all)
        limit.addWidget(self.threshold, 1)
        limit.addWidget(self.limit)
        form = QFormLayout(self)
        form.addRow(self.points)
        form.addRow(buttons)
        form.addRow(self.colored)
        form.addRow("Unsure to sure", ConfidenceBar())
        form.addRow("At least", limit)
        form.addRow(self.above)

    def waiting(self) -> dict[str, float]:
        """Scores of the points of this image that nobody has accepted or moved yet."""
        shown = self.session.shown
        if shown is None:
            return {}
        names = [name for name in shown.names if shown.status_of(name) is LandmarkStatus.PREDICTED]
        return {name: shown.score_of(name) for name in names}

    def refresh(self, *_: object) -> None:
        """Show what the session has now."""
        waiting, current = self.waiting(), self.session.current
        self.points.setText(self._text(waiting))
        self.one.setEnabled(current in waiting)
        self.one.setToolTip(tip("confirm", f"Agree with the predicted point of {current}." if current else ""))
        self.all.setEnabled(bool(waiting))
        self.limit.setText(f"{self.threshold.value()} %")
        sure = sum(score >= self.threshold.value() / 100 for score in waiting.values())
        self.above.setText(f"Accept {sure} of {len(waiting)} that are so sure" if waiting else "Accept those so sure")
        self.above.setToolTip("Agree with the predicted points of at least this confidence.")
        self.above.setEnabled(sure > 0)

    def _text(self, waiting: dict[str, float]) -> str:
        shown = self.session.shown
        if not waiting and self.session.predictions is not None:
            if shown is not None and not shown.by_person.all():
                return "The model did not find the landmarks that are not annotated here."
            return "Every landmark here is annotated; predictions leave annotations as they are."
        if not waiting:
            return "This image was not predicted yet."
        count = f"{len(waiting)} predicted point{'' if len(waiting) == 1 else 's'} (rings on the image)."
        scores = {name: score for name, score in waiting.items() if math.isfinite(score)}
        least = min(scores, key=lambda name: scores[name], default=None)
        return (
            count if least is None else f"{count} The model is least sure of {breakable(least)} ({scores[least]:.0%})."
        )

    def _limit_changed(self, percent: int) -> None:
        self.colors.set_threshold(percent / 100)
        self.refresh()

    @reports
    def _accept_one(self, *_: object) -> None:
        if self.session.current is not None:
            self.session.accept(self.session.current)

    @reports
    def _accept_all(self, *_: object) -> None:
        self.session.accept_all()

    @reports
    def _accept_above(self, *_: object) -> None:
        self.session.accept_above(self.threshold.value() / 100)
