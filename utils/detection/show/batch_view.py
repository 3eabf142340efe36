"""The pictures of a training batch with the boxes that a detector is to find in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.detection.data.mindrecord import open_mindrecord
from utils.detection.data.training_source import MindRecordSource
from utils.detection.results.pictures.drawing import draw_detections
from utils.detection.show.survey import BoxSurvey
from utils.detection.training_sample import DetectionSample, FedBoxes
from utils.drawing.network_inputs import (
    captioned_sheet,
    cell_width,
    columns_for,
    content_size,
    stripe_padding,
    undo_normalisation,
)
from utils.drawing.panels import scale_to_width
from utils.training.pictures.batch_view import Batch, BatchView
from utils.words import counted


@dataclass(frozen=True, eq=False)
class DetectionBatchView(BatchView):
    """Shows the batches of a detector.

    Attributes:
        source: of the batches.
        sample: has made them.
        class_names: name of each class index.
        pos_iou: IoU with a box from which on an anchor learns it.
        min_pos_iou: IoU from which on the anchor that fits a box best does so.
    """

    source: MindRecordSource
    sample: DetectionSample
    class_names: Sequence[str]
    pos_iou: float
    min_pos_iou: float = 0.0

    def draw(self, batch: Batch, names: Sequence[str], heading: str) -> np.ndarray:
        """Draws each picture with its boxes; see `BatchView.draw`."""
        columns = columns_for(len(names))
        width = cell_width(columns)
        fed = self.sample.fed_boxes(batch)
        pictures = [self._draw_picture(*each, width) for each in zip(batch[0], fed, strict=True)]
        captions = [f"{name}: {counted(len(each.boxes), 'box')}" for name, each in zip(names, fed, strict=True)]
        return captioned_sheet(pictures, captions, f"{heading}; striped: padding", columns)

    def _draw_picture(self, planes: np.ndarray, fed: FedBoxes, most: int) -> np.ndarray:
        """Draws float32[3, H, W] at most so many pixels wide."""
        image = undo_normalisation(planes, self.sample.inputs.mean, self.sample.inputs.std)
        image, scale = scale_to_width(image, most)
        rows, columns = content_size(planes)
        image = stripe_padding(image, (round(rows * scale), round(columns * scale)))
        return draw_detections(image, fed.boxes * scale, fed.labels, None, self.class_names, may_enlarge=False)

    def item_names(self, items: Sequence[int]) -> list[str]:
        """Returns the names of the image files."""
        rows = open_mindrecord(self.source.records, self.source.rows[list(items)].tolist(), ("file_name",), 1)
        return [str(row["file_name"]) for row in rows.create_dict_iterator(num_epochs=1, output_numpy=True)]

    def survey(self) -> BoxSurvey:
        """Returns what counts boxes by class and size."""
        return BoxSurvey(self.sample, self.class_names, self.pos_iou, self.min_pos_iou)
