"""MONAI's transforms: landmarks follow to 0.05 px, or the transform is refused by name before the first image."""

import warnings

import numpy as np
import pytest
from blobs import centroid, draw_blob

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of MONAI's own imports
    import monai.transforms as mt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.transforms import (
    CentreCrop,
    Pipeline,
    RandomIntensity,
    UseOnlyFirstChannel,
    as_sample_transform,
    from_monai,
)
from napari_landmarker.engine.transforms.monai import TRACKED, UNMOVED

SHAPES = {2: (48, 61), 3: (40, 47, 36)}
PLACES = {2: (23.3, 31.8), 3: (20.3, 22.8, 17.6)}
ZEROS = {"padding_mode": "zeros"}


def moving(ndim):
    """Every transform that is let through, by its name, with arguments that move much."""
    linear = "bilinear" if ndim == 2 else "trilinear"
    small, large, near = (tuple(round(n * f) for n in SHAPES[ndim]) for f in (0.6, 1.3, 0.9))
    angles = 0.3 if ndim == 2 else (0.2, -0.1, 0.3)
    many = {"rotate_range": 0.3, "shear_range": (0.1,) * ndim, "translate_range": 3, "scale_range": 0.1, **ZEROS}
    labels = {"labels": (("L", "R"), ("P", "A"), ("I", "S"))}
    return {
        "Affine": [{"rotate_params": angles, "scale_params": (1.2,) * ndim, **ZEROS}],
        "RandAffine": [{"prob": 1, **many}, {"prob": 1, "spatial_size": large, "cache_grid": True, **many}],
        "Flip": [{"spatial_axis": 0}, {}],
        "RandFlip": [{"prob": 1, "spatial_axis": 1}],
        "RandAxisFlip": [{"prob": 1}],
        "Rotate90": [{"k": 3}],
        "RandRotate90": [{"prob": 1}],
        "Rotate": [{"angle": angles, **ZEROS}, {"angle": angles, "keep_size": False, "align_corners": True, **ZEROS}],
        "RandRotate": [{"range_x": 0.4, "range_y": 0.2, "range_z": 0.3, "prob": 1, **ZEROS}],
        "Zoom": [{"zoom": 0.8}, {"zoom": 1.3, "keep_size": False, "mode": linear}],
        "RandZoom": [{"prob": 1, "min_zoom": 0.7, "max_zoom": 1.4}],
        "Resize": [{"spatial_size": small}, {"spatial_size": large, "mode": linear, "align_corners": True}],
        "Spacing": [
            {"pixdim": (0.8, 1.2, 0.9)[:ndim]},
            {"pixdim": (0.8, 1.2, 0.9)[:ndim], "scale_extent": True, "align_corners": True},
        ],
        "Orientation": [{"axcodes": "ASL" if ndim == 3 else "AL", **labels}, {"axcodes": "LPS"[:ndim], **labels}],
        "Pad": [{"to_pad": [(0, 0)] + [(2, 5)] * ndim}],
        "SpatialPad": [{"spatial_size": large}, {"spatial_size": large, "method": "end"}],
        "BorderPad": [{"spatial_border": 3}],
        "DivisiblePad": [{"k": 16}],
        "SpatialCrop": [{"roi_start": (2,) * ndim, "roi_end": near}],
        "CenterSpatialCrop": [{"roi_size": near}],
        "CenterScaleCrop": [{"roi_scale": 0.9}],
        "RandSpatialCrop": [{"roi_size": near}],
        "RandScaleCrop": [{"roi_scale": 0.9}],
        "CropForeground": [{"select_fn": lambda image: image > 1e-4, "allow_smaller": False}],
        "ResizeWithPadOrCrop": [{"spatial_size": (60, 45, 50)[:ndim]}],
    }


def made(name, arguments, dictionary):
    if not dictionary:
        return getattr(mt, name)(**arguments, **({"image_only": True} if name == "Affine" else {}))
    extra = {"source_key": "image"} if name == "CropForeground" else {}
    if name == "Pad":
        extra["padder"] = mt.Pad(**arguments)
        arguments = {}
    return getattr(mt, name + "d")(keys=("image",), **arguments, **extra)


def check(transform, ndim, seeds=3):
    """The blob lies where the landmark is said to lie."""
    place = np.array(PLACES[ndim])
    image = draw_blob(SHAPES[ndim], place, 2.5)
    for seed in range(seeds):
        out, points, warp = transform.trace(image, place[None], np.random.default_rng(seed))
        assert out.shape[1:] == warp.target_shape
        np.testing.assert_allclose(warp.landmarks(place[None]), points)
        np.testing.assert_allclose(centroid(out), points[0], atol=0.05)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", sorted(TRACKED))
def test_a_blob_and_its_landmark_stay_together(name, ndim):
    for arguments in moving(ndim)[name]:
        check(from_monai(made(name, arguments, False)), ndim)
        check(from_monai(made(name, arguments, True)), ndim, 1)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("ndim", [2, 3])
def test_a_blob_and_its_landmark_stay_together_through_a_chain(ndim, lazy):
    """As the listings of the paper have it, and drawn once."""
    table = moving(ndim)
    names = ("RandAffine", "RandFlip", "Resize", "RandZoom", "SpatialPad")
    steps = [made(name, table[name][0], True) for name in names]
    check(from_monai(mt.Compose(steps, lazy=lazy)), ndim)
    colours = [mt.RandScaleIntensityd(("image",), 0.2, prob=1), mt.RandHistogramShiftd(("image",), prob=0)]
    check(from_monai(mt.Compose([mt.Compose(steps[:3]), *colours, *steps[3:]], lazy=lazy)), ndim, 1)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_blob_and_its_landmark_stay_together_whatever_is_chosen(ndim):
    table = moving(ndim)
    steps = [made(name, table[name][0], False) for name in ("RandAffine", "Rotate90", "SpatialPad", "Orientation")]
    for container in (mt.OneOf(steps), mt.RandomOrder(steps), mt.SomeOf(steps, num_transforms=2), steps):
        check(from_monai(container), ndim, 4)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("GaussianSmooth", {}),
        ("RandGaussianSmooth", {"prob": 1}),
        ("GaussianSharpen", {}),
        ("RandGaussianSharpen", {"prob": 1}),
        ("MedianSmooth", {"radius": 1}),
        ("SavitzkyGolaySmooth", {"window_length": 5, "order": 2}),
        ("RandHistogramShift", {"prob": 1}),
        ("RandBiasField", {"prob": 1, "coeff_range": (0.0, 0.02)}),
        ("GibbsNoise", {"alpha": 0.3}),
        ("RandAdjustContrast", {"prob": 1}),
        ("NormalizeIntensity", {"subtrahend": 0, "divisor": 2}),
        ("RandScaleIntensity", {"prob": 1, "factors": 0.3}),
        ("RandShiftIntensity", {"prob": 1, "offsets": 0.0}),
        ("RandStdShiftIntensity", {"prob": 1, "factors": 0.0}),
        ("RandGaussianNoise", {"prob": 1, "std": 1e-6}),
        ("CastToType", {}),
        ("EnsureType", {}),
        ("Identity", {}),
    ],
)
def test_what_changes_grey_values_moves_nothing(name, arguments):
    assert name in UNMOVED
    for ndim in (2, 3):
        place = np.array(PLACES[ndim])
        image = draw_blob(SHAPES[ndim], place, 2.5)
        out, points = from_monai(getattr(mt, name)(**arguments))(image, place[None], np.random.default_rng(0))
        np.testing.assert_array_equal(points, place[None])
        np.testing.assert_allclose(centroid(np.maximum(out - 0.2 * out.max(), 0)), place, atol=0.05)


def test_every_name_that_is_let_through_is_one_of_monai():
    for name in TRACKED | UNMOVED:
        assert hasattr(mt, name), name
    assert set(moving(2)) == TRACKED


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (lambda: mt.Rand2DElastic((16, 16), (1, 2)), "'Rand2DElastic'.*RandomElastic"),
        (lambda: mt.Rand2DElasticd("image", (16, 16), (1, 2)), "'Rand2DElasticd'"),
        (lambda: mt.Rand3DElastic((1, 2), (1, 2)), "'Rand3DElastic'"),
        (lambda: mt.Rand3DElasticd("image", (1, 2), (1, 2)), "'Rand3DElasticd'.*RandomElastic"),
        (lambda: mt.RandGridDistortion(), "'RandGridDistortion'.*RandomGridDeformation"),
        (lambda: mt.RandGridDistortiond("image"), "'RandGridDistortiond'"),
        (lambda: mt.GridDistortiond("image", 3, [(1, 1, 1, 1)] * 2), "'GridDistortiond'"),
        (lambda: mt.RandSmoothDeform((16, 16), (4, 4), 3), "'RandSmoothDeform'"),
        (lambda: mt.Transpose((0, 2, 1)), "'Transpose'.*Rotate90"),
        (lambda: mt.Transposed("image", (0, 2, 1)), "'Transposed'"),
        (lambda: mt.RandSimulateLowResolution(), "'RandSimulateLowResolution'"),
        (lambda: mt.RandCoarseShuffle(3, 3), "'RandCoarseShuffle'"),
        (lambda: mt.Lambda(lambda image: image), "'Lambda'"),
        (lambda: mt.RandSpatialCropSamplesd("image", (3, 3), 2), "'RandSpatialCropSamplesd'"),
        (lambda: lambda image: image, "'<lambda>'"),
        (lambda: print, "'print'"),
        (lambda: 3, "'int'"),
        (lambda: np.add, "'add'"),
        (lambda: mt.Compose([mt.Flip(), mt.OneOf([mt.SomeOf([mt.Rand2DElastic((16, 16), (1, 2))])])]), "Rand2DElastic"),
        (lambda: mt.Compose([mt.RandomOrder([np.fliplr])]), "'fliplr'"),
        (lambda: [mt.Flip(), mt.Compose([np.flipud])], "'flipud'"),
        (lambda: mt.RandAffined(("img", "mask")), r"\['img', 'mask'\], and would leave 'image'"),
        (lambda: mt.Compose([mt.Flip(), mt.Flipd("image")]), "either"),
        (lambda: mt.Resize((4, 4), mode="nearest"), "'Resize' with mode 'nearest'"),
        (lambda: mt.Zoomd("image", 0.5, mode="nearest-exact"), "'Zoomd' with mode 'nearest'"),
        (lambda: mt.Affine(mode=0), "'Affine' with mode 'nearest'"),
        (lambda: mt.Spacing((1, 2), mode="nearest"), "'Spacing' with mode 'nearest'"),
        (lambda: mt.Affine(normalized=True), "normalized=True"),
        (lambda: mt.Spacingd("image", (1, 2), recompute_affine=True), "recompute_affine=True"),
    ],
)
def test_what_landmarks_cannot_follow_is_refused_by_name(transform, words):
    for use in (from_monai, as_sample_transform):
        with pytest.raises(GeometryError, match=words):
            use(transform())


def test_a_transform_that_monai_cannot_apply_says_so():
    transform = from_monai(mt.SpatialCrop(roi_start=(1, 1, 1), roi_end=(5, 5, 5)))
    image, points = np.zeros((1, 8, 8), np.float32), np.zeros((1, 2))
    with pytest.raises(GeometryError, match=r"MONAI failed on an image of \(8, 8\)|lost track"):
        from_monai(mt.Resize((4, 4, 4)))(image, points, np.random.default_rng(0))
    assert transform(image, points, np.random.default_rng(0))[0].shape == (1, 4, 4)
    with pytest.raises(GeometryError, match="lost track"):
        from_monai(mt.EnsureType(data_type="numpy"))(image, points, np.random.default_rng(0))


@pytest.mark.parametrize("dictionary", [False, True])
def test_chance_comes_from_the_generator_and_nothing_given_is_changed(dictionary):
    table = moving(2)
    names = ("RandAffine", "RandFlip", "RandZoom", "RandRotate90", "RandRotate", "RandSpatialCrop", "RandAxisFlip")
    steps = [made(name, table[name][0], dictionary) for name in names]
    key = {"keys": ("image",)} if dictionary else {}
    end = "d" if dictionary else ""
    steps += [
        getattr(mt, "RandGaussianNoise" + end)(prob=1, **key),
        getattr(mt, "RandHistogramShift" + end)(prob=1, **key),
    ]
    given = mt.Compose([mt.SomeOf(steps[:5], num_transforms=3), *steps[5:]])
    given.set_random_state(3)
    state = given.R.get_state()[1].copy()
    transform = from_monai(given)
    image = np.random.default_rng(0).normal(size=(2, *SHAPES[2])).astype(np.float32)
    points = np.array([[[20.0, 30.0], [25.0, 25.0]], [[np.nan] * 2] * 2])
    kept = image.copy()
    image.setflags(write=False)
    points.setflags(write=False)
    seen = []
    for seed in (0, 1):
        one, two = (transform(image, points, np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
        assert np.isnan(one[1][1]).all()
        assert one[1].shape == points.shape
        assert not np.shares_memory(one[0], image)
        seen.append(one[0])
    assert seen[0].shape != seen[1].shape or not np.allclose(*seen)
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_array_equal(given.R.get_state()[1], state)
    assert mt.Resize((4, 4)).mode == "area"


def test_an_averaging_resize_is_interpolated_in_a_copy():
    given = mt.Resized("image", (20, 20))
    image = np.random.default_rng(0).normal(size=(1, 30, 30)).astype(np.float32)
    out = from_monai(given)(image, np.zeros((1, 2)), np.random.default_rng(0))[0]
    assert given.mode == ("area",)
    same = mt.Resize((20, 20), mode="bilinear", anti_aliasing=True)(image)
    np.testing.assert_allclose(out, same, atol=1e-6)


def test_names_of_a_pair_are_exchanged_only_in_a_mirror():
    points = np.array([[5.0, 6.0], [7.0, 20.0], [9.0, 12.0]])
    image = np.zeros((1, 24, 30), np.float32)
    names, pairs = ("left", "right", "chin"), (("left", "right"),)
    for transform, mirrored in ((mt.Flip(1), True), (mt.Flip((0, 1)), False), (mt.Rotate90(), False)):
        plain = from_monai(transform)(image, points, np.random.default_rng(0))[1]
        named = from_monai(transform, names=names, pairs=pairs)(image, points, np.random.default_rng(0))[1]
        np.testing.assert_array_equal(named, plain[[1, 0, 2]] if mirrored else plain)
    with pytest.raises(GeometryError, match="without 'right'"):
        from_monai(mt.Flip(1), names=("left",), pairs=pairs)


def test_whatever_a_user_gives_as_transform():
    assert as_sample_transform(None) is None
    crop = CentreCrop(size=(4, 4))
    assert as_sample_transform(crop) is crop

    def own(image, points, rng):
        return image, points

    assert as_sample_transform(own) is own
    chain = Pipeline(crop, as_sample_transform(mt.Flip(1)), RandomIntensity())
    image = np.random.default_rng(0).normal(size=(1, 8, 8)).astype(np.float32)
    _, points, warp = chain.trace(image, np.array([[3.0, 3.0]]), np.random.default_rng(0))
    np.testing.assert_array_equal(points, [[1, 2]])
    np.testing.assert_array_equal(warp.apply([3.0, 3.0]), [1, 2])


@pytest.mark.parametrize("ndim", [2, 3])
def test_keys_of_masks_are_passed_over(ndim):
    """A mask is drawn from the landmarks after they moved, so a sample has none yet."""
    names = ("RandAffine", "RandFlip", "Resize", "RandZoom", "RandSpatialCrop", "Spacing")
    both = [getattr(mt, n + "d")(keys=("mask", "image"), **moving(ndim)[n][0]) for n in names]
    check(from_monai(mt.Compose([*both, UseOnlyFirstChannel(("image", "mask"))])), ndim)
    assert not both[0].allow_missing_keys


def test_the_first_channel_can_be_kept():
    image = np.random.default_rng(0).normal(size=(3, 9, 9)).astype(np.float32)
    transform = from_monai(mt.Compose([UseOnlyFirstChannel("image"), mt.Flipd("image", 0)]))
    out = transform(image, np.zeros((1, 2)), np.random.default_rng(0))[0]
    np.testing.assert_array_equal(out, image[:1, ::-1])
    assert UseOnlyFirstChannel(["image", "more"], allow_missing_keys=True)({"image": image})["image"].shape[0] == 1
    with pytest.raises(KeyError):
        UseOnlyFirstChannel(["more"])({"image": image})


def test_only_the_mode_of_the_image_counts():
    image, centre = draw_blob((40, 44), (19.3, 23.6), 3.0), np.array([[19.3, 23.6]])
    for keys, modes in ((("image", "mask"), ("bilinear", "nearest")), (("mask", "image"), ("nearest", "bilinear"))):
        transform = from_monai(mt.Compose([mt.Rotated(keys, angle=0.3, mode=modes)]))
        drawn, points = transform(image, centre, np.random.default_rng(0))
        assert np.abs(centroid(drawn) - points[0]).max() < 0.05
    with pytest.raises(GeometryError, match=r"Rotated.*nearest"):
        from_monai(mt.Rotated(("image", "mask"), angle=0.3, mode=("nearest", "bilinear")))
