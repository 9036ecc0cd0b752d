"""Training: configuration and presets, the network's frame, the Lightning module, events, and `train_project`.

Importing this package is quick; torch and Lightning are loaded by `napari_landmarker.engine.train.fit`.
"""

from napari_landmarker.engine.train.config import PRESETS, Preset, TrainConfig

__all__ = ["PRESETS", "Preset", "TrainConfig"]
