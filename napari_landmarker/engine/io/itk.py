"""Pixels of PNG and TIFF files through SimpleITK, where other libraries would round 16-bit colours to 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def itk_pixels(path: Path) -> npt.NDArray[Any] | None:
    """The pixels ``(*space, C)`` as ITK reads them, or None where it cannot read them."""
    import SimpleITK

    itk: Any = SimpleITK  # its functions carry no types
    reader = itk.ImageFileReader()
    reader.SetFileName(str(path))
    before = itk.ProcessObject.GetGlobalWarningDisplay()
    itk.ProcessObject.SetGlobalWarningDisplay(False)  # they would go to the terminal
    try:
        image = reader.Execute()
    except RuntimeError:
        return None
    finally:
        itk.ProcessObject.SetGlobalWarningDisplay(before)
    return np.array(itk.GetArrayViewFromImage(image))
