"""An evaluation of the tiny data set around a detector that knows its boxes."""

import json

from utils.detection.evaluated.splits import RecordSplit
from utils.detection.inputs import InputSettings
from utils.detection.results.evaluation import DetectionEvaluator
from utils.detection.results.evaluation_split import prepare_evaluation
from utils.detection.tests.known_boxes import KnowsTheBoxes
from utils.model_utils.workers import ALONE

INPUTS = InputSettings(64, 64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def evaluator_of(split, leave_out=(), workers=ALONE):
    """Images come in their order, so that their boxes can be told in it; batches have two of them."""
    content = json.loads(split.annotation_file.read_text())
    rows = [row for row in content["annotations"] if row["id"] not in leave_out]
    labels = {category: index for index, category in enumerate(split.records.category_ids)}
    ids = [image["id"] for image in content["images"] if image["id"] in split.records.image_ids]
    batches = [ids[start : start + 2] for start in range(0, len(ids), 2)]
    own = workers.share_block(batches)
    by_image = iter([[row for row in rows if row["image_id"] == each] for batch in own for each in batch])

    def boxes_of(_size):
        found = next(by_image)
        corners = [[x, y, x + width, y + height] for x, y, width, height in (row["bbox"] for row in found)]
        return corners, [labels[row["category_id"]] for row in found]

    return DetectionEvaluator(
        detector=KnowsTheBoxes(boxes_of),
        split=prepare_evaluation(RecordSplit(split), split.classes, model="a test"),
        inputs=INPUTS,
        batch_size=2,
        num_loaders=1,
        picture_min_score=None,
        workers=workers,
    )
