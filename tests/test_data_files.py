"""Readers of files: what is there is read exactly, and what is cut off or foreign is refused by name."""

from __future__ import annotations

import builtins
import gzip
import os
import socket
import struct
import subprocess
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
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
            (lambda content: content[:3], "cut off: expected 4 bytes of header, got 3"),
            (lambda content: b"", "cut off: expected 4 bytes of header, got 0"),
            (lambda content: content + b"\0", "too long|got more than"),
            (lambda content: b"\x89PNG" + content[4:], "not an IDX file.*got 89 50 4e 47"),
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
        with pytest.raises(
            FileNotFoundError, match=f"expected .* train-images-idx3-ubyte or .*; get it from .*{place}"
        ):
            kind(tmp_path)
        with pytest.raises(ValueError, match=f"downloads nothing; get the files from .*{place}"):
            kind(tmp_path, download=True)

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("images-idx3", np.zeros((5, 27, 28), np.uint8), r"expected images, .*got uint8 \(5, 27, 28\)"),
            ("images-idx3", np.zeros((5, 28, 28), np.int32), "expected images, .*got int32"),
            ("images-idx3", np.zeros((4, 28, 28), np.uint8), "expected 4 labels, as there are images, got 5"),
            ("labels-idx1", np.zeros((5, 1), np.uint8), r"expected labels, .*got uint8 \(5, 1\)"),
            ("labels-idx1", np.full(5, 47, np.uint8), "expected labels from 0 to 9, got 47"),
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
        with pytest.raises(FileNotFoundError, match=r"expected a folder that has data_batch_1\.bin"):
            data.CIFAR10(tmp_path)
        with pytest.raises(ValueError, match="downloads nothing"):
            data.CIFAR10(tmp_path, download=True)

    @pytest.mark.parametrize(
        ("content", "records", "message"),
        [
            (cifar(3).tobytes()[:-1], 3, "cut off: expected 3 records of 3073 bytes .*, 9219 bytes in all, got 9218"),
            (cifar(3).tobytes(), 2, "too long|got more than"),
            (cifar(3).tobytes()[:-1], None, "expected records of 3073 bytes .*got 9218"),
            (b"", None, r"expected records of 3073 bytes \(a label and 3 x 32 x 32 pixels\), got 0"),
            (np.full((2, 3073), 11, np.uint8).tobytes(), 2, "labels from 0 to 9, got 11 in record 0"),
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

    def test_16_bits(self, folder):
        from PIL import Image

        values = np.array([[0, 40000, 65535]], np.uint16)
        for name in ("0.png", "1.tif", "2.pgm"):
            (folder / "cat" / f"{name[0]}.png").unlink()
            Image.fromarray(values).save(folder / "cat" / name)
        right = np.broadcast_to(np.array([0, 40000 / 65535, 1], np.float32), (3, 1, 3))
        dataset = data.ImageFolder(folder)
        assert [os.path.splitext(path)[1] for path, _ in dataset.samples[:3]] == [".png", ".tif", ".pgm"]
        for index in range(3):
            np.testing.assert_allclose(dataset[index][0].numpy(), right, rtol=1e-6)
        image, _ = data.ImageFolder(folder, size=(2, 3))[0]
        np.testing.assert_allclose(image.numpy(), np.repeat(right, 2, 1), rtol=1e-6)

    @pytest.mark.parametrize("kind", [np.int32, np.float32])
    def test_numbers_whose_white_is_not_known(self, folder, kind):
        from PIL import Image

        Image.fromarray(np.ones((2, 2), kind)).save(folder / "cat" / "3.tif")
        with pytest.raises(ValueError, match=r"3\.tif: got an image of .*, expected 8 or 16 bits"):
            data.ImageFolder(folder)[3]

    @pytest.mark.parametrize("form", ["EPS", "PDF", "ICO", "TGA"])
    def test_formats_by_their_content(self, folder, form, monkeypatch):
        from PIL import Image

        path = folder / "cat" / "1.png"
        with open(path, "wb") as file:
            Image.new("RGB", (6, 4)).save(file, form)
        monkeypatch.setattr(subprocess, "Popen", None)  # EPS would start Ghostscript
        with pytest.raises(ValueError, match=r"1\.png: expected an image, got what Pillow can't read"):
            data.ImageFolder(folder)[1]

    def test_a_jpeg_by_the_name_of_a_png(self, folder):
        from PIL import Image

        with open(folder / "cat" / "1.png", "wb") as file:
            Image.new("RGB", (6, 4), (255, 255, 255)).save(file, "JPEG")
        assert data.ImageFolder(folder)[1][0].min().item() > 0.98

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
    def test_what_is_no_ordinary_file(self, folder):
        dataset = data.ImageFolder(folder)
        path = folder / "cat" / "1.png"
        path.unlink()
        os.mkfifo(path)
        for read in (lambda: data.ImageFolder(folder), lambda: dataset[1]):
            with pytest.raises(ValueError, match=r"1\.png: expected an image, got no ordinary file but a pipe"):
                read()
        path.unlink()
        with socket.socket(socket.AF_UNIX) as listening:
            before = os.getcwd()
            os.chdir(path.parent)
            try:
                listening.bind("1.png")
            finally:
                os.chdir(before)
            with pytest.raises(ValueError, match=r"1\.png: expected an image, got no ordinary file but a socket"):
                data.ImageFolder(folder)
            with pytest.raises((ValueError, OSError), match=r"1\.png"):
                dataset[1]
        path.unlink()
        path.symlink_to("/dev/zero")
        with pytest.raises(ValueError, match=r"1\.png: got a link to /dev/zero, which is outside of"):
            data.ImageFolder(folder)
        with pytest.raises(ValueError, match=r"1\.png: got a link to /dev/zero, which is outside of"):
            dataset[1]
        for reader in (data.read_idx, data.read_cifar10):
            path.unlink()
            os.mkfifo(path)
            with pytest.raises(ValueError, match=r"1\.png: expected an ordinary file"):
                reader(path)

    @pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
    def test_links(self, folder, tmp_path_factory):
        outside = tmp_path_factory.mktemp("outside")
        (folder / "dog" / "1.png").rename(outside / "1.png")
        (folder / "dog" / "1.png").symlink_to(folder / "cat" / "1.png")
        assert data.ImageFolder(folder)[4][0].max().item() == pytest.approx(1 / 255)
        (folder / "dog" / "3.png").symlink_to(outside / "1.png")
        with pytest.raises(ValueError, match=r"3\.png: got a link to .*outside.*1\.png, which is outside of .*,"):
            data.ImageFolder(folder)
        (folder / "dog" / "3.png").unlink()
        (folder / "bird").symlink_to(outside, target_is_directory=True)
        with pytest.raises(ValueError, match=r"bird: got a link to .*outside.*, which is outside of"):
            data.ImageFolder(folder)
        (folder / "bird").unlink()
        inside = tmp_path_factory.mktemp("linked") / "root"
        inside.symlink_to(folder, target_is_directory=True)
        assert len(data.ImageFolder(inside)) == 6  # the root itself may be reached by a link

    @pytest.mark.parametrize(("width", "height"), [(8000, 8000), (30000, 30000), (60000, 1000), (14000, 14000)])
    def test_decompression_bombs(self, folder, width, height):
        """A PNG of one bit for each pixel, written by hand: a few kB."""
        rows = zlib.compressobj(9)
        row = b"\0" + bytes(-(-width // 8))
        packed = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
        chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b"")]
        content = b"\x89PNG\r\n\x1a\n"
        for kind, body in chunks:
            content += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        assert len(content) < 130_000
        path = folder / "cat" / "1.png"
        path.write_bytes(content)
        tracemalloc.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError, match=r"1\.png: .*(pixels in \d+ bytes|exceeds limit)"):
                data.ImageFolder(folder)[1]
        assert tracemalloc.get_traced_memory()[1] < 10e6
        tracemalloc.stop()

    @given(
        place=st.integers(0, 10**6),
        value=st.integers(0, 255),
        cut=st.booleans(),
        form=st.sampled_from(["png", "jpg", "gif", "tif", "bmp", "webp", "ppm"]),
    )
    @settings(max_examples=300, deadline=None)
    def test_damaged_images_are_read_or_named(self, tmp_path_factory, place, value, cut, form):
        image = pytest.importorskip("PIL.Image")
        root = tmp_path_factory.getbasetemp() / f"damaged-{form}"
        (root / "a").mkdir(parents=True, exist_ok=True)
        path = root / "a" / f"0.{form}"
        pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3)).astype(np.uint8)
        image.fromarray(pixels).save(path)
        content = bytearray(path.read_bytes())
        content[place % len(content)] = value
        path.write_bytes(content[: place % len(content)] if cut else content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found, _ = data.ImageFolder(root)[0]
            except ValueError as error:
                assert str(path) in str(error)
            else:
                assert found.shape[0] == 3 and float(found.min()) >= 0 and float(found.max()) <= 1

    @pytest.mark.parametrize("content", [b"", b"not an image at all", None])
    def test_a_damaged_image_is_named(self, folder, content):
        path = folder / "cat" / "1.png"
        path.write_bytes(path.read_bytes()[:45] if content is None else content)
        with pytest.raises(ValueError, match=r"1\.png: expected an image, got what Pillow can't read"):
            data.ImageFolder(folder)[1]

    def test_folders_that_are_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="expected a folder: there is none"):
            data.ImageFolder(tmp_path / "nothing")
        with pytest.raises(FileNotFoundError, match=r"without folders, expected one for each class"):
            data.ImageFolder(tmp_path)
        (tmp_path / "cat").mkdir()
        with pytest.raises(FileNotFoundError, match=r"no image in .*cat, expected files that end in \.jpg"):
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
