"""`Work`: what one rater has under way in the open project."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from napari_landmarker.engine.project import Project
from napari_landmarker.state.history import History
from napari_landmarker.state.store import AnnotationStore


class Work:
    """Annotations, history and hidden predictions of one rater.

    Attributes:
        store: the annotations.
        history: what can be undone.
        hidden: by case, the landmarks whose prediction the rater took away.
    """

    def __init__(self, project: Project, rater: str) -> None:
        self.store = AnnotationStore(project, rater)
        self.history = History()
        self.hidden: dict[str, frozenset[str]] = {}

    def follow_names(self, renamed: Mapping[str, str], gone: Collection[str]) -> None:
        """Keep predictions hidden whose landmarks have other names now; those of landmarks that go are forgotten."""
        for case_id, names in self.hidden.items():
            self.hidden[case_id] = frozenset(renamed.get(name, name) for name in names.difference(gone))

    def forget_edits(self) -> None:
        """Let nothing be undone any more: landmarks or images are other ones."""
        self.history.clear()
        self.hidden.clear()
