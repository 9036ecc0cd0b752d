"""The text of tables: how cells are separated, what columns are called, and numbers as spreadsheets write them."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.io.atomic import write_text
from napari_landmarker.engine.io.fields import FARTHEST, read_text

#: Names of the column of images, and (of long tables) of landmarks, the first that is there counts.
IMAGE_COLUMNS = ("image", "filename", "file_name", "file", "image_name", "image_file")
LANDMARK_COLUMNS = ("landmark", "landmark_name", "label", "point", "keypoint", "name")
_TEXT_COLUMNS = {"id", "status", "description", *IMAGE_COLUMNS, *LANDMARK_COLUMNS}

_DELIMITERS = ",;\t"
_EMPTY = ("", "nan", "na", "n/a", "none", "null")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_FORMULA = re.compile(r"'*[=+\-@]")


@dataclass(frozen=True)
class Sheet:
    """A table as text.

    Attributes:
        path: the file.
        header: the names of its columns, trimmed.
        rows: the cells below, trimmed, as many as there are columns at most; rows without text are left out.
        lines: the line in the file at which each row ends.
        decimal_comma: whether ``1,5`` is a number, as cells are not split at commas.
        decimal_point: whether a number in the table has a decimal point, so that ``1,024`` may be more than a thousand.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    decimal_comma: bool
    decimal_point: bool

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the columns in lower case, with ``_`` for all that is no letter or digit."""
        return tuple(key_of(name) for name in self.header)

    def places(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each row, with its place for messages."""
        for line, row in zip(self.lines, self.rows, strict=True):
            yield f"{self.path}, line {line},", row

    def number(self, text: str, column: str, place: str) -> float:
        """A finite number, or NaN for an empty cell; AnnotationError for anything else."""
        if text.lower() in _EMPTY:
            return math.nan
        if "," in text and self.decimal_comma and self.decimal_point:
            raise AnnotationError(
                f"{place} has '{text}' in the column '{column}' while other numbers have a point: write all in one way."
            )
        try:
            value = float(text.replace(",", ".") if self.decimal_comma else text) if "_" not in text else math.inf
        except ValueError:
            value = math.inf
        if not abs(value) <= FARTHEST:
            raise AnnotationError(f"{place} has '{text}' in the column '{column}', which is no number: correct it.")
        return value


def other_columns(header: Iterable[str]) -> tuple[str, ...]:
    """What columns that are not read are called in `ImageAnnotations.unread`."""
    titles = [f"'{title}'" for title in header if title]
    return (f"the column{'s' * (len(titles) != 1)} {', '.join(titles)}",) if titles else ()


def key_of(name: str) -> str:
    """A column's name as it is compared: ``"X (mm)"`` is ``"x_mm"``."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def read_sheet(path: Path, is_known: Callable[[str], bool]) -> Sheet:
    """Read a table, split at commas, semicolons or tabs.

    Args:
        path: the file.
        is_known: whether a column's name is one that is looked for; the delimiter that gives most of them, and then
            most columns, is the table's.

    Raises:
        AnnotationError: if the file cannot be read, is empty, is no table or has a row with too many cells.
    """
    text = read_text(path, "a CSV table", "save it again as UTF-8 text (in Excel, as CSV UTF-8)")
    if not text.strip():
        raise AnnotationError(f"{path} is empty: it needs a first line with the names of its columns.")
    stated = re.match(r"sep=([,;\t])\r?\n", text)  # a line for Excel
    skipped = 0 if stated is None else 1
    body = text if stated is None else text[stated.end() :]

    def worth(delimiter: str) -> tuple[int, int]:
        header = _header(body, delimiter)
        return sum(map(is_known, header)), len(header)

    delimiter = max(_DELIMITERS, key=worth) if stated is None else stated[1]
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            row = tuple(cell.strip() for cell in cells)
            if any(row):
                rows.append(row)
                lines.append(reader.line_num + skipped)
    except csv.Error as error:
        line = reader.line_num + skipped
        raise AnnotationError(f"{path}, line {line}, is not valid CSV: save the table as CSV again.") from error
    if not rows:
        raise AnnotationError(f"{path} is empty: it needs a first line with the names of its columns.")
    header = rows[0]
    for line, row in zip(lines, rows, strict=True):
        if any(row[len(header) :]):
            raise AnnotationError(f"{path}, line {line}, has more cells than columns: check its commas.")
    below = tuple(row[: len(header)] for row in rows[1:])
    numeric = [at for at, name in enumerate(header) if is_known(name) and key_of(name) not in _TEXT_COLUMNS]
    points = any(_DECIMAL.fullmatch(row[at]) for row in below for at in numeric if at < len(row))
    return Sheet(path, header, below, tuple(lines[1:]), delimiter != ",", points)


def write_sheet(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table split at commas (tabs in a ``.tsv``), atomically; ProjectError if it cannot be written."""
    text = io.StringIO()
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def safe_text(text: str) -> str:
    """Text that no spreadsheet takes for a formula: with an apostrophe before ``=``, ``+``, ``-`` or ``@``.

    Names come from files of others, and a spreadsheet would run ``=HYPERLINK(...)`` when the table is opened.
    `plain_text` takes the apostrophe away again, so that every name survives.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def plain_text(cell: str) -> str:
    """The text that `safe_text` made a cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def number_text(value: float) -> str:
    """The shortest text that reads back as the same number; empty for NaN."""
    return "" if math.isnan(value) else repr(float(value) + 0.0)


def _header(text: str, delimiter: str) -> list[str]:
    """The first line that is not blank, split at a delimiter; empty where it cannot be split."""
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in cells):
                return [cell.strip() for cell in cells]
    except csv.Error:
        return []
    return []
