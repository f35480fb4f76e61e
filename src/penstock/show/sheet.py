"""A contact sheet: many images on one, each with its caption, and a line on how their numbers were drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock import calls
from penstock.show import pixels
from penstock.show.lettering import Lettering, Pillow

if TYPE_CHECKING:
    import PIL.Image

PAPER = (255, 255, 255)
INK = (32, 33, 36)
FAINT = (110, 114, 120)
_MOUNT = (238, 239, 241)
"""Behind an image that does not fill its tile."""
ALARM = (176, 32, 32)

MARGIN = 16
_GAP = 10
_CAPTION_LINES = 3
_NARROWEST = 400
"""So that title and notes have room beside one image, too."""
_SMALLEST_TILE, _LARGEST_TILE = 112, 224


@dataclass(frozen=True, slots=True)
class Tile:
    """One place of the sheet: a picture, or the text that stands for it."""

    picture: NDArray[np.uint8] | None
    caption: str = ""
    text: str = ""
    failed: bool = False


def contact_sheet(
    images: Iterable[Any],
    captions: Iterable[Any] | None = None,
    *,
    columns: int | None = None,
    tile: int | None = None,
    title: str | None = None,
) -> PIL.Image.Image:
    """Draw images side by side, each with its caption.

    >>> sheet = contact_sheet(np.zeros((6, 28, 28), np.uint8), captions=range(6))
    >>> sheet.mode, sheet.width > sheet.height
    ('RGB', True)

    An image has shape (height, width), (height, width, channels) or (channels, height, width). Of two channels the
    first is drawn, of more than three the first three. Integers of 8 bits are drawn as they are; floats as 0 to 1,
    -1 to 1 or 0 to 255, whichever their values suggest, else from the least to the greatest value in all images of that
    dtype; NaN and infinity in magenta. The sheet says at its foot which it was.

    Args:
        images: Arrays of numbers, or one array of them all; sizes and dtypes may differ.
        captions: One for each image; up to three lines, of which what does not fit is cut.
        columns: Images beside one another; by default about as many as rows.
        tile: Pixels of the square that an image is scaled to fit; by default 112 to 224, as large as the images.
        title: A line above the images.

    Raises:
        ImportError: Pillow is not installed.
        TypeError: An image is no array of real numbers.
        ValueError: An image has another shape or no pixels, there is none, or not one caption for each.

    See also: penstock.image.encode.
    """
    pillow = Pillow("contact_sheet()")
    arrays = [_image(number, image) for number, image in enumerate(images)]
    if not arrays:
        raise ValueError("contact_sheet(): images is empty; give at least one")
    texts = [""] * len(arrays) if captions is None else [str(caption) for caption in captions]
    if len(texts) != len(arrays):
        raise ValueError(f"contact_sheet(): {len(texts)} captions for {len(arrays)} images; give as many")
    if columns is not None:
        columns = calls.count("contact_sheet", "columns", columns, minimum=1)
    if tile is not None:
        tile = calls.count("contact_sheet", "tile", tile, minimum=8)
    pictures, notes = drawn(arrays)
    tiles = [Tile(picture, text) for picture, text in zip(pictures, texts, strict=True)]
    return arrange(pillow, tiles, columns=columns, side=tile, title=title, notes=notes)


def _image(number: int, value: Any) -> NDArray[Any]:
    found = np.asarray(value)
    if found.dtype.kind not in "buif":
        what = f"dtype {found.dtype}" if isinstance(value, np.ndarray) else repr(value)[:80]
        raise TypeError(f"contact_sheet(): images must be arrays of real numbers, but images[{number}] has {what}")
    if not pixels.is_drawable(found):
        raise ValueError(
            "contact_sheet(): images must have shape (height, width), (height, width, channels) or (channels, height, "
            f"width), and pixels, but images[{number}] has shape {found.shape}"
        )
    return found


def drawn(images: Sequence[NDArray[Any]]) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Images as pictures of three bytes a pixel, and what is to be said of them."""
    scales = pixels.scales(images)
    found = [pixels.draw(image, scale) for image, scale in zip(images, scales, strict=True)]
    notes = [_sizes(found), *dict.fromkeys(scale.said for scale in scales)]
    hidden = {picture.num_channels for picture in found if picture.num_channels not in (1, 3)}
    if hidden:
        shown = "the first channel is" if hidden == {2} else "the first three channels are"
        notes.append(f"{shown} drawn, of {' or '.join(map(str, sorted(hidden)))}")
    holes = sum(picture.num_not_finite for picture in found)
    if holes:
        notes.append(f"NaN and infinity drawn magenta: {holes:,} pixels")
    return [picture.pixels for picture in found], notes


def _sizes(found: Sequence[pixels.Drawn]) -> str:
    sizes = sorted({picture.pixels.shape[:2] for picture in found}, key=lambda size: (math.prod(size), size))
    if len(sizes) == 1:
        return "{} x {} pixels".format(*sizes[0])
    return "{} x {} to {} x {} pixels (height x width)".format(*sizes[0], *sizes[-1])


def arrange(
    pillow: Pillow,
    tiles: Sequence[Tile],
    *,
    columns: int | None = None,
    side: int | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
) -> PIL.Image.Image:
    """The sheet of tiles, with a title above and notes below."""
    side = side or _tile_side(tiles)
    columns = min(columns or _best_columns(len(tiles)), len(tiles))
    small, large = Lettering(12), Lettering(16)
    captions = [small.lines(tile.caption, side, _CAPTION_LINES) if tile.caption else [] for tile in tiles]
    width = max(_NARROWEST, 2 * MARGIN + columns * side + (columns - 1) * _GAP)
    foot = small.lines(" · ".join(notes), width - 2 * MARGIN, 6) if notes else []
    head = MARGIN + (large.line_height + _GAP if title else 0)
    rows = [range(start, min(start + columns, len(tiles))) for start in range(0, len(tiles), columns)]
    tops = [head]
    for row in rows:
        tops.append(tops[-1] + side + 4 + max(len(captions[at]) for at in row) * small.line_height + _GAP)
    height = tops[-1] + len(foot) * small.line_height + (MARGIN if foot else MARGIN - _GAP)
    sheet = pillow.image.new("RGB", (width, height), PAPER)
    pen = pillow.draw.Draw(sheet)
    if title:
        pen.text((MARGIN, MARGIN), large.line(title, width - 2 * MARGIN), INK, large.font)
    for row, top in zip(rows, tops, strict=False):
        for column, at in enumerate(row):
            left = MARGIN + column * (side + _GAP)
            _put(pillow, sheet, pen, tiles[at], left, top, side)
            write(pen, small, captions[at], left, top + side + 4, ALARM if tiles[at].failed else INK)
    write(pen, small, foot, MARGIN, tops[-1], FAINT)
    return sheet


def _put(pillow: Pillow, sheet: Any, pen: Any, tile: Tile, left: int, top: int, side: int) -> None:
    pen.rectangle((left, top, left + side - 1, top + side - 1), _MOUNT, ALARM if tile.failed else None)
    if tile.picture is None:
        lettering = Lettering(12)
        lines = lettering.lines(tile.text, side - 12, (side - 12) // lettering.line_height)
        write(pen, lettering, lines, left + 6, top + 6, ALARM if tile.failed else INK)
        return
    picture = fitted(pillow, tile.picture, side)
    sheet.paste(picture, (left + (side - picture.width) // 2, top + (side - picture.height) // 2))


def fitted(pillow: Pillow, picture: NDArray[np.uint8], side: int) -> Any:
    """A picture scaled to fit a square: a small one by a whole factor, so that its pixels stay to be seen."""
    height, width = picture.shape[:2]
    image = pillow.image.fromarray(np.ascontiguousarray(picture))
    if max(height, width) <= side:
        factor = side // max(height, width)
        return image.resize((width * factor, height * factor), pillow.image.Resampling.NEAREST)
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return image.resize(size, pillow.image.Resampling.BOX if min(size) < 2 else pillow.image.Resampling.LANCZOS)


def write(pen: Any, lettering: Lettering, lines: Sequence[str], left: int, top: int, ink: tuple[int, int, int]) -> None:
    """Put lines below one another."""
    for number, line in enumerate(lines):
        pen.text((left, top + number * lettering.line_height), line, ink, lettering.font)


def _tile_side(tiles: Sequence[Tile]) -> int:
    largest = max((max(tile.picture.shape[:2]) for tile in tiles if tile.picture is not None), default=_LARGEST_TILE)
    return min(_LARGEST_TILE, max(_SMALLEST_TILE, largest))


def _best_columns(num_tiles: int) -> int:
    """About as many as rows, and so that few places stay empty."""
    if num_tiles <= 4:
        return num_tiles
    least = math.ceil(math.sqrt(num_tiles))
    return min(range(least, 2 * least), key=lambda columns: (-num_tiles % columns, columns))
