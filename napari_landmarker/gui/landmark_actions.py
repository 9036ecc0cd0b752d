"""`LandmarkActions`: what the keys and buttons of the window do to landmarks, images and the view."""

from __future__ import annotations

from collections.abc import Callable

from napari.viewer import Viewer
from psygnal import Signal

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.measure_layer import MeasureLayer
from napari_landmarker.gui.messages import reported, tell, tell_warning
from napari_landmarker.gui.ruler import Ruler
from napari_landmarker.gui.view_tools import ViewTools
from napari_landmarker.state.modes import LabelMode
from napari_landmarker.state.session import Session

#: How near to a point the mouse must be for keys and buttons to mean it, in screen pixels.
GRAB_PX = 10.0
_WAITING = (LandmarkStatus.PREDICTED, LandmarkStatus.EDITED)


class LandmarkActions:
    """Every action of the table of keys, by its name.

    A key for a landmark means the point under the mouse where it can do something there, else the current landmark;
    a button means the current landmark.

    Signals:
        help_wanted: the list of keys is to be shown, or closed.

    Attributes:
        view: contrast, zoom and sizes.
        tape: the ruler.
        measures: the measurements that are drawn on the image.
    """

    help_wanted = Signal()

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers) -> None:
        self.viewer = viewer
        self.session = session
        self.layers = layers
        self.view = ViewTools(viewer, session, layers)
        self.tape = Ruler(viewer, session, layers)
        self.measures = MeasureLayer(viewer, session, layers)

    def do(self, action: str) -> None:
        """Do what a key says; what goes wrong is told in a notification."""
        with reported():
            getattr(self, action)()

    def close(self) -> None:
        """Leave the viewer as it was."""
        self.measures.close()
        self.tape.close()
        self.view.close()

    # ---- going round

    def next_landmark(self) -> None:
        """Choose the next landmark of the list and show it."""
        self._step(+1)

    def previous_landmark(self) -> None:
        """Choose the landmark before and show it."""
        self._step(-1)

    def next_image(self) -> None:
        """Open the next image."""
        self.session.next_case()

    def previous_image(self) -> None:
        """Open the image before."""
        self.session.previous_case()

    def next_mode(self) -> None:
        """Let a click do something else."""
        modes = list(LabelMode)
        mode = modes[(modes.index(self.session.mode) + 1) % len(modes)]
        self.session.set_mode(mode)
        tell(f"{mode.label}: {mode.help[0].lower()}{mode.help[1:]}")

    # ---- landmarks

    def confirm(self) -> None:
        """Agree with what a model placed, and show the next landmark that waits for an answer."""
        name = self._meant(lambda name: self._status(name) in _WAITING)
        if name is not None:
            self.confirm_landmark(name)

    def confirm_landmark(self, name: str) -> None:
        """As `confirm`, for a landmark by its name."""
        self.session.confirm(name)
        if self.session.current is not None:
            self.layers.bring_into_view(self.session.current)

    def accept_all(self) -> None:
        """Agree with all predictions in this image."""
        self.session.accept_all()

    def absent(self) -> None:
        """Say that a landmark cannot be seen in this image, or that it can."""
        name = self._meant(lambda name: self._status(name) == LandmarkStatus.PREDICTED)
        if name is not None:
            self.toggle_absent(name)

    def toggle_absent(self, name: str) -> None:
        """As `absent`, for a landmark by its name."""
        if self._status(name) == LandmarkStatus.ABSENT:
            self.session.restore(name)
        else:
            self.session.mark_absent(name)

    def reset(self) -> None:
        """Show the model's prediction again."""
        name = self._meant(self.session.can_reset)
        if name is not None and self.session.can_reset(name):
            self.session.reset(name)

    def remove(self) -> None:
        """Take a landmark away."""
        name = self._meant(lambda _: True)
        if name is not None:
            self.session.remove(name)

    def lock(self) -> None:
        """Keep a landmark from being changed, or no longer."""
        name = self._meant(lambda name: self._status(name) != LandmarkStatus.PREDICTED)
        if name is not None:
            self.session.set_locked(name, not self.session.locked(name))

    def lock_all(self) -> None:
        """Lock all landmarks that are done; unlock them if they all are locked."""
        done = [name for name in self.session.names if self._status(name).by_person]
        if not done:
            tell_warning("No landmark of this image is done yet, so there is nothing to lock.")
        else:
            self.session.lock_all(not all(self.session.locked(name) for name in done))

    def undo(self) -> None:
        """Take the last change back."""
        self.session.undo()

    def redo(self) -> None:
        """Do again what was taken back."""
        self.session.redo()

    def redo_or_turn(self) -> None:
        """Do again what was taken back; where nothing was, switch between slices and the 3D view, as napari does."""
        if self.session.can_redo:
            self.redo()
        else:
            self.viewer.dims.ndisplay = 2 if self.viewer.dims.ndisplay == 3 else 3

    def copy(self) -> None:
        """Remember where the landmarks of this image are."""
        count = self.session.copy()
        if count:
            tell(f"{count} landmark{'s' if count > 1 else ''} copied: paste them in another image with Ctrl+V.")

    def paste(self) -> None:
        """Put the copied landmarks where this image has none."""
        if not self.session.can_paste:
            tell_warning("Nothing was copied: copy the landmarks of an image with Ctrl+C first.")
        else:
            self.session.paste()

    # ---- view

    def zoom(self) -> None:
        """Look at the current landmark from near, or as before."""
        self.view.toggle_zoom()

    def magnifier(self) -> None:
        """Show the pixels under the mouse enlarged, or no longer."""
        self.view.set_magnifier(not self.view.magnifier)

    def more_contrast(self) -> None:
        """Fewer greys between black and white."""
        self.view.change_contrast(0.8, 0.0)

    def less_contrast(self) -> None:
        """More greys between black and white."""
        self.view.change_contrast(1.25, 0.0)

    def brighter(self) -> None:
        """A brighter image."""
        self.view.change_contrast(1.0, -0.1)

    def darker(self) -> None:
        """A darker image."""
        self.view.change_contrast(1.0, 0.1)

    def reset_contrast(self) -> None:
        """The contrast that the image's file asks for."""
        self.view.reset_contrast()

    def larger_points(self) -> None:
        """Larger points on the screen."""
        self.layers.set_size(self.layers.size_px * 1.25)

    def smaller_points(self) -> None:
        """Smaller points on the screen."""
        self.layers.set_size(self.layers.size_px / 1.25)

    def names(self) -> None:
        """Write names beside the points, or not."""
        self.layers.show_names(not self.layers.names_visible)

    def measurements(self) -> None:
        """Draw the measurements on the image, or no longer."""
        if self.session.project is not None and not self.session.project.schema.measurements:
            tell_warning("Nothing is measured in this project yet: say what on the page Measure.")
        else:
            self.measures.toggle()

    def three_views(self) -> None:
        """Show three slices at right angles, or no longer."""
        image = self.session.image
        if image is not None and image.grid.ndim < 3 and not self.view.three_views:
            tell_warning("Three views are for volumes: this image has one slice.")
        else:
            self.view.set_three_views(not self.view.three_views)

    def ruler(self) -> None:
        """Take the ruler, or put it away."""
        self.tape.toggle()

    def no_ruler(self) -> None:
        """Put the ruler away."""
        self.tape.stop()

    def help(self) -> None:
        """Show the list of keys, or close it."""
        self.help_wanted.emit()

    # ---- inside

    def _status(self, name: str) -> LandmarkStatus:
        shown = self.session.shown
        return LandmarkStatus.UNPLACED if shown is None else shown.status_of(name)

    def _meant(self, fits: Callable[[str], bool]) -> str | None:
        """The landmark under the mouse if it fits, else the current one."""
        under = self.layers.name_under_mouse(GRAB_PX)
        return under if under is not None and fits(under) else self.session.current

    def _step(self, step: int) -> None:
        names, current = self.session.names, self.session.current
        if not names or self.session.shown is None:
            return
        at = names.index(current) + step if current in names else (0 if step > 0 else len(names) - 1)
        name = names[at % len(names)]
        self.session.set_current(name)
        self.layers.bring_into_view(name)
