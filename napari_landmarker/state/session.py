"""What an open window knows: project, case, annotations, predictions, and every edit a person can make of them.

Rules of the session:

- Every edit is saved at once. If that fails, `failed` is emitted, the edit stays in memory (`unsaved`) and is tried
  again with the next edit and when the project is closed.
- A file that another program changed is never written over unasked: `conflict` is emitted, and the edit stays in memory
  until `resolve`.
- One window writes in a project. In another one, and where the folder cannot be written, all edits are refused
  (`read_only`) until `take_over`, or until nobody else has the project.
- What others wrote in the project is read again before anything is written over it: the edit that would have been
  written is refused, and a person sees the project as it is now.
- Predictions never become annotations by themselves. `shown` is what a person sees: annotations, and predictions where
  nothing is annotated. Accepting, moving or placing makes an annotation.
- Removing a landmark leaves nothing to see of it: the annotation goes, and a prediction of it is hidden. `reset` shows
  the prediction again, and so does a new prediction, another model, or opening the project again; no prediction is
  deleted.
- A locked landmark stays as it is, whatever is clicked, until it is unlocked.
- Undo and redo go across cases; they open the case whose edit they change. Each rater has a history, in which changes
  of the project are steps too: landmarks, images that came or went, their use and spacing, ticks of the review.
"""

from __future__ import annotations

from napari_landmarker.state.reviewing import SessionReviewing


class Session(SessionReviewing):
    """The state of one window. All methods run on the window's thread; none needs a window.

    Its parts, from the ground up: `OpenCase` (what is seen), `SessionCases`, `SessionSharing` (who may write),
    `SessionCore` (project), `SessionEditing` (history), `SessionPlacing`, `SessionPredicting`, `SessionClipboard`,
    `SessionRaters`, `SessionProject` (images, spacing, landmarks) and `SessionReviewing`; `SessionSignals` names all
    signals.

    Methods that open something raise `LandmarkerError` and then leave everything as it was; a save that fails is told
    by the signal `failed` instead.
    """
