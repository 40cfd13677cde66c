"""Transforms: what must hold for all of them, and what each does."""

from __future__ import annotations

import colorsys
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_dl as td
from tinygrad_dl.data import transforms as T

ALL = {
    "flip": lambda **g: T.RandomHorizontalFlip(**g),
    "vertical": lambda **g: T.RandomVerticalFlip(**g),
    "crop": lambda **g: T.RandomCrop((6, 7), padding=2, **g),
    "crop reflect": lambda **g: T.RandomCrop((6, 7), padding=(1, 2), padding_mode="reflect", **g),
    "rotation": lambda **g: T.RandomRotation(30, **g),
    "rotation nearest": lambda **g: T.RandomRotation((0, 90), interpolation="nearest", **g),
    "shear": lambda **g: T.RandomShear(20, **g),
    "affine": lambda **g: T.RandomAffine(10, (0.1, 0.2), (0.8, 1.2), (-5, 5, -3, 3), fill=1, **g),
    "jitter": lambda **g: T.ColorJitter(0.4, 0.4, 0.4, 0.2, **g),
    "noise": lambda **g: T.GaussianNoise(0.1, (0.1, 0.3), **g),
    "erasing": lambda **g: T.RandomErasing(0.8, **g),
    "cutout": lambda **g: T.Cutout(3, 0.5, **g),
    "compose": lambda **g: T.Compose([T.RandomHorizontalFlip(**g), T.RandomCrop((6, 7), 1, **g)]),
}
DTYPES = ["uint8", "float16", "float32", "float64"]


def batch(dtype="float32", shape=(5, 3, 6, 7), seed=0):
    values = np.random.default_rng(seed).random(shape)
    return (values * 255).astype(dtype) if dtype == "uint8" else values.astype(dtype)


def seeded(seed=0):
    return td.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ALL)
class TestAll:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_shape_and_dtype_are_kept_and_the_input_is_left_alone(self, name, dtype, channels):
        images = batch(dtype, (5, channels, 6, 7))
        before = images.copy()
        images.setflags(write=False)
        changed = ALL[name](generator=seeded())(images)
        assert changed.shape == images.shape
        assert changed.dtype == images.dtype
        assert not np.shares_memory(changed, images)
        assert (images == before).all()
        assert np.isfinite(changed).all()
        if dtype != "uint8":
            assert changed.min() >= 0
            assert changed.max() <= 1

    def test_the_seed_decides(self, name):
        images = batch(shape=(40, 3, 6, 7))
        first, again, other = (ALL[name](generator=seeded(seed))(images) for seed in (1, 1, 2))
        assert (first == again).all()
        assert (first != other).any()
        transform = ALL[name]()
        results = []
        for _ in range(2):
            td.manual_seed(5)
            results.append(transform(images))
        assert (results[0] == results[1]).all()

    def test_each_image_is_changed_on_its_own(self, name):
        changed = ALL[name](generator=seeded())(np.repeat(batch(shape=(1, 3, 6, 7)), 30, axis=0))
        assert len(np.unique(changed.reshape(30, -1), axis=0)) > 1

    def test_tensors_layouts_single_images_and_labels(self, name):
        images = batch()
        expected = ALL[name](generator=seeded())(images)
        found = ALL[name](generator=seeded())(td.tensor(images))
        assert isinstance(found, td.Tensor)
        assert (found.numpy() == expected).all()
        strided = images.transpose(0, 3, 2, 1).copy().transpose(0, 3, 2, 1)
        np.testing.assert_array_equal(ALL[name](generator=seeded())(strided), expected)
        assert ALL[name]()(images[0]).shape == (3, 6, 7)
        labels = td.arange(5)
        changed, same = ALL[name](generator=seeded())(images, labels)
        assert (changed == expected).all()
        assert same is labels

    def test_no_images(self, name):
        assert ALL[name]()(np.zeros((0, 3, 6, 7), np.float32)).shape[:2] == (0, 3)

    def test_it_can_be_sent_to_a_worker_and_shown(self, name):
        transform = pickle.loads(pickle.dumps(ALL[name](generator=seeded())))
        assert (transform(batch()) == ALL[name](generator=seeded())(batch())).all()
        assert repr(transform).startswith(type(transform).__name__ + "(")

    @pytest.mark.parametrize("images", [np.zeros((6, 7)), np.zeros((1, 2, 3, 4, 5))])
    def test_other_shapes_are_refused(self, name, images):
        with pytest.raises(ValueError, match=r"expected images \(N, C, H, W\)"):
            ALL[name]()(images)

    def test_other_dtypes_are_refused(self, name):
        with pytest.raises(TypeError, match="expected uint8 or floating images, got int64"):
            ALL[name]()(np.zeros((1, 3, 6, 7), np.int64))


class TestFlip:
    @given(st.sampled_from(DTYPES), st.sampled_from([T.RandomHorizontalFlip, T.RandomVerticalFlip]))
    def test_twice_is_the_identity(self, dtype, kind):
        flip = kind(p=1.0)
        images = batch(dtype)
        assert (flip(images) != images).any()
        assert (flip(flip(images)) == images).all()
        assert (kind(p=0.0)(images) == images).all()

    def test_p_is_the_share_of_images(self):
        images = np.tile(np.array([0.0, 1.0]), (4000, 1, 1, 1))
        flipped = T.RandomHorizontalFlip(0.3, seeded())(images)
        assert abs(flipped[:, 0, 0, 0].mean() - 0.3) < 0.03

    def test_p_outside(self):
        with pytest.raises(ValueError, match=r"RandomVerticalFlip: expected p between 0 and 1, got 1\.5"):
            T.RandomVerticalFlip(1.5)


class TestCrop:
    def test_every_window_is_a_part_of_the_image(self):
        images = np.arange(2 * 36.0).reshape(2, 1, 6, 6)
        crops = T.RandomCrop(4, generator=seeded())(np.repeat(images, 50, axis=0))
        starts = set()
        for image, crop in zip(np.repeat(images, 50, axis=0)[:, 0], crops[:, 0], strict=True):
            row, column = np.argwhere(image == crop[0, 0])[0]
            assert (crop == image[row : row + 4, column : column + 4]).all()
            starts.add((row, column))
        assert len(starts) == 9  # all places are drawn

    def test_padding(self):
        crop = T.RandomCrop(10, padding=(1, 2, 3, 2), fill=9)(np.zeros((1, 1, 6, 6)))
        assert (crop[0, 0, 2:8, 1:7] == 0).all()
        assert crop.sum() == 9 * (100 - 36)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (dict(size=0), "expected size"),
            (dict(size=(1, 2, 3)), "expected size"),
            (dict(size=2, padding=(1, 2, 3)), "padding of 1, 2 or 4 numbers"),
            (dict(size=2, padding=-1), "padding of 1, 2 or 4 numbers, 0 or more, got -1"),
            (dict(size=2, padding_mode="wrap"), "padding_mode .* got 'wrap'"),
        ],
    )
    def test_options(self, options, message):
        with pytest.raises(ValueError, match=message):
            T.RandomCrop(**options)

    def test_a_window_that_is_too_large(self):
        with pytest.raises(ValueError, match=r"got size \(9, 9\) for images of \(8, 8\) with padding, expected at"):
            T.RandomCrop(9, padding=1)(np.zeros((1, 1, 6, 6)))


def by_hand(image, matrix, shift, fill):
    """One channel, pixel by pixel."""
    height, width = image.shape
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            x, y = matrix @ [column - (width - 1) / 2, row - (height - 1) / 2] + shift
            x, y = x + (width - 1) / 2, y + (height - 1) / 2
            total = 0.0
            for near_y in (np.floor(y), np.floor(y) + 1):
                for near_x in (np.floor(x), np.floor(x) + 1):
                    inside = 0 <= near_y < height and 0 <= near_x < width
                    value = image[int(near_y), int(near_x)] if inside else fill
                    total += value * (1 - abs(x - near_x)) * (1 - abs(y - near_y))
            result[row, column] = total
    return result


class TestAffine:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("shape", [(2, 1, 6, 6), (2, 3, 5, 8), (1, 1, 1, 1)])
    def test_no_turn_is_the_identity(self, dtype, shape):
        images = batch(dtype, shape)
        for transform in (T.RandomRotation(0), T.RandomShear(0), T.RandomRotation(0, "nearest")):
            assert (transform(images) == images).all()
        assert (T.RandomAffine(0, (0, 0), (1, 1), 0)(images) == images).all()

    @given(st.integers(0, 1000))
    def test_interpolation_against_a_plain_loop(self, seed):
        from tinygrad_dl.data.transforms.geometric import warp

        rng = np.random.default_rng(seed)
        images = rng.random((2, 2, 5, 6))
        matrices, shifts = rng.normal(size=(2, 2, 2)), rng.normal(size=(2, 2))
        found = warp(images, matrices, shifts, 0.5, False)
        for image, matrix, shift, result in zip(images, matrices, shifts, found, strict=True):
            for channel in range(2):
                expected = by_hand(image[channel], matrix, shift, 0.5)
                np.testing.assert_allclose(result[channel], expected, atol=2e-5)

    def test_a_quarter_turn_is_counter_clockwise(self):
        images = batch("float64", (2, 3, 6, 6))
        for interpolation in ("bilinear", "nearest"):
            turned = T.RandomRotation((90, 90), interpolation)(images)
            np.testing.assert_allclose(turned, np.rot90(images, axes=(2, 3)), atol=1e-5)

    def test_moves_scales_and_slants(self):
        images = np.zeros((200, 1, 9, 9), np.float32)
        images[:, 0, 4, 4] = 1
        moved = T.RandomAffine(0, translate=(0.3, 0.0), interpolation="nearest", generator=seeded())(images)
        rows, columns = np.nonzero(moved[:, 0])[1:]
        assert set(rows) == {4}
        assert set(columns) == {1, 2, 3, 4, 5, 6, 7}
        block = np.zeros((1, 1, 9, 9))
        block[:, :, 3:6, 3:6] = 1
        assert T.RandomAffine(0, scale=(2, 2))(block).sum() == pytest.approx(36, abs=1)
        bar = np.zeros((1, 1, 9, 9))
        bar[..., 4] = 1
        slanted = T.RandomShear((45, 45), "nearest")(bar)[0, 0]
        assert np.argwhere(slanted)[:, 1].tolist() in (list(range(9)), list(range(9))[::-1])

    def test_far_outside_is_fill(self):
        images = batch(shape=(3, 1, 6, 6))
        assert (T.RandomAffine(0, scale=(1e-6, 1e-6), fill=0.25)(images) == 0.25).all()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (dict(degrees=-1), "degrees of 0 or more"),
            (dict(degrees=(3, 1)), "low <= high"),
            (dict(degrees=(1, 2, 3)), "a number or a pair"),
            (dict(degrees=0, translate=(2, 0)), "translate between 0 and 1"),
            (dict(degrees=0, scale=(0, 1)), "scale above 0"),
            (dict(degrees=0, scale=(-1, 1)), "0.0 <= low <= high"),
            (dict(degrees=0, interpolation="cubic"), "'bilinear' or 'nearest', got 'cubic'"),
        ],
    )
    def test_options(self, options, message):
        with pytest.raises(ValueError, match=message):
            T.RandomAffine(**options)


class TestValues:
    def test_normalize(self):
        images = batch(shape=(20, 3, 6, 7))
        mean, std = images.mean(axis=(0, 2, 3)), images.std(axis=(0, 2, 3))
        found = T.Normalize(mean.tolist(), std.tolist())(images)
        np.testing.assert_allclose(found.mean(axis=(0, 2, 3)), 0, atol=1e-5)
        np.testing.assert_allclose(found.std(axis=(0, 2, 3)), 1, atol=1e-5)
        assert found.dtype == np.float32
        assert T.Normalize(td.tensor(mean), td.tensor(std))(td.tensor(images)).shape == images.shape

    def test_normalize_refuses(self):
        with pytest.raises(TypeError, match="expected floating images, got uint8; convert them with images / 255"):
            T.Normalize(0.5, 0.5)(batch("uint8"))
        with pytest.raises(ValueError, match="std above 0"):
            T.Normalize(0.5, [1.0, 0.0, 1.0])
        with pytest.raises(ValueError, match="each of the 3 channels, got 2"):
            T.Normalize([0.5, 0.5], 0.5)(batch())

    def test_jitter_of_nothing_is_the_identity(self):
        for dtype in DTYPES:
            assert (T.ColorJitter()(batch(dtype)) == batch(dtype)).all()

    def test_brightness_contrast_and_saturation(self):
        images = batch("float64")
        np.testing.assert_allclose(T.ColorJitter((0.5, 0.5))(images), images / 2, rtol=1e-6)
        flat = T.ColorJitter(contrast=(0, 0))(images)
        np.testing.assert_allclose(flat.std(axis=(1, 2, 3)), 0, atol=1e-6)
        grey = T.ColorJitter(saturation=(0, 0))(images)
        np.testing.assert_allclose(grey[:, 0], grey[:, 2], atol=1e-6)
        assert (T.ColorJitter(saturation=0.5, hue=0.5)(images[:, :1]) == images[:, :1]).all()

    @given(st.integers(0, 1000), st.floats(-0.5, 0.5))
    def test_hue_as_the_standard_library_turns_it(self, seed, turn):
        images = np.random.default_rng(seed).choice([0.0, 0.25, 0.7, 1.0], (1, 3, 2, 2))
        found = T.ColorJitter(hue=(turn, turn))(images)
        for row in range(2):
            for column in range(2):
                hue, saturation, value = colorsys.rgb_to_hsv(*images[0, :, row, column])
                expected = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
                np.testing.assert_allclose(found[0, :, row, column], expected, atol=1e-5)

    def test_jitter_refuses(self):
        with pytest.raises(ValueError, match=r"hue within \[-0.5, 0.5\], got 0.7"):
            T.ColorJitter(hue=0.7)
        with pytest.raises(ValueError, match="brightness of 0 or more"):
            T.ColorJitter(brightness=-1)

    @pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
    def test_noise_has_the_spread_that_was_asked_for(self, dtype):
        images = np.full((20, 1, 30, 30), 128 if dtype == "uint8" else 0.5, dtype)
        noise = T.GaussianNoise(0.05, 0.1, generator=seeded())(images).astype(float)
        noise = noise / 255 if dtype == "uint8" else noise
        assert noise.mean() == pytest.approx(0.55, abs=0.01)
        assert noise.std() == pytest.approx(0.1, rel=0.05)

    def test_noise_without_clipping(self):
        images = np.zeros((4, 1, 10, 10))
        assert T.GaussianNoise(sigma=1.0)(images).min() == 0
        assert T.GaussianNoise(sigma=1.0, clip=False)(images).min() < 0
        for sigma in (-0.1, (-0.2, 0.1)):
            with pytest.raises(ValueError, match="sigma of 0 or more"):
                T.GaussianNoise(sigma=sigma)

    @given(st.integers(0, 1000))
    def test_erased_rectangles_have_the_areas_and_shapes_that_were_asked_for(self, seed):
        images = np.ones((30, 1, 40, 40), np.float32)
        erased = T.RandomErasing(1.0, (0.05, 0.2), (0.5, 2.0), generator=seeded(seed))(images)[:, 0] == 0
        for image in erased:
            rows, columns = np.nonzero(image.any(axis=1))[0], np.nonzero(image.any(axis=0))[0]
            assert image[np.ix_(rows, columns)].all()
            assert 0.04 <= image.mean() <= 0.22
            assert 0.4 <= len(rows) / len(columns) <= 2.4

    def test_erasing_with_a_colour_and_a_probability(self):
        images = np.zeros((2000, 3, 8, 8))
        erased = T.RandomErasing(0.25, value=(1, 2, 3), generator=seeded())(images)
        hit = erased.any(axis=(1, 2, 3))
        assert abs(hit.mean() - 0.25) < 0.04
        assert set(np.unique(erased[:, 1])) == {0, 2}
        for options, message in (
            (dict(scale=(0.5, 2)), "scale between 0 and 1"),
            (dict(ratio=(0, 1)), "ratio above 0"),
            (dict(p=2), "p between 0 and 1"),
        ):
            with pytest.raises(ValueError, match=message):
                T.RandomErasing(**options)

    def test_cutout_reaches_all_pixels_and_is_cut_at_the_border(self):
        cut = T.Cutout(3, generator=seeded())(np.ones((2000, 1, 6, 6)))[:, 0] == 0
        assert cut.any(axis=0).all()
        assert set(cut.sum(axis=(1, 2))) == {4, 6, 9}
        with pytest.raises(ValueError, match="size of 1 or more"):
            T.Cutout(0)


class TestMixUp:
    @given(st.integers(0, 1000))
    def test_labels_are_mixed_as_the_images_are(self, seed):
        labels = np.arange(6)
        images = np.eye(6, dtype=np.float32).reshape(6, 1, 1, 6)  # an image that shows its label
        mixed, soft = T.MixUp(6, 0.4, seeded(seed))(images, labels)
        np.testing.assert_allclose(mixed[:, 0, 0], soft, atol=1e-6)
        np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-6)
        assert soft.dtype == np.float32

    def test_tensors_probabilities_and_training(self):
        compose = T.Compose([T.RandomHorizontalFlip(), T.MixUp(4)])
        images, soft = compose(td.randn(8, 1, 2, 2), td.randint(0, 4, (8,)))
        assert isinstance(images, td.Tensor)
        assert isinstance(soft, td.Tensor)
        td.nn.functional.cross_entropy(images.flatten(1), soft)
        again = T.MixUp()(images, soft)[1]
        np.testing.assert_allclose(again.numpy().sum(axis=1), 1, atol=1e-6)
        assert repr(compose).endswith("MixUp(num_classes=4, alpha=1.0)])")

    @pytest.mark.parametrize(
        ("images", "labels", "classes", "error", "message"),
        [
            (np.ones((2, 1)), [0, 1, 1], 2, ValueError, "one label for each"),
            (np.ones((2, 1)), [0, 2], 2, ValueError, "labels from 0 to 1, got 0 to 2"),
            (np.ones((2, 1)), [0, 1], None, ValueError, "with num_classes given"),
            (np.ones((2, 1)), [0.5, 1.0], 2, ValueError, "expected whole numbers"),
            (np.ones((2, 1), np.uint8), [0, 1], 2, TypeError, "floating images, got uint8"),
        ],
    )
    def test_refusals(self, images, labels, classes, error, message):
        with pytest.raises(error, match=message):
            T.MixUp(classes)(images, np.array(labels))
        with pytest.raises(ValueError, match="alpha above 0"):
            T.MixUp(2, alpha=0)


def test_a_transform_without_apply():
    with pytest.raises(NotImplementedError, match="got a Transform without apply, expected one"):
        T.Transform()(batch())
