"""Many pictures on one sheet."""

from collections.abc import Sequence

import cv2
import numpy as np


def contact_sheet(images: Sequence[np.ndarray], columns: int, *, cell_width: int = 480, gap: int = 8) -> np.ndarray:
    """Puts pictures into the cells of a grid, each scaled to fit and centred.

    Args:
        images: uint8[H, W, 3] each, RGB; sizes may differ.
        columns: cells per row.
        cell_width: width of a cell in pixels; the height follows from the median ratio of sides.
        gap: pixels between cells and around them.

    Returns:
        uint8[H', W', 3], RGB, on a dark ground.
    """
    if not images:
        raise ValueError("a contact sheet needs at least one picture")
    columns = max(1, min(columns, len(images)))
    cell_height = round(cell_width * float(np.median([image.shape[0] / image.shape[1] for image in images])))
    num_rows = -(-len(images) // columns)
    size = (num_rows * (cell_height + gap) + gap, columns * (cell_width + gap) + gap, 3)
    sheet = np.full(size, 24, np.uint8)
    for index, image in enumerate(images):
        scale = min(cell_height / image.shape[0], cell_width / image.shape[1])
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        top = gap + index // columns * (cell_height + gap) + (cell_height - height) // 2
        left = gap + index % columns * (cell_width + gap) + (cell_width - width) // 2
        sheet[top : top + height, left : left + width] = cv2.resize(image, (width, height), interpolation=method)
    return sheet
