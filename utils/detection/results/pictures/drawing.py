"""Pictures of detections: thin boxes in a fixed colour per class, with labels that stay legible and in the picture."""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from utils.detection.boxes import as_boxes, box_area, clip_boxes, pairwise_intersection
from utils.drawing.fonts import Lettering, base_font, letter_names, load_font

# Told apart on photographs by hue and lightness; class k has entry k. Later classes turn the hue by the golden ratio.
PALETTE = (
    (230, 57, 70), (29, 132, 232), (255, 183, 3), (22, 160, 105), (155, 81, 224), (255, 112, 32), (0, 178, 202),
    (222, 49, 143), (120, 170, 20), (94, 96, 206), (166, 98, 55), (0, 128, 128),
)  # fmt: skip
GOLDEN_RATIO = 0.618034  # of the circle of hues: any number of steps leaves them spread
HALO_COLOR = (0, 0, 0, 90)  # a dark rim sets a line off from a ground of its own colour; a third of black looks soft
MAX_ENLARGED_SIDE = 4096  # the longer side of a narrow strip stays a size that viewers open at once
MIN_SIDE = 320  # smaller ones are enlarged by a whole factor, or no text would fit: room for forty small letters
SUPERSAMPLING = 2  # Pillow draws lines without anti-aliasing: drawn twice as large and averaged
MAX_SUPERSAMPLED_PIXELS = 4_000_000  # some 2300 x 1700; a larger picture has pixels enough for smooth lines
TEXT_SHARE = 1 / 36  # of the shorter side, as high as a text: 13 pixels of COCO's 480, which read well (taste)
MIN_TEXT, MAX_TEXT = 11, 28  # pixels: below, bold letters run together; above, labels hide the objects
LINE_SHARE = 1 / 240  # of the shorter side: a line of 2 pixels on COCO's 480 (taste)
DEFAULT_MIN_SCORE = 0.3  # MMDetection's value for pictures; below are mostly duplicates and guesses

Color = tuple[int, int, int]


def class_color(label: int) -> Color:
    """Returns the colour of a class index, RGB 0-255; always the same for the same index."""
    if 0 <= label < len(PALETTE):
        return PALETTE[label]
    red, green, blue = colorsys.hls_to_rgb((label * GOLDEN_RATIO) % 1.0, 0.5 + 0.1 * (label % 3 - 1), 0.8)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_detections(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray | None,
    class_names: Sequence[str],
    *,
    min_score: float | np.ndarray = DEFAULT_MIN_SCORE,
    may_enlarge: bool = True,
) -> np.ndarray:
    """Draws boxes with the names of their classes onto a copy of an image.

    Args:
        image: uint8[H, W, 3], RGB.
        boxes: float32[N, 4], xyxy, pixels of `image`.
        labels: int[N], class index from 0.
        scores: float[N] in [0, 1], shown behind the names; None for boxes of a ground truth, which have none.
        class_names: name of each class index, any script.
        min_score: boxes with a lower score are left out; float[N] for a limit of each box.
        may_enlarge: a tiny image is enlarged, so that names can be read.

    Returns:
        uint8[H', W', 3], RGB; H' and W' are H and W, or a whole multiple of them where the image was enlarged.
    """
    factor = max(1, min(-(-MIN_SIDE // min(image.shape[:2])), MAX_ENLARGED_SIDE // max(image.shape[:2])))
    factor = factor if may_enlarge else 1
    canvas = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC) if factor > 1 else image
    boxes, labels = as_boxes(boxes) * factor, np.asarray(labels, np.int64).reshape(-1)
    is_shown = np.isfinite(boxes).all(axis=1)
    if scores is not None:
        is_shown &= is_drawn(scores, min_score)
    # large boxes first, so that small ones and their labels end up on top
    shown = [index for index in np.argsort(-box_area(boxes), kind="stable").tolist() if is_shown[index]]
    colors = [class_color(int(labels[index])) for index in shown]
    names = letter_names(class_names)
    behind = [""] * len(boxes) if scores is None else [f" {score:.2f}" for score in np.ravel(scores)]
    texts = [(_name(names, int(labels[index])), behind[index]) for index in shown]
    return _draw_labels(_draw_boxes(canvas, boxes[shown], colors), boxes[shown], texts, colors)


def is_drawn(scores: np.ndarray, min_score: float | np.ndarray) -> np.ndarray:
    """Returns bool[N]: which of float[N] scores `draw_detections` draws the boxes of."""
    return np.asarray(scores, np.float64).reshape(-1) >= min_score


def _draw_boxes(canvas: np.ndarray, boxes: np.ndarray, colors: Sequence[Color]) -> np.ndarray:
    """Draws the outlines on a larger transparent layer and averages that down onto the picture."""
    height, width = canvas.shape[:2]
    zoom = SUPERSAMPLING if height * width <= MAX_SUPERSAMPLED_PIXELS else 1
    layer = Image.new("RGBA", (width * zoom, height * zoom))
    pen = ImageDraw.Draw(layer)
    thick = round(max(1.2, min(height, width) * LINE_SHARE) * zoom)
    for box, color in zip((clip_boxes(boxes, height, width) * zoom).tolist(), colors, strict=True):
        x1, y1, x2, y2 = box
        _outline(pen, (x1 - 1, y1 - 1, x2 + 1, y2 + 1), HALO_COLOR, thick + 2)
        _outline(pen, box, (*color, 255), thick)
    small = np.asarray(layer.resize((width, height), Image.Resampling.BOX)).astype(np.float32)
    alpha = small[..., 3:] / 255
    return np.round(canvas * (1 - alpha) + small[..., :3] * alpha).astype(np.uint8)


def _outline(pen: ImageDraw.ImageDraw, box: Sequence[float], color: tuple[int, ...], thick: int) -> None:
    x1, y1, x2, y2 = (round(value) for value in box)
    pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=color, width=thick)


def _draw_labels(
    canvas: np.ndarray, boxes: np.ndarray, texts: Sequence[tuple[Lettering, str]], colors: Sequence[Color]
) -> np.ndarray:
    """Writes name and score on a tag in the class's colour, where it covers the least of the tags placed before.

    Digits are written in the base font: that of the name may have none.
    """
    height, width = canvas.shape[:2]
    size = round(float(np.clip(min(height, width) * TEXT_SHARE, MIN_TEXT, MAX_TEXT)))
    digits, pad = load_font(base_font(), size), max(2, round(size * 0.22))
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture, "RGBA")
    placed = np.zeros((0, 4), np.float32)
    for box, (name, score), color in zip(boxes, texts, colors, strict=True):
        font = load_font(name.font, size)
        ascent, descent = np.maximum(font.getmetrics(), digits.getmetrics()).tolist()
        text = _shorten(name.text, font, width - 2 * pad - digits.getlength(score))
        name_width = font.getlength(text)
        tag_size = (name_width + digits.getlength(score) + 2 * pad, ascent + descent + pad)
        tag = _place_tag(box, tag_size, placed, (height, width))
        placed = np.concatenate([placed, tag[None]])
        pen.rounded_rectangle(tuple(tag.tolist()), radius=pad, fill=(*color, 225))
        left, base = float(tag[0]) + pad, float(tag[1]) + pad / 2 + ascent
        pen.text((left, base), text, font=font, fill=_text_color(color), anchor="ls")
        pen.text((left + name_width, base), score, font=digits, fill=_text_color(color), anchor="ls")
    return np.array(picture)


def _place_tag(box: np.ndarray, tag_size: tuple[float, float], placed: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the xyxy rectangle of a tag: above the box if there is room, else inside or below, in the picture."""
    tag_width, tag_height = tag_size
    x1, y1, x2, y2 = box.tolist()
    corners = np.array(
        [
            (x1, y1 - tag_height),
            (x1, y1),
            (x2 - tag_width, y1 - tag_height),
            (x1, y2),
            (x1, y2 - tag_height),
        ],
        np.float32,
    )  # in the order of preference
    limit = np.array([size[1] - tag_width, size[0] - tag_height], np.float32)
    inside = np.clip(corners, 0, np.maximum(limit, 0))
    tags = np.concatenate([inside, inside + np.array(tag_size, np.float32)], axis=1)
    covered = pairwise_intersection(tags, placed).sum(axis=1)
    moved = np.abs(inside - corners).sum(axis=1)
    # Covering a tenth of a tag, or a shift of a fifth of its height, outweighs one place in the order.
    cost = covered / (tag_width * tag_height) * 10 + moved / tag_height * 5 + np.arange(len(tags))
    return np.round(tags[int(np.argmin(cost))])


def _text_color(color: Color) -> Color:
    """Returns black or white, whichever is easier to read on `color` (ITU-R BT.601 luma)."""
    return (0, 0, 0) if 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 150 else (255, 255, 255)


def _shorten(text: str, font: ImageFont.FreeTypeFont, max_width: float) -> str:
    """Cuts a text that is wider than the picture."""
    if font.getlength(text) <= max_width:
        return text
    fitting = [count for count in range(len(text)) if font.getlength(f"{text[:count]}…") <= max_width]
    return f"{text[: max(fitting, default=0)]}…"


def _name(names: Sequence[Lettering], label: int) -> Lettering:
    return names[label] if 0 <= label < len(names) else Lettering(f"class {label}", base_font())
