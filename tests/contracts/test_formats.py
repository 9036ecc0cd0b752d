"""The table of formats in the user guide says what the formats themselves say."""

import re

import pytest

from napari_landmarker.engine.io import ANNOTATION_FORMATS

COLUMNS = {
    "Dimensions": lambda can: ", ".join(f"{n}D" for n in can.dimensions),
    "Units": lambda can: ", ".join(can.coordinates),
    "Many images": lambda can: can.several_images,
    "Names": lambda can: can.names,
    "Not placed": lambda can: can.unplaced,
    "Absent": lambda can: can.absent,
    "Status": lambda can: can.status,
    "Score": lambda can: can.score,
    "Covariance": lambda can: can.covariance,
    "Several points": lambda can: can.instances,
    "Description": lambda can: can.description,
    "Lock": lambda can: can.locked,
    "States the image size": lambda can: can.states_size,
    "Needs the image size": lambda can: can.image_size,
}


def cell(value: object) -> str:
    return value if isinstance(value, str) else "yes" if value else "-"


def table() -> list[list[str]]:
    rows = [["Format", *COLUMNS]]
    for key, fmt in ANNOTATION_FORMATS.items():
        rows.append([f"`{key}`", *(cell(column(fmt.capabilities)) for column in COLUMNS.values())])
    return rows


@pytest.fixture
def guide(repository):
    return (repository / "docs" / "formats.md").read_text(encoding="utf-8")


def tables(text: str) -> list[list[list[str]]]:
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    return [[[c.strip() for c in line.strip("|").split("|")] for line in part.splitlines()] for part in found]


def test_what_each_format_can_carry(guide):
    shown = tables(guide)[1]
    assert [shown[0], *shown[2:]] == table()


def test_every_format_and_its_endings(guide):
    shown = {row[0].strip("`"): re.findall(r"`([^`]+)`", row[1]) for row in tables(guide)[0][2:]}
    assert list(shown) == list(ANNOTATION_FORMATS)
    for key, suffixes in shown.items():
        assert set(suffixes) <= set(ANNOTATION_FORMATS[key].suffixes)
        assert suffixes[0] == ANNOTATION_FORMATS[key].suffixes[0]


def test_the_examples_use_options_that_are_there(guide):
    import typer
    from typer.main import get_command

    from napari_landmarker.cli.convert import convert

    app = typer.Typer()
    app.command()(convert)
    options = {option for param in get_command(app).params for option in param.opts}
    used = {
        option
        for line in re.findall(r"`napari-landmarker convert [^`]*`", guide)
        for option in re.findall(r"--[a-z]+", line)
    }
    assert used <= options
    assert {"--to", "--image", "--images", "--names"} <= used
