"""Copying landmarks from one image to another, as values."""

from __future__ import annotations

import numpy as np

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.state.predicting import SessionPredicting


class SessionClipboard(SessionPredicting):
    """Copy and paste: nothing that is there changes, and what is pasted waits for an answer."""

    def __init__(self) -> None:
        super().__init__()
        self._copied: dict[str, FloatArray] = {}

    @property
    def can_paste(self) -> bool:
        """Whether something was copied and an image is open."""
        return bool(self._copied) and self.annotations is not None

    def copy(self) -> int:
        """Copy the points that a person placed in the open case; how many these are. Nothing to copy is told."""
        landmarks = self.annotations
        if landmarks is None:
            return 0
        truth = landmarks.truth()
        copied = {name: truth.point(name).copy() for name in self.names if truth.status_of(name).has_point}
        if copied:
            self._copied = copied
        else:
            self.told.emit("There is nothing to copy: nobody has placed a landmark in this image.")
        return len(copied)

    def paste(self) -> int:
        """Put copied points where this case has none, at the same index coordinates, in one edit.

        What was placed, predicted or said to be absent here stays. A pasted point counts as predicted until it is
        accepted or moved, as nobody has looked at it in this image. What was left out is told.

        Returns:
            How many points were pasted.
        """
        before, shown = self.annotations, self.shown
        if before is None or shown is None or not self._copied or self._refuses_all():
            return 0
        after, pasted, outside = before, [], 0
        for name, point in self._copied.items():
            if name not in self.names or shown.status_of(name) is not LandmarkStatus.UNPLACED:
                continue
            if point.shape != (before.grid.ndim,) or not before.grid.contains(point):
                outside += 1
                continue
            after = after.with_locked(name, False).with_point(name, point, LandmarkStatus.PREDICTED, np.nan)
            pasted.append(name)
        self._edit(after, pasted)
        self._step_from(self.current)
        kept = len(self._copied) - len(pasted) - outside
        left_out = [f"{kept} kept what they had here"] * (kept > 0)
        left_out += [f"{outside} would lie outside this image"] * (outside > 0)
        if left_out:
            self.told.emit(f"Pasted {len(pasted)} of {len(self._copied)} landmarks: {' and '.join(left_out)}.")
        return len(pasted)
