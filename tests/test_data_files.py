"""Readers of files: what is there is read exactly, and what is cut off or foreign is refused by name."""

from __future__ import annotations

import builtins
import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_dl as td
from tinygrad_dl import data
from tinygrad_dl.data.files import IDX_TYPES

CODES = {np.dtype(name).newbyteorder("="): code for code, name in IDX_TYPES.items()}


def idx(array):
    header = bytes([0, 0, CODES[array.dtype], array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


ARRAYS = st.sampled_from(sorted(CODES, key=str)).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
)


class TestIdx:
    @given(array=ARRAYS, compressed=st.booleans())
    def test_what_was_written_is_read(self, tmp_path_factory, array, compressed):
        path = tmp_path_factory.mktemp("idx") / "file"
        path.write_bytes(gzip.compress(idx(array)) if compressed else idx(array))
        found = data.read_idx(path)
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        assert found.tobytes() == array.tobytes()
        assert found.flags.writeable

    @pytest.mark.parametrize("compressed", [False, True])
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda content: content[:-1], "cut off"),
            (lambda content: content[:10], "cut off"),
            (lambda content: content[:3], "cut off: expected 4 bytes of header, found 3"),
            (lambda content: b"", "cut off: expected 4 bytes of header, found 0"),
            (lambda content: content + b"\0", "too long"),
            (lambda content: b"\x89PNG" + content[4:], "not an IDX file.*found 89 50 4e 47"),
            (lambda content: b"\0\0\x07\x01" + content[4:], "not an IDX file"),
            (lambda content: b"\0\0\x08\0" + content[4:], "not an IDX file"),
            (lambda content: b"\0\0\x08\x02" + b"\xff" * 8 + content[12:], "cut off"),  # 18 exabytes
        ],
    )
    def test_what_is_no_whole_idx_file_is_refused_by_name(self, tmp_path, change, message, compressed):
        content = change(idx(np.arange(12, dtype=np.uint8).reshape(3, 4)))
        path = tmp_path / "train-images"
        path.write_bytes(gzip.compress(content) if compressed else content)
        with pytest.raises(ValueError, match=message) as caught:
            data.read_idx(path)
        assert str(path) in str(caught.value)

    @pytest.mark.parametrize("damage", [lambda c: c[:-20], lambda c: c[:30] + b"\xff\xff" + c[32:], lambda c: c[:5]])
    def test_damaged_gzip(self, tmp_path, damage):
        path = tmp_path / "file.gz"
        path.write_bytes(damage(gzip.compress(idx(np.random.default_rng(0).integers(0, 255, 500).astype(np.uint8)))))
        with pytest.raises(ValueError, match=r"file.gz: .*(cut off|not an IDX)"):
            data.read_idx(path)

    def test_every_cut_is_noticed(self, tmp_path):
        content = idx(np.arange(6, dtype=np.int16).reshape(2, 3))
        path = tmp_path / "file"
        for end in range(len(content)):
            for part in (content[:end], gzip.compress(content)[:end]):
                path.write_bytes(part)
                with pytest.raises(ValueError, match="file: "):
                    data.read_idx(path)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            data.read_idx(tmp_path / "nothing")


def write_mnist(folder, count=5, part="train", suffix=""):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    pack = gzip.compress if suffix else bytes
    (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(images)))
    (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))
    return images, labels


class TestMnist:
    @pytest.mark.parametrize("suffix", ["", ".gz"])
    @pytest.mark.parametrize("kind", [data.MNIST, data.FashionMNIST])
    @pytest.mark.parametrize("inside", [False, True])
    def test_reading(self, tmp_path, suffix, kind, inside):
        folder = tmp_path / kind.__name__ / "raw" if inside else tmp_path
        images, labels = write_mnist(folder, part="t10k", suffix=suffix)
        dataset = kind(tmp_path, train=False)
        assert len(dataset) == 5
        assert dataset.data.shape == (5, 1, 28, 28)
        image, label = dataset[3]
        assert image.dtype == np.float32
        np.testing.assert_allclose(image.numpy()[0], images[3] / 255, rtol=1e-6)
        assert label == labels[3]
        assert len(kind.classes) == 10

    def test_a_batch_is_what_its_samples_are(self, tmp_path):
        write_mnist(tmp_path)
        halve = data.transforms.Normalize(0.0, 2.0)
        dataset = data.MNIST(tmp_path, transform=halve, target_transform=lambda label: label + 10)
        [(images, labels)] = data.DataLoader(dataset, 5)
        assert images.shape == (5, 1, 28, 28)
        for index in range(5):
            assert td.equal(images[index], dataset[index][0])
            assert labels[index].item() == dataset[index][1] == index + 10
        assert repr(dataset) == "MNIST(5 images of 1 x 28 x 28, 10 classes)"

    @pytest.mark.parametrize(
        ("kind", "place"), [(data.MNIST, "ossci-datasets"), (data.FashionMNIST, "github.com/zalandoresearch")]
    )
    def test_a_missing_file_is_named_with_the_place_to_get_it(self, tmp_path, kind, place):
        with pytest.raises(FileNotFoundError, match=f"no train-images-idx3-ubyte or .*; get it from .*{place}"):
            kind(tmp_path)
        with pytest.raises(ValueError, match=f"downloads nothing; get the files from .*{place}"):
            kind(tmp_path, download=True)

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("images-idx3", np.zeros((5, 27, 28), np.uint8), r"expected images, .*found uint8 \(5, 27, 28\)"),
            ("images-idx3", np.zeros((5, 28, 28), np.int32), "expected images, .*found int32"),
            ("images-idx3", np.zeros((4, 28, 28), np.uint8), "expected 4 labels, as there are images, found 5"),
            ("labels-idx1", np.zeros((5, 1), np.uint8), r"expected labels, .*found uint8 \(5, 1\)"),
            ("labels-idx1", np.full(5, 47, np.uint8), "expected labels from 0 to 9, found 47"),
        ],
    )
    def test_files_that_do_not_belong(self, tmp_path, name, content, message):
        write_mnist(tmp_path)
        (tmp_path / f"train-{name}-ubyte").write_bytes(idx(content))
        with pytest.raises(ValueError, match=message):
            data.MNIST(tmp_path)


def cifar(count):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (count, 3073)).astype(np.uint8)
    rows[:, 0] %= 10
    return rows


class TestCifar:
    def test_reading(self, tmp_path):
        rows = cifar(3)
        path = tmp_path / "data_batch_1.bin"
        path.write_bytes(rows.tobytes())
        images, labels = data.read_cifar10(path, records=None)
        assert labels.tolist() == rows[:, 0].tolist()
        assert (images[1, 2, 5] == rows[1, 1 + 2048 + 5 * 32 :][:32]).all()  # row 5 of blue

    def test_the_whole_set(self, tmp_path):
        folder = tmp_path / "cifar-10-batches-bin"
        folder.mkdir()
        rows = cifar(10_000)
        (folder / "test_batch.bin").write_bytes(rows.tobytes())
        dataset = data.CIFAR10(tmp_path, train=False)
        assert len(dataset) == 10_000
        image, label = dataset[7]
        assert image.shape == (3, 32, 32)
        assert label == rows[7, 0]
        with pytest.raises(FileNotFoundError, match=r"no data_batch_1.bin in .*cifar-10-binary.tar.gz"):
            data.CIFAR10(tmp_path)
        with pytest.raises(ValueError, match="downloads nothing"):
            data.CIFAR10(tmp_path, download=True)

    @pytest.mark.parametrize(
        ("content", "records", "message"),
        [
            (cifar(3).tobytes()[:-1], 3, "cut off: expected 3 records of 3073 bytes .*, 9219 bytes in all, found 9218"),
            (cifar(3).tobytes(), 2, "too long"),
            (cifar(3).tobytes()[:-1], None, "expected records of 3073 bytes .*found 9218"),
            (b"", None, "found 0"),
            (np.full((2, 3073), 11, np.uint8).tobytes(), 2, "labels from 0 to 9, record 0 has 11"),
        ],
    )
    def test_what_is_no_such_file(self, tmp_path, content, records, message):
        path = tmp_path / "data_batch_1.bin"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            data.read_cifar10(path, records)
        assert str(path) in str(caught.value)


@pytest.fixture
def folder(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for index in range(3):
            pixels = np.full((4, 6, 3), 100 * number + index, np.uint8)
            image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "readme.txt").write_text("no class")
    return tmp_path


class TestImageFolder:
    def test_classes_and_samples(self, folder):
        dataset = data.ImageFolder(folder)
        assert dataset.classes == ["cat", "dog"]
        assert dataset.class_to_idx == {"cat": 0, "dog": 1}
        assert dataset.targets == [0, 0, 0, 1, 1, 1]
        image, label = dataset[4]
        assert image.shape == (3, 4, 6)
        assert image.dtype == np.float32
        np.testing.assert_allclose(image.numpy(), 101 / 255, rtol=1e-6)
        assert label == 1
        assert "6 images, 2 classes" in repr(dataset)

    def test_size_and_transforms(self, folder):
        dataset = data.ImageFolder(
            folder, data.transforms.Normalize(0.0, 0.5), target_transform=lambda label: -label, size=(8, 10)
        )
        image, label = dataset[3]
        assert image.shape == (3, 8, 10)
        np.testing.assert_allclose(image.numpy(), 2 * 100 / 255, rtol=1e-6)
        assert label == -1

    def test_workers_read_them(self, folder):
        [(images, labels)] = data.DataLoader(data.ImageFolder(folder), 6, num_workers=1)
        assert images.shape == (6, 3, 4, 6)
        assert labels.tolist() == [0, 0, 0, 1, 1, 1]

    def test_grey_and_transparent_images_have_three_channels(self, folder):
        from PIL import Image

        for name, mode in (("0.png", "L"), ("1.png", "RGBA"), ("2.png", "P")):
            Image.new(mode, (6, 4)).save(folder / "cat" / name)
        assert all(data.ImageFolder(folder)[index][0].shape == (3, 4, 6) for index in range(3))

    @pytest.mark.parametrize("content", [b"", b"not an image at all", None])
    def test_a_damaged_image_is_named(self, folder, content):
        path = folder / "cat" / "1.png"
        path.write_bytes(path.read_bytes()[:45] if content is None else content)
        with pytest.raises(ValueError, match=r"1.png: expected an image, and Pillow can't read it"):
            data.ImageFolder(folder)[1]

    def test_folders_that_are_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no folder"):
            data.ImageFolder(tmp_path / "nothing")
        with pytest.raises(FileNotFoundError, match=r"one folder for each class in .*, found none"):
            data.ImageFolder(tmp_path)
        (tmp_path / "cat").mkdir()
        with pytest.raises(FileNotFoundError, match=r"no image in .*cat; expected files that end in \.jpg"):
            data.ImageFolder(tmp_path)

    def test_without_pillow_the_package_to_install_is_named(self, folder, monkeypatch):
        real = builtins.__import__

        def without(name, *args, **kwargs):
            if name.startswith("PIL"):
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(ImportError, match=r"pip install 'tinygrad_dl\[images\]'"):
            data.ImageFolder(folder)
