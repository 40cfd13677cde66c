"""What was found in an image: boxes around things, and the class of each pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.viz.plots import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Corners = tuple[float, float, float, float]


@composition
def plot_boxes(image: Any, boxes: Any, labels: Sequence[Any] | None = None, *, ax: Axes | None = None) -> Axes:
    """Draws an image and boxes on it, each with its label.

    Boxes with the same label have the same colour and line style; of a label such as "cat 0.93" only what stands
    before the number counts.

    Args:
        image: shape (h, w), (h, w, 3), (1, h, w) or (3, h, w); colours from 0 to 1, or to 255 if they are integers.
        boxes: shape (n, 4), each (x1, y1, x2, y2), in pixels from the upper left corner.
        labels: what stands at each box.
        ax: the axes to draw on; by default new ones.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError, TypeError: other shapes, or another number of labels than of boxes.

    >>> import numpy as np
    >>> from tinygrad_dl import viz
    >>> ax = viz.plot_boxes(np.zeros((20, 30)), [[2, 3, 10, 12]], ["cat 0.93"])
    >>> ax.texts[0].get_text(), ax.patches[0].get_width()
    ('cat 0.93', 8.0)

    Source: https://docs.pytorch.org/vision/stable/generated/torchvision.utils.draw_bounding_boxes.html
    """
    picture = image_of(image)
    corners = look.numbers(boxes, "boxes").astype(np.float64)
    corners = corners.reshape(0, 4) if not corners.size else corners
    if corners.ndim != 2 or corners.shape[1] != 4:
        raise ValueError(f"boxes: expected shape (n, 4), each x1, y1, x2, y2, got {corners.shape}")
    names = None if labels is None else [str(each) for each in listed(labels)]
    if names is not None and len(names) != len(corners):
        raise ValueError(f"labels: expected one for each of the {len(corners)} boxes, got {len(names)}")
    ax = show(picture, ax)
    kinds = list(dict.fromkeys(map(kind_of, names or [""])))
    patches, effects = look.matplotlib_part("patches"), look.matplotlib_part("patheffects")
    width = picture.shape[1]
    taken: list[Corners] = []
    for i, (x1, y1, x2, y2) in enumerate(corners.tolist()):
        name = names[i] if names is not None else ""
        index = kinds.index(kind_of(name))
        colour = look.colour_of(index)
        # On a wider white line, so that it can be seen on anything.
        rim = [effects.Stroke(linewidth=4, foreground="white", alpha=0.8), effects.Normal()]
        ax.add_patch(
            patches.Rectangle(
                (x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=2,
                linestyle=look.line_of(index), path_effects=rim,
            )
        )  # fmt: skip
        if name:
            at = free_place(
                (x1, y1, x2, y2), len(name), taken, ax.bbox.width * 72 / ax.figure.dpi / width, picture.shape
            )
            taken.append(at)
            ax.annotate(
                name,
                at[:2],
                ha="left",
                va="top",
                size=look.SMALL,
                color="white",
                bbox={"boxstyle": "square,pad=0.2", "facecolor": look.mixed(colour, "black", 0.3), "edgecolor": "none"},
            )
    return ax


@composition
def plot_segmentation(
    image: Any,
    mask: Any,
    names: Sequence[str] | Mapping[int, str] | None = None,
    *,
    background: int | None = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draws an image and, over it, the class of each pixel as a colour and a hatch.

    Args:
        image: as in `plot_boxes`.
        mask: shape (h, w), whole numbers.
        names: what the classes are called.
        background: the class that is left as it is; None for none.
        ax: the axes to draw on; by default new ones.

    Returns:
        The axes; the legend has the classes that occur.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError, TypeError: other shapes, or a class without a name.

    >>> import numpy as np
    >>> from tinygrad_dl import viz
    >>> mask = np.zeros((20, 30), int)
    >>> mask[5:15, 5:15] = 1
    >>> ax = viz.plot_segmentation(np.zeros((20, 30)), mask, ["background", "cat"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['cat']

    Source: https://docs.pytorch.org/vision/stable/generated/torchvision.utils.draw_segmentation_masks.html
    """
    picture = image_of(image)
    mask = look.numbers(mask, "mask")
    if mask.shape != picture.shape[:2]:
        raise ValueError(f"mask: expected a class for each pixel, shape {picture.shape[:2]}, got {mask.shape}")
    mask = look.integers(mask.reshape(-1), "mask").reshape(mask.shape)
    classes = np.unique(mask).tolist()
    look.check_names(names, classes)
    ax = show(picture, ax)
    patches = look.matplotlib_part("patches")
    handles = []
    padded = np.pad(mask, 1, constant_values=mask.min() - 1)  # so that areas at the edge get a line around them too
    rows, columns = (np.arange(-0.5, size + 1) for size in mask.shape)  # the middles of pixels
    for index, each in enumerate(c for c in classes if c != background):
        colour, hatch = look.colour_of(index), look.HATCHES[1 + index % (len(look.HATCHES) - 1)]
        inside = (padded == each).astype(np.float64)
        # Hatches of collections are drawn in the edge's colour.
        area = ax.contourf(columns, rows, inside, levels=[0.5, 1.5], colors=[colour], alpha=0.45, hatches=[hatch])
        area.set(edgecolor=(1, 1, 1, 0.75), linewidth=0.0)
        ax.contour(columns, rows, inside, levels=[0.5], colors=[look.mixed(colour, "black", 0.3)], linewidths=1.6)
        handles.append(
            patches.Patch(
                facecolor=look.mixed(colour, "white", 0.3), edgecolor="white", hatch=hatch,
                label=look.label_of(names, each),
            )
        )  # fmt: skip
    ax.set(xlim=(0, mask.shape[1]), ylim=(mask.shape[0], 0))
    if handles:
        look.legend(ax, handles=handles, handlelength=2.2, handleheight=1.5)
    return ax


def free_place(box: Corners, letters: int, taken: Sequence[Corners], points: float, shape: Sequence[int]) -> Corners:
    """Where a label is written: the first place at its box where it covers no other label and stays inside the image.

    Corners come first, then what is left and right of the box; where all is taken, the place that covers least.

    Args:
        box, taken: the label's box, and where other labels are.
        letters: how long it is.
        points: in one pixel.
        shape: of the image.
    """
    x1, y1, x2, y2 = box
    width, height = (0.62 * letters + 0.6) * look.SMALL / points, 1.7 * look.SMALL / points
    rows = (y1 - height, y1, y2 - height, y2)
    places = [(x, y) for pair in ((x1, x2 - width), (x1 - width, x2)) for y in rows for x in pair]
    inside = [
        (x, y, x + width, y + height) for x, y in places if 0 <= x <= shape[1] - width and 0 <= y <= shape[0] - height
    ]
    covered = [sum(common(at, other) for other in taken) for at in inside]
    return inside[int(np.argmin(covered))] if inside else (x1, y1, x1 + width, y1 + height)


def common(one: Corners, two: Corners) -> float:
    """The area that two boxes have in common."""
    width, height = min(one[2], two[2]) - max(one[0], two[0]), min(one[3], two[3]) - max(one[1], two[1])
    return max(width, 0.0) * max(height, 0.0)


def listed(labels: Any) -> list[Any]:
    """Labels as a list, whatever sequence, array or tensor they came in."""
    if isinstance(labels, str):
        raise TypeError(f"labels: expected a list with one label for each box, got the string {labels!r}")
    found = list(labels) if isinstance(labels, list | tuple) else look.array_of(labels).tolist()
    return [each.item() if hasattr(each, "item") else each for each in found]


def kind_of(label: str) -> str:
    """The label without a number at its end, such as a score."""
    words = label.split()
    return " ".join(words[:-1]) if len(words) > 1 and words[-1].strip("0123456789.%()") == "" else label


def image_of(image: Any) -> np.ndarray[Any, Any]:
    """An image of shape (h, w) or (h, w, 3), with colours from 0 to 1."""
    array = look.numbers(image, "image")
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or not array.size or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(f"image: expected shape (h, w), (h, w, 3), (1, h, w) or (3, h, w), got {array.shape}")
    if array.ndim == 3:
        array = np.clip(array / 255 if array.dtype.kind in "iu" else array, 0, 1)
    return array


def show(picture: np.ndarray[Any, Any], ax: Axes | None) -> Axes:
    """The image on bare axes, in grey if it has one channel."""
    height, width = picture.shape[:2]
    scale = 5.0 / max(height, width)
    ax = look.axes_for(ax, size=(max(2.5, scale * width + 0.3), max(2.0, scale * height + 0.3)))
    # Coordinates count from the corner of the first pixel, as those of boxes do, and not from its middle.
    ax.imshow(picture, cmap="gray", interpolation="nearest", extent=(0, width, height, 0))
    look.bare(ax)
    return ax
