"""What a session tells: every signal of it, in one place."""

from __future__ import annotations

from psygnal import Signal

from napari_landmarker.state.modes import LabelMode


class SessionSignals:
    """The signals of a session.

    Signals:
        project_changed: another project, or none, is open, or the open one has other landmarks. No case is open yet.
        schema_changed: the project has other landmarks; `project_changed` and `case_changed` follow.
        cases_changed: cases were added, or all cases have other counts as another rater is at work.
        progress_changed: these cases have another split or count of landmarks done.
        case_changed: another case, or none, is open; annotations, predictions and heatmaps are its own.
        landmarks_changed: these landmarks of the open case look different now, or are locked or no longer locked.
        travelled: an undo or redo changed this one landmark of the open case, which is or was at ``(D,)``.
        current_changed: another landmark is to be placed next; ``""`` for none.
        mode_changed: a click does something else.
        predictions_changed: another active model, or its points of the open case changed.
        heatmaps_changed: `prediction` changed.
        history_changed: `can_undo`, `can_redo` or `unsaved` may have changed.
        models_changed: the project has other models.
        rater_changed: another rater is at work; `cases_changed` and `case_changed` follow.
        other_changed: `other` changed: the annotations of another rater that are shown beside; or `beside_model` did.
        geometry_changed: these cases have another spacing; `case_changed` follows if the open one is among them.
        reviewed_changed: this case was ticked off in the review, or the tick was taken back.
        access_changed: `read_only` changed.
        conflict: another program changed the annotations of this case that were to be saved: `resolve` it.
        refused: one sentence that says why an edit was not made.
        told: one sentence that a person may like to know.
        failed: one sentence about something that went wrong.
    """

    project_changed = Signal()
    schema_changed = Signal()
    cases_changed = Signal()
    progress_changed = Signal(tuple)
    case_changed = Signal()
    landmarks_changed = Signal(tuple)
    travelled = Signal(str, object)
    current_changed = Signal(str)
    mode_changed = Signal(LabelMode)
    predictions_changed = Signal()
    heatmaps_changed = Signal()
    history_changed = Signal()
    models_changed = Signal()
    rater_changed = Signal()
    other_changed = Signal()
    geometry_changed = Signal(tuple)
    reviewed_changed = Signal(str)
    access_changed = Signal()
    conflict = Signal(str)
    refused = Signal(str)
    told = Signal(str)
    failed = Signal(str)
