"""Anatomical landmarks in 2D and 3D medical images: annotate, train, predict, correct, report."""

__version__ = "0.1.0"
