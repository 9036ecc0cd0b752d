"""`LinesPage`: the lines that are drawn between landmarks."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_landmarker.gui.schema_draft import LineDraft, SchemaDraft
from napari_landmarker.gui.schema_fields import LandmarkChoice
from napari_landmarker.gui.schema_page import SchemaPage


class LinesPage(SchemaPage[LineDraft]):
    """The lines."""

    def __init__(self, draft: SchemaDraft, parent: QWidget | None = None) -> None:
        super().__init__(
            draft, "line", "No lines are drawn between landmarks: add one.", can_order=False, parent=parent
        )

    def _all(self) -> list[LineDraft]:
        return self.draft.lines

    def _make_fields(self) -> None:
        self.ends = (LandmarkChoice("choose…"), LandmarkChoice("choose…"))
        self.fields.add("From", self.ends[0])
        self.fields.add("To", self.ends[1], "ends")
        for number, end in enumerate(self.ends):
            end.currentIndexChanged.connect(lambda _, number=number: self._chosen(number))

    def _show(self, item: LineDraft) -> None:
        for choice, landmark in zip(self.ends, item.ends, strict=True):
            choice.show_landmarks(self.draft, landmark)

    def _new(self, at: int) -> None:
        """A line goes on where the chosen one ends, as lines along a contour do."""
        end = self.draft.lines[at - 1].ends[1] if at > 0 else None
        self.draft.lines.insert(at, LineDraft([end, None]))

    def _text(self, item: LineDraft) -> str:
        return " – ".join("…" if end is None else end.name for end in item.ends)

    def _first_field(self) -> QWidget:
        return self.ends[0] if self.item is None or self.item.ends[0] is None else self.ends[1]

    def _chosen(self, number: int) -> None:
        if self.item is not None:
            self.item.ends[number] = self.ends[number].landmark
            self._changed()
