"""`decode` gives what Pillow gives, of each format, by each library; what is broken is an error that names the file."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image, ImageOps

from penstock import Dataset, image
from penstock.errors import DataLossError
from tests.image.photographs import MODULES, by_pillow, difference, encoded, only, photograph

PHOTO = photograph(60, 80)
FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF")
LOSSLESS = ("PNG", "BMP", "TIFF")


@pytest.mark.parametrize("library", MODULES)
@pytest.mark.parametrize("format", FORMATS)
def test_each_library_decodes_as_pillow_does(format: str, library: str) -> None:
    data = encoded(PHOTO, format)
    with only(library):
        if library == "simplejpeg" and format != "JPEG":
            with pytest.raises(ImportError, match=r'pip install "penstock\[image\]"'):
                image.decode(data)
            return
        decoded = image.decode(data)
    assert decoded.dtype == np.uint8
    assert decoded.flags.writeable
    assert difference(decoded, by_pillow(data)) <= 0.5
    if format in LOSSLESS:
        assert np.array_equal(decoded, PHOTO)


def test_without_any_library_the_error_names_the_extra() -> None:
    with only(), pytest.raises(ImportError, match=r'pip install "penstock\[image\]"'):
        image.decode(encoded(PHOTO, "JPEG"))


@pytest.mark.parametrize("library", ["cv2", "PIL.Image"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_grey_palettes_and_alpha_become_colours(mode: str, library: str) -> None:
    data = encoded(PHOTO, "PNG", mode)
    with only(library):
        assert difference(image.decode(data), by_pillow(data)) == 0
        assert difference(image.decode(data, channels=1)[:, :, 0], by_pillow(data, "L")) <= 1
        four = image.decode(data, channels=4)
    assert four.shape == (60, 80, 4)
    assert difference(four, by_pillow(data, "RGBA")) == 0


def test_alpha_is_dropped_or_kept() -> None:
    alpha = np.arange(60 * 80, dtype=np.uint8).reshape(60, 80, 1)
    pixels = np.concatenate([PHOTO, alpha], axis=2)
    for format, options in (("PNG", {}), ("WebP", {"lossless": True, "exact": True}), ("TIFF", {})):
        data = encoded(pixels, format, **options)
        assert np.array_equal(image.decode(data), PHOTO), format
        assert np.array_equal(image.decode(data, channels=4), pixels), format


def test_palette_with_transparent_colours() -> None:
    data = encoded(PHOTO, "PNG", "P", transparency=bytes([0, 100, 255]))
    for library in ("cv2", "PIL.Image"):
        with only(library):
            assert difference(image.decode(data), by_pillow(data, "RGBA")[:, :, :3]) == 0


@pytest.mark.parametrize("library", ["simplejpeg", "cv2", "PIL.Image"])
def test_cmyk_becomes_rgb(library: str) -> None:
    data = encoded(PHOTO, "JPEG", "CMYK", quality=95)
    with only(library):
        assert difference(image.decode(data), by_pillow(data)) <= 2


@pytest.mark.parametrize("library", ["cv2", "PIL.Image"])
def test_sixteen_bits_are_cut_to_eight(library: str) -> None:
    grey = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    data = encoded(grey, "PNG")
    with only(library):
        decoded = image.decode(data)
    assert np.array_equal(decoded, np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2))


@pytest.mark.parametrize("library", ["cv2", "PIL.Image"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WebP", "TIFF"])
def test_images_are_turned_as_exif_says(format: str, orientation: int, library: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(
        PHOTO,
        format,
        exif=exif,
        **({"quality": 95} if format == "JPEG" else {"lossless": True} if format == "WebP" else {}),
    )
    stored = Image.fromarray(PHOTO)
    stored.getexif()[0x0112] = orientation
    shown = np.asarray(ImageOps.exif_transpose(stored))
    with only(library):
        whole = image.decode(data)
        small = image.decode(data, size=(30, 24))
    assert difference(whole, shown) <= (8 if format == "JPEG" else 0)
    expected = np.asarray(Image.fromarray(shown).resize((24, 30), Image.Resampling.BILINEAR))
    assert difference(small, expected) <= 4


@pytest.mark.parametrize("library", ["cv2", "PIL.Image"])
def test_frames_of_an_animation(library: str) -> None:
    frames = [Image.fromarray(np.full((8, 9, 3), value, np.uint8)) for value in (10, 100, 200)]
    data = _animation(frames)
    with only(library):
        decoded = image.decode(data, frames=True)
        assert decoded.shape == (3, 8, 9, 3)
        assert [int(frame[0, 0, 0]) for frame in decoded] == [10, 100, 200]
        assert np.array_equal(image.decode(data), decoded[0])
        with pytest.raises(ValueError, match="3 frames of 8 x 9 pixels, more than max_pixels=200"):
            image.decode(data, frames=True, max_pixels=200)
        with pytest.raises(ValueError, match="resize"):
            image.decode(data, frames=True, size=3)


def _animation(frames: list[Any]) -> bytes:
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=10)
    return file.getvalue()


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(PHOTO, "PNG"))
    assert np.array_equal(image.decode(path), PHOTO)


def test_whatever_names_or_holds_the_bytes(tmp_path: Path) -> None:
    data = encoded(PHOTO, "PNG")
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    fsspec.filesystem("memory").pipe("/test-decode/one.png", data)
    for form in (
        str(path),
        path,
        "memory://test-decode/one.png",
        bytearray(data),
        memoryview(data),
        np.frombuffer(data, "u1"),
    ):
        assert np.array_equal(image.decode(form), PHOTO)
    with pytest.raises(FileNotFoundError):
        image.decode(tmp_path / "none.png")
    with pytest.raises(TypeError, match="takes a path"):
        image.decode(3)
    with pytest.raises(TypeError, match="resize"):
        image.decode(PHOTO)


def test_one_pixel() -> None:
    pixel = np.full((1, 1, 3), 77, np.uint8)
    for format in FORMATS:
        assert difference(image.decode(encoded(pixel, format)), pixel.astype(int)) <= 1
        assert image.decode(encoded(pixel, format), shorter_side=5).shape == (5, 5, 3)


def huge_png() -> bytes:
    """20,000 x 20,000 pixels by its header, and nothing else in it."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, content in ((b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)), (b"IEND", b"")):
        parts += [struct.pack(">I", len(content)), kind, content, struct.pack(">I", zlib.crc32(kind + content))]
    return b"".join(parts)


def test_too_many_pixels_are_refused_by_the_header(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png())
    for function in (image.decode, lambda data: image.resize(data, 10)):
        with pytest.raises(ValueError, match=r"huge.png has 20000 x 20000 pixels, .*max_pixels=400000000"):
            function(path)
    with pytest.raises(ValueError, match="max_pixels=100"):
        image.decode(encoded(PHOTO, "JPEG"), max_pixels=100)


def test_what_is_no_image_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    for content, said in ((b"<html>not found", "<html>"), (b"", "no bytes"), (encoded(PHOTO, "JPEG")[:30], "30 bytes")):
        path.write_bytes(content)
        with pytest.raises(DataLossError, match=f"(?s)photo.jpg holds .*{said}.*on_error"):
            image.decode(path)


def test_broken_images_can_be_left_out() -> None:
    good, broken = encoded(PHOTO, "JPEG"), encoded(PHOTO, "JPEG")[:-200]
    ds = Dataset.from_list([good, broken, good]).map(image.decode, on_error="skip")
    assert len(list(ds)) == 2


@pytest.mark.parametrize("library", MODULES)
def test_an_image_that_is_cut_off_is_never_decoded(library: str) -> None:
    for format in FORMATS[: 1 if library == "simplejpeg" else None]:
        data = encoded(PHOTO, format)
        for kept in (0.3, 0.6, 0.9):
            with only(library), pytest.raises(DataLossError):
                image.decode(data[: int(len(data) * kept)])


@pytest.mark.parametrize("library", ["simplejpeg", "cv2"])
def test_a_jpeg_that_lacks_its_end_marker_is_not_decoded(library: str) -> None:
    with only(library), pytest.raises(DataLossError):
        image.decode(encoded(PHOTO, "JPEG")[:-2])


def test_a_thousand_mutated_files(tmp_path: Path) -> None:
    """None crashes; each is an error that names the file, or decodes; where libjpeg warns, it is an error."""
    simplejpeg = pytest.importorskip("simplejpeg")
    draws = np.random.default_rng(0)
    path = tmp_path / "mutated"
    small = photograph(24, 32)
    originals = [(format, np.frombuffer(encoded(small, format), np.uint8)) for format in FORMATS]
    messages = []
    for number in range(1000):
        format, data = originals[number % len(originals)]
        mutated = data.copy()
        for _ in range(int(draws.integers(1, 4))):
            mutated[draws.integers(len(mutated))] = draws.integers(256)
        path.write_bytes(mutated.tobytes())
        try:
            decoded = image.decode(path, max_pixels=100_000)
        except (DataLossError, ValueError) as error:
            messages.append(str(error))
            continue
        assert decoded.dtype == np.uint8
        assert decoded.ndim == 3
        if format == "JPEG":
            simplejpeg.decode_jpeg(mutated.tobytes())
        if format == "PNG":
            assert np.array_equal(decoded, small), "a PNG that decodes is as it was"
    assert len(messages) > 300
    assert all(str(path) in message for message in messages)


def test_encoding_is_undone_by_decoding() -> None:
    for library in MODULES:
        for format in ("JPEG", "PNG", "WebP")[: 1 if library == "simplejpeg" else None]:
            for channels in (1, 3):
                pixels = np.ascontiguousarray(PHOTO[:, :, :channels])
                with only(library):
                    data = image.encode(pixels, format, quality=95)
                assert difference(image.decode(data, channels=channels), pixels) <= (0 if format == "PNG" else 12)
    with_alpha = np.concatenate([PHOTO, PHOTO[:, :, :1]], axis=2)
    for library in ("cv2", "PIL.Image"):
        with only(library):
            assert np.array_equal(image.decode(image.encode(with_alpha, "PNG"), channels=4), with_alpha)
    with pytest.raises(ValueError, match="alpha"):
        image.encode(with_alpha)
    with pytest.raises(ValueError, match="format"):
        image.encode(PHOTO, "TGA")
    with pytest.raises(ValueError, match="quality"):
        image.encode(PHOTO, quality=101)


def test_a_wrong_checksum_of_png_is_named() -> None:
    data = bytearray(encoded(PHOTO, "PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(DataLossError, match="chunk 'IDAT' at byte 33 fails its checksum"):
        image.decode(data)
