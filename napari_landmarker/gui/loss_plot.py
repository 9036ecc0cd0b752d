"""`LossPlot`: how a training run goes, as two plots that grow while it runs."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_landmarker.gui.line_plot import BLUE, GREEN, ORANGE, LinePlot, Series
from napari_landmarker.state.training import TrainingRun


class LossPlot(QWidget):
    """Loss of training and validation, and below it the error on validation images, on logarithmic axes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.loss = LinePlot(
            "Loss (should fall)",
            "minutes",
            log=True,
            empty="The curves appear here as soon as the training runs.",
        )
        self.loss.setToolTip(
            "What the model tries to make small. If the orange line (images it does not learn from) rises again\n"
            "while the blue one falls, more training will not help: stop and keep the best.\n"
            "Where a model has two stages the loss begins anew with the second: that is no reason to stop."
        )
        self.error = LinePlot("Error on validation images", "minutes", log=True)
        self.error.setToolTip(
            "Mean distance between the predicted and the annotated points, on images the model does not learn from.\n"
            "The ring marks the best so far: that model is kept."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.loss)
        layout.addWidget(self.error)
        self.error.hide()

    def show_run(self, run: TrainingRun | None) -> None:
        """Draw the curve of a run, or nothing."""
        curve = [] if run is None else run.curve
        train = [] if run is None else [(time_s, loss) for time_s, loss in run.losses]
        train = train or [(p.elapsed_s, p.train_loss) for p in curve if p.train_loss is not None]
        held_out = [(p.elapsed_s, p.validation_loss) for p in curve if p.validation_loss is not None]
        lines = [_series("images it learns from", BLUE, train), _series("validation images", ORANGE, held_out)]
        self.loss.show_series([line for line in lines if line.xs])
        measured = [p for p in curve if p.validation_error is not None]
        mark = None if run is None or run.best is None else measured.index(run.best)
        errors = [(p.elapsed_s, p.validation_error) for p in measured if p.validation_error is not None]
        unit = "px" if run is None else run.unit
        self.error.show_series([_series("error", GREEN, errors, mark)], f"Error on validation images ({unit})")
        self.error.setVisible(bool(errors))


def _series(label: str, color: str, points: list[tuple[float, float]], mark: int | None = None) -> Series:
    return Series(label, color, [time_s / 60 for time_s, _ in points], [y for _, y in points], mark)
