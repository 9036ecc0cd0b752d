"""Single frames of a video as PNG images, through PyAV (an optional dependency)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_landmarker.engine.datasets.fetch import Cancel, DownloadCancelled
from napari_landmarker.engine.errors import ImageError, ProjectError
from napari_landmarker.engine.progress import Progress


def write_frames(
    video: Path, frames: Mapping[int, Path], progress: Progress | None = None, cancel: Cancel | None = None
) -> None:
    """Write frames of a video; each file is there only when it is whole.

    Args:
        video: the video file.
        frames: by number, from 1, the PNG file of each frame that is wanted.
        progress: told frames written and frames wanted.
        cancel: asked whether to stop.

    Raises:
        DownloadCancelled: if asked to stop.
        ImageError: if the video is missing or damaged, or has fewer frames.
        ProjectError: if PyAV is not installed or a file cannot be written.
    """
    try:
        import av
    except ImportError as error:
        raise ProjectError(
            f"{video} must be taken apart into images, for which PyAV is not installed: "
            "run 'pip install napari-landmarker[datasets]' and try again."
        ) from error
    if not video.is_file():
        raise ImageError(f"{video} is missing: put it there, or its frames into {next(iter(frames.values())).parent}.")
    left = dict(frames)
    try:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for number, frame in enumerate(container.decode(stream), start=1):
                if cancel is not None and cancel():
                    raise DownloadCancelled(f"Taking {video} apart was stopped: start it again and it goes on.")
                if number in left:
                    _save(frame, left.pop(number))
                    if progress is not None:
                        progress(len(frames) - len(left), len(frames))
                if not left:
                    break
    except (av.FFmpegError, IndexError) as error:
        raise ImageError(
            f"{video} could not be read as a video: it seems damaged; copy or download it again."
        ) from error
    if left:
        raise ImageError(
            f"{video} ends before frame {max(left)}, which has annotations: it seems cut off; copy it again."
        )


def _save(frame: Any, path: Path) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_image().save(part, format="PNG")
        os.replace(part, path)
    except OSError as error:
        raise ProjectError(
            f"{path} could not be written ({error.strerror}): check that its folder is writable and the disk not full."
        ) from error
