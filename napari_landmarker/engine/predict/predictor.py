"""From an image to landmarks with scores, covariances and heatmaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.bundle import ModelInfo, load_network, read_info
from napari_landmarker.engine.predict.ensemble import common_info, fingerprint_of, member_folders
from napari_landmarker.engine.predict.memory import enough_memory
from napari_landmarker.engine.predict.prediction import Prediction

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.calibration_file import StoredCalibration
    from napari_landmarker.engine.predict.member import Look, Member
    from napari_landmarker.engine.uncertainty import Calibration

#: More views than this do not change the answer, but take their time.
MOST_VIEWS = 64


class Predictor:
    """One or more loaded models, whose answers are averaged. Make one with `load`.

    Args:
        members: at least one, alike in what they answer.
        info: of all together; what the members are together by default. Landmarks that no member knows are left out.
        views: see `load`.
        flips: see `load`.
        window: see `load`.
        fingerprint: of the weights and what they mean.
        folder: of the model; None for several that are no ensemble.

    Attributes:
        info: what the models are together.
        views: see `load`; may be set.
        flips: see `load`; may be set.
        window: see `load`; may be set.
    """

    def __init__(
        self,
        members: Sequence[Member],
        info: ModelInfo | None = None,
        *,
        views: int = 1,
        flips: bool = False,
        window: bool | None = None,
        fingerprint: str = "",
        folder: Path | None = None,
    ) -> None:
        from napari_landmarker.engine.predict.member import require_alike

        self.members = tuple(members)
        require_alike(self.members)
        infos = [member.info for member in self.members]
        self.info = _of_known(info or common_info(infos, infos[0].name), infos)
        self.views, self.flips, self.window = _checked(views), flips, window
        self.fingerprint, self.folder = fingerprint, folder

    @classmethod
    def load(
        cls,
        folder: Path | str | Sequence[Path | str],
        device: str = "auto",
        *,
        views: int = 1,
        flips: bool = False,
        window: bool | None = None,
    ) -> Predictor:
        """Load a model folder, or several whose answers are averaged.

        Heatmaps are averaged in image space, points that come without maps are averaged themselves. A landmark that
        not all models know is found by those that do.

        Args:
            folder: the folder of a model or of an ensemble, or several.
            device: a torch device, or ``"auto"`` for a GPU where there is one.
            views: how many slightly turned, zoomed and shifted views of an image are averaged (test-time augmentation);
                1 for the image alone.
            flips: whether every view is also seen mirrored, left and right exchanged.
            window: whether images are seen through windows; None for those that are too large to be seen as a whole.
                Networks that answer with points see every image as a whole.

        Raises:
            ModelError: if a folder is no model, its weights are damaged, the models cannot be averaged, there is no
                such device, or images are to be mirrored by models without left-right pairs.
        """
        from napari_landmarker.engine.predict.member import Member

        folders = [Path(folder)] if isinstance(folder, (str, Path)) else [Path(one) for one in folder]
        if not folders:
            raise ModelError("No model was named: choose a model folder.")
        device = _device(device)
        infos = [read_info(one) for one in folders]
        members = []
        for own in (member for one in folders for member in member_folders(one)):
            info = read_info(own)
            members.append(Member(info, load_network(own, info), device))
        # heatmaps are averaged on the finest grid, whatever the order in which models were named
        members.sort(key=lambda member: (member.pixel, member.info.name))
        known = [*infos, *(member.info for member in members)]
        name = " + ".join(info.name for info in infos)
        mark = fingerprint_of(folders)
        made = cls(
            members,
            common_info(known, name),
            views=views,
            flips=flips,
            window=window,
            fingerprint=mark,
            folder=folders[0] if len(folders) == 1 else None,
        )
        if flips:
            made.require_pairs()
        return made

    @property
    def device(self) -> str:
        """The torch device of the models."""
        return self.members[0].device

    @property
    def stored_calibration(self) -> StoredCalibration:
        """The calibration in the model's folder that holds for these `views` and `flips`, or why there is none."""
        from napari_landmarker.engine.predict.calibration_file import StoredCalibration, stored_calibration

        if self.folder is None:
            return StoredCalibration(
                reason="Models that are named together promise no regions: name one, or a calibrated ensemble."
            )
        return stored_calibration(self.folder, views=self.views, flips=self.flips, fingerprint=self.fingerprint)

    @property
    def calibration(self) -> Calibration | None:
        """How far points may be from the true ones; None where nothing is promised (see `stored_calibration`)."""
        return self.stored_calibration.calibration

    def require_pairs(self) -> None:
        """Make sure that a mirrored image can be understood.

        Raises:
            ModelError: if no left-right pairs of landmarks are known, or one is not complete.
        """
        from napari_landmarker.engine.errors import GeometryError
        from napari_landmarker.engine.transforms.flip import mirror_swaps

        try:
            for member in self.members:
                mirror_swaps(member.info.names, self.info.landmarks.pairs)
        except GeometryError as error:
            raise ModelError(str(error)) from error
        if not self.info.landmarks.pairs:
            raise ModelError(
                f"The model '{self.info.name}' knows no left-right pairs of landmarks: predict without mirrored views."
            )

    def predict(self, image: Image, *, views: int | None = None, check: Callable[[], None] | None = None) -> Prediction:
        """Find the landmarks of one image.

        A point that is found up to a pixel of the network beyond the image is moved to its border; one that is farther
        out, in what was added to fill the network's frame, leaves its landmark unplaced.

        Args:
            image: the image.
            views: how many views of it are averaged, if not as many as `load` was told.
            check: called again and again, before every window, look and stage; may raise to end the work.

        Raises:
            ModelError: if the image does not fit the model: other dimensions, no spacing where one is needed, or too
                little memory.
        """
        import torch

        from napari_landmarker.engine.predict import bells, second_stage, seen
        from napari_landmarker.engine.predict.member import go_on

        count, instances = len(self.info.names), self.info.landmarks.instances
        with enough_memory(), torch.inference_mode():
            looks = self._looks(image, self.views if views is None else _checked(views), check or go_on)
            if self.members[0].kind[0] == "points":
                found = seen.see_points(looks, count)
                heat, to_heat = bells.bells(found, looks[0].to_frame)
            else:
                large = any(self._through_windows(look) for look in looks)
                see = seen.see_windows if large else seen.see_maps
                result = see(looks, count, instances)
                if self.members[0].kind[0] == "cascade":
                    result = second_stage.refine(looks, result, count)
                found, heat, to_heat = result.found, result.heat, result.to_heat
            landmarks = found.landmarks(self.info.names, image.grid, looks[0].pixel_px)
            return Prediction(landmarks, seen.as_shown(heat), to_heat)

    def landmarks(
        self, image: Image, source: object, *, views: int | None = None, check: Callable[[], None] | None = None
    ) -> LandmarkSet:
        """The landmarks of one image; raises as `predict_source`."""
        return self.predict_source(image, source, views=views, check=check).landmarks

    def predict_source(
        self, image: Image, source: object, *, views: int | None = None, check: Callable[[], None] | None = None
    ) -> Prediction:
        """What `predict` says of one image; raises as it, with a message that names ``source``."""
        try:
            return self.predict(image, views=views, check=check)
        except ModelError as error:
            raise ModelError(f"{source}: {error}") from error

    def _looks(self, image: Image, views: int, check: Callable[[], None]) -> list[Look]:
        """All looks of all members at an image; the first is at the image as it is."""
        from napari_landmarker.engine.predict.member import Look, Picture
        from napari_landmarker.engine.predict.views import mirrored, view_of
        from napari_landmarker.engine.transforms.flip import mirror_swaps

        if self.flips:
            self.require_pairs()
        picture, looks = Picture(image), []
        row_of = {name: row for row, name in enumerate(self.info.names)}
        for member in self.members:
            info, plain = member.info, member.info.frame.map_for(image.grid)
            rows = [row_of[name] for name in info.names]
            other_side = list(rows)
            for one, two in mirror_swaps(info.names, self.info.landmarks.pairs) if self.flips else ():
                other_side[one], other_side[two] = rows[two], rows[one]
            step = float(member.network.stride)
            for number in range(views):
                view = view_of(plain, number, info.config.augmentation, member.network.multiple, step)
                looks.append(Look(member, picture, view, tuple(rows), check))
                if self.flips:
                    looks.append(Look(member, picture, mirrored(view), tuple(other_side), check))
        return looks

    def _through_windows(self, look: Look) -> bool:
        from napari_landmarker.engine.predict.windows import needs_windows

        if self.window is not None:
            return self.window
        member = look.member
        return needs_windows(look.to_frame.target_shape, member.info.frame.shape, member.network.stride)


def _of_known(info: ModelInfo, members: Sequence[ModelInfo]) -> ModelInfo:
    """What members are together, without landmarks that none of them knows."""
    known = {name for member in members for name in member.names}
    names = [name for name in info.names if name in known]
    if len(names) == len(info.names):
        return info
    return info.model_copy(update={"landmarks": info.landmarks.reduced(names)})


def _checked(views: int) -> int:
    if not 1 <= views <= MOST_VIEWS:
        raise ModelError(f"There cannot be {views} views of an image: give 1 to {MOST_VIEWS}.")
    return views


def _device(name: str) -> str:
    """A torch device that is there."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        raise ModelError(f"There is no device '{name}' here: use cpu, cuda, or auto.") from error
    return name
