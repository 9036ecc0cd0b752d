"""Tables that are written beside predictions, and go on where an earlier run ended."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from pathlib import Path

from napari_landmarker.engine.io.table_text import plain_text, write_sheet


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], kept: Collection[str]) -> None:
    """Write a table of which the first column is an image; of one that is there, the rows of some images stay.

    A table without rows is removed.

    Args:
        path: the file.
        header: names of the columns.
        rows: those that are new.
        kept: the images of which the rows that are there stay.

    Raises:
        ProjectError: if the file cannot be written.
    """
    all_rows = [*_rows_of(path, kept), *rows]
    if all_rows:
        write_sheet(path, header, all_rows)
    else:
        path.unlink(missing_ok=True)


def _rows_of(path: Path, images: Collection[str]) -> list[list[str]]:
    """The rows of some images in a table that is there; none of one that is damaged, as it is only a by-product."""
    if not images or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.reader(file))[1:]
    return [row for row in rows if row and plain_text(row[0]) in images]
