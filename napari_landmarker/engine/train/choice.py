"""Which cases a run learns from, which it is judged on, and which landmarks it can learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.project import Case, Project, Split, draw_splits

#: Fewer training cases than this are all learnt from.
ENOUGH_TO_HOLD_OUT = 5


@dataclass(frozen=True)
class Choice:
    """The cases of a run.

    Attributes:
        train: learnt from.
        validation: judged on; none of `train`.
        names: landmarks that a training case shows, in the schema's order.
        present: which of them each training case shows, ``(N, L)``.
    """

    train: tuple[Case, ...]
    validation: tuple[Case, ...]
    names: tuple[str, ...]
    present: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, project: Project, train: Sequence[Case], validation: Sequence[Case]) -> Choice:
        """The choice of these cases."""
        truths = [project.annotations(case.id).truth() for case in train]
        names = project.schema.names
        placed = np.array([truth.reordered(names).placed for truth in truths])
        placed = np.asarray(placed.reshape(len(truths), len(names), -1).any(axis=-1))
        seen: npt.NDArray[np.bool_] = np.atleast_1d(placed.any(axis=0))
        chosen = tuple(name for name, has in zip(names, seen, strict=True) if has)
        return cls(tuple(train), tuple(validation), chosen, placed[:, seen])


def choose_cases(project: Project) -> tuple[list[Case], list[Case]]:
    """Which cases a run learns from and which it is judged on; these never overlap.

    Without annotated validation cases, some training cases are held out for it. Those of the calibration and the test
    split are left alone.

    Raises:
        TrainingError: if no training case is annotated.
    """
    train = list(project.annotated_cases(Split.TRAIN))
    validation = list(project.annotated_cases(Split.VALIDATION))
    if not train:
        raise TrainingError(
            f"No case in the train split of {project.root.name} has a landmark placed by a person: annotate some first."
        )
    if not validation and len(train) >= ENOUGH_TO_HOLD_OUT:
        held_out = draw_splits([case.id for case in train], (0.85, 0.15, 0.0, 0.0))
        validation = [case for case in train if held_out[case.id] is Split.VALIDATION]
        train = [case for case in train if held_out[case.id] is Split.TRAIN]
    return train, validation


def choose_folds(project: Project, count: int, seed: int = 0) -> list[tuple[list[Case], list[Case]]]:
    """The cases of every fold of a cross-validation: learnt from, and held out.

    All annotated cases of the train and the validation split are held out once; those of the calibration and the test
    split are left alone.

    Args:
        project: the project.
        count: number of folds.
        seed: of the order in which cases are dealt.

    Raises:
        TrainingError: for fewer than 2 folds, or fewer annotated cases than folds.
    """
    cases = [*project.annotated_cases(Split.TRAIN), *project.annotated_cases(Split.VALIDATION)]
    if count < 2:
        raise TrainingError(f"A cross-validation needs at least 2 folds, not {count}.")
    if len(cases) < count:
        raise TrainingError(
            f"{count} folds need as many annotated cases in the train and validation splits, and there are "
            f"{len(cases)}: annotate more, or choose fewer folds."
        )
    order = np.random.default_rng(seed).permutation(len(cases))
    fold_of = np.empty(len(cases), dtype=int)
    fold_of[order] = np.arange(len(cases)) % count
    return [
        (
            [case for case, own in zip(cases, fold_of, strict=True) if own != fold],
            [case for case, own in zip(cases, fold_of, strict=True) if own == fold],
        )
        for fold in range(count)
    ]
