"""Schedulers of what a network is trained to predict."""

from napari_landmarker.engine.schedulers.adaloss import AdalossScheduler

__all__ = ["AdalossScheduler"]
