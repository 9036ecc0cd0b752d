"""The few kinds of error a user can meet. Each message is one clear sentence that names what to do."""

from __future__ import annotations


class LandmarkerError(Exception):
    """Base of every error that is shown to a user: one sentence, no traceback."""


class GeometryError(LandmarkerError):
    """Coordinates, spacing or shapes that do not belong together."""


class ImageError(LandmarkerError):
    """An image that cannot be read or used."""


class AnnotationError(LandmarkerError):
    """A landmark, schema or annotation file that is not valid."""


class ProjectError(LandmarkerError):
    """A project folder that cannot be made, opened or written."""


class ModelError(LandmarkerError):
    """A model folder that cannot be opened or does not fit the data."""


class TrainingError(LandmarkerError):
    """A training run that cannot start or go on."""


class CalibrationError(LandmarkerError):
    """A confidence, a calibration or a region that cannot be had."""
