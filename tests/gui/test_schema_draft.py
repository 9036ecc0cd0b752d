"""A draft of landmarks: what changes with what, what is wrong with it, and what it comes to; no window needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.measurement_sets import CEPHALOMETRIC
from napari_landmarker.engine.schema import LandmarkSchema, Measurement
from napari_landmarker.gui.schema_draft import LandmarkDraft, LineDraft, MeasurementDraft, SchemaDraft
from napari_landmarker.gui.schema_problems import problems
from napari_landmarker.gui.schema_saving import drop_pictures, loss, take_pictures

SCHEMA = LandmarkSchema.parse(
    {
        "landmarks": [{"name": name, "group": "face"} for name in ("eye left", "eye right", "nose", "chin")],
        "pairs": [("eye right", "eye left")],
        "edges": [("nose", "chin"), ("eye left", "eye right")],
        "measurements": [
            {"name": "height", "kind": "distance", "landmarks": ("nose", "chin"), "norm": 40.5, "deviation": 3},
            {"name": "slope", "kind": "angle", "landmarks": ("eye left", "nose", "chin"), "source": "a book"},
        ],
    }
)


@pytest.fixture
def draft() -> SchemaDraft:
    return SchemaDraft.of(SCHEMA)


def said(draft: SchemaDraft) -> list[tuple[str, str]]:
    return [(problem.field, problem.sentence) for problem in problems(draft)]


def test_an_untouched_draft_is_the_schema(draft: SchemaDraft) -> None:
    assert draft.schema() == SCHEMA
    assert (draft.renamed, draft.removed, problems(draft)) == ({}, (), [])


def test_a_renamed_landmark_takes_its_pair_lines_and_measurements_along(draft: SchemaDraft) -> None:
    draft.landmarks[2].name = " tip of the nose "
    new = draft.schema()
    assert new.edges[0] == ("tip of the nose", "chin")
    assert new.measurements[0].landmarks == ("tip of the nose", "chin")
    assert new.pairs == SCHEMA.pairs
    assert draft.renamed == {"nose": "tip of the nose"}
    assert draft.removed == ()


def test_a_removed_landmark_takes_what_needs_it_along(draft: SchemaDraft) -> None:
    assert draft.remove_landmark(draft.landmarks[0]) == (1, ["slope"])
    new = draft.schema()
    assert new.names == ("eye right", "nose", "chin")
    assert (new.pairs, new.edges, [m.name for m in new.measurements]) == ((), (("nose", "chin"),), ["height"])
    assert draft.removed == ("eye left",)


def test_two_landmarks_may_change_names(draft: SchemaDraft) -> None:
    draft.landmarks[0].name, draft.landmarks[1].name = "eye right", "eye left"
    assert draft.renamed == {"eye left": "eye right", "eye right": "eye left"}
    assert problems(draft) == []


def test_another_landmark_may_take_the_name_of_one_removed_just_now(draft: SchemaDraft) -> None:
    draft.remove_landmark(draft.landmarks[3])
    was = draft.landmarks[2].name
    draft.landmarks[2].name = "chin"
    assert (draft.removed, draft.renamed, problems(draft)) == (("chin",), {was: "chin"}, [])


def test_a_new_landmark_with_the_name_of_a_removed_one_keeps_its_points(draft: SchemaDraft) -> None:
    draft.remove_landmark(draft.landmarks[3])
    draft.add_landmark(3).name = "chin"
    assert (draft.removed, draft.renamed, problems(draft)) == ((), {}, [])


def test_a_new_landmark_has_a_name_and_a_colour_of_its_own(draft: SchemaDraft) -> None:
    first, second = draft.add_landmark(1), draft.add_landmark(2)
    assert (first.name, second.name) == ("landmark 5", "landmark 6")
    assert len({landmark.color for landmark in draft.landmarks}) == 6
    assert draft.schema().names == ("eye left", "landmark 5", "landmark 6", "eye right", "nose", "chin")


def test_a_landmark_is_in_one_pair_at_most(draft: SchemaDraft) -> None:
    left, right, nose, _ = draft.landmarks
    draft.pair(left, nose)
    assert (left.partner, nose.partner, right.partner) == (nose, left, None)
    assert draft.schema().pairs == (("eye left", "nose"),)
    draft.pair(nose, None)
    assert draft.schema().pairs == ()


@pytest.mark.parametrize(
    ("left", "right"),
    [("eye left", "eye right"), ("LeftEar", "RightEar"), ("ear_L", "ear_R"), ("l-hip", "r-hip"), ("hip l", "hip r")],
)
def test_left_and_right_are_paired_by_name(left: str, right: str) -> None:
    draft = SchemaDraft.of(LandmarkSchema.from_names([left, "nose", right, "all"]))
    assert draft.pair_by_name() == 1
    assert draft.schema().pairs == ((left, right),)
    assert draft.pair_by_name() == 0


def test_ready_made_measurements_are_added_once(draft: SchemaDraft) -> None:
    ready = Measurement(name="width", kind="distance", landmarks=("eye left", "eye right"), norm=62.5)
    assert draft.add_measurements((ready, *CEPHALOMETRIC)) == 1
    assert draft.add_measurements((ready,)) == 0
    assert draft.schema().measurements[-1] == ready


# ---- mistakes


@pytest.mark.parametrize(
    ("name", "words"), [("  ", "needs a name"), (" chin", "Another landmark is called “chin” too")]
)
def test_a_wrong_name_is_said(draft: SchemaDraft, name: str, words: str) -> None:
    draft.landmarks[2].name = name
    assert all(field == "name" and words in sentence for field, sentence in said(draft))
    assert problems(draft)[0].item in draft.landmarks


def test_no_landmark_at_all_is_said() -> None:
    assert said(SchemaDraft()) == [("name", "A project needs at least one landmark: add one.")]


def test_a_picture_that_is_none_is_said(draft: SchemaDraft, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    draft.landmarks[0].picture = tmp_path / "notes.png"
    assert said(draft) == [("example", "“notes.png” is no picture that can be shown: choose a PNG or JPEG.")]


def test_wrong_lines_are_said(draft: SchemaDraft) -> None:
    nose, chin = draft.landmarks[2:]
    draft.lines += [LineDraft([nose, None]), LineDraft([nose, nose]), LineDraft([chin, nose])]
    assert [sentence.split(":")[0] for _, sentence in said(draft)] == [
        "A line needs two landmarks",
        "A line needs two different landmarks",
        "This line is in the list already",
    ]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": ""}, "name", "needs a name"),
        ({"name": "slope"}, "name", "Another measurement is called “slope” too"),
        ({"landmarks": [None, None]}, "landmarks", "Choose a landmark"),
        ({"norm": "forty"}, "norm", "must be a number"),
        ({"norm": "inf"}, "norm", "must be a number"),
        ({"norm": ""}, "norm", "needs a norm"),
        ({"deviation": "0"}, "deviation", "above 0"),
        ({"deviation": "wide"}, "deviation", "above 0"),
    ],
)
def test_a_wrong_measurement_is_said(draft: SchemaDraft, change: dict[str, object], field: str, words: str) -> None:
    measurement = draft.measurements[0]
    for key, value in change.items():
        setattr(measurement, key, value)
    found = [problem for problem in problems(draft) if problem.item is measurement]
    assert [problem.field for problem in found] == [field]
    assert words in found[0].sentence


def test_the_same_landmark_twice_is_said(draft: SchemaDraft) -> None:
    chin = draft.landmarks[3]
    draft.measurements.append(MeasurementDraft("new", "distance_to_line", [draft.landmarks[0], chin, chin]))
    ((field, sentence),) = said(draft)
    assert field == "landmarks"
    assert "stands twice" in sentence


def test_numbers_may_have_a_comma(draft: SchemaDraft) -> None:
    draft.measurements[0].norm, draft.measurements[0].deviation = "−1,5", "0,25"
    assert problems(draft) == []
    assert (draft.schema().measurements[0].norm, draft.schema().measurements[0].deviation) == (-1.5, 0.25)


# ---- what is lost, and pictures


def test_what_is_lost_is_said_with_the_number_of_images() -> None:
    lost, kept = loss(["chin", "new"], {"nose": "tip"}, {"chin": 12, "nose": 1})
    assert lost == "“chin” is annotated in 12 images: its points there are deleted."
    assert kept == "“nose” is annotated in 1 image: it is called “tip” there from now on."
    assert loss(["chin"], {"nose": "tip"}, {"chin": 0, "nose": 0}) == ("", "")


def test_pictures_are_copied_into_the_project(draft: SchemaDraft, tmp_path: Path) -> None:
    root, picture = tmp_path / "study", tmp_path / "Chin.PNG"
    (root / "pictures").mkdir(parents=True)
    (root / "pictures" / "chin_left.png").write_bytes(b"another")
    picture.write_bytes(b"picture")
    inside = root / "pictures" / "nose.png"
    inside.write_bytes(b"nose")
    draft.landmarks[3].name, draft.landmarks[3].picture = "chin/left", picture
    draft.landmarks[2].picture = inside
    made = take_pictures(draft, root)
    assert made == [root / "pictures" / "chin_left_2.png"]
    assert made[0].read_bytes() == b"picture"
    assert draft.schema().definition("chin/left").example == "pictures/chin_left_2.png"
    assert draft.schema().definition("nose").example == "pictures/nose.png"
    drop_pictures(made)
    assert not made[0].exists()


def test_a_picture_that_is_gone_leaves_nothing_behind(draft: SchemaDraft, tmp_path: Path) -> None:
    root, picture = tmp_path / "study", tmp_path / "a.png"
    picture.write_bytes(b"picture")
    draft.landmarks[0].picture, draft.landmarks[1].picture = picture, tmp_path / "gone.png"
    with pytest.raises(ProjectError, match=r"gone\.png could not be read"):
        take_pictures(draft, root)
    assert not list((root / "pictures").iterdir())


def test_items_are_themselves_whatever_they_are_called() -> None:
    assert LandmarkDraft("a") != LandmarkDraft("a")
