"""Training: configuration and presets, the network's frame, the Lightning module, events, and `train_project`.

Importing this package is quick; torch and Lightning are loaded by `napari_landmarker.engine.train.run`.
"""

from napari_landmarker.engine.train.config import TrainConfig

__all__ = ["TrainConfig"]
