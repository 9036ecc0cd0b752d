"""Files as they are dropped on napari, and opening and saving them in a viewer without a window."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer, Points

from napari_landmarker.gui.writers import write_points

#: In LPS mm; the volumes of `images_3d` have their voxel (k, j, i) at RAS (-20 + 0.8 i, -30 + 0.8 j, 11 + 5 k).
WORLD = {"apex": (4.0, -10.0, 26.0), "base": (-12.8, 6.8, 41.0)}
FCSV = (
    "# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
    "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    "a,4,-10,26,0,0,0,1,1,1,0,apex,of the heart,\nb,-12.8,6.8,41,0,0,0,1,1,1,1,base,,\n"
)


def opened(model: ViewerModel, path: Path) -> list[Layer]:
    return model.open(str(path), plugin="napari-landmarker")


def save(layer: Points, path: Path) -> list[str]:
    data, attributes, _ = layer.as_layer_data_tuple()
    return write_points(str(path), data, attributes)


def in_viewer(layer: Points) -> np.ndarray:
    return np.array([layer.data_to_world(point) for point in layer.data])


def labelme(path: Path, shapes: dict[str, tuple[float, float]], image: str, size: tuple[int, int], **more) -> Path:
    points = [{"label": name, "points": [list(xy)], "shape_type": "point", **more} for name, xy in shapes.items()]
    content = {"shapes": points, "imagePath": image, "imageHeight": size[0], "imageWidth": size[1]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
