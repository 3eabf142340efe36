"""More than 100 objects of a class in an image: how far below 1 that keeps COCO's mAP, beside pycocotools."""

import logging
from collections import Counter

import pytest

from utils.detection.results.coco_metrics import evaluate_coco
from utils.detection.results.detection_limit import highest_map


def crowded(counts):
    """Returns annotations of so many boxes for each (category, image), and detections that are equal to them."""
    annotations = [
        {"image_id": image, "category_id": category, "bbox": [index % 16 * 8, index // 16 * 8, 6, 6]}
        for (category, image), count in counts.items()
        for index in range(count)
    ]
    ids, categories = ({pair[place] for pair in counts} for place in (1, 0))
    content = {
        "images": [{"id": each, "file_name": f"{each}.png", "height": 256, "width": 256} for each in sorted(ids)],
        "annotations": [{"id": number, **each} for number, each in enumerate(annotations, start=1)],
        "categories": [{"id": each, "name": f"thing {each}"} for each in sorted(categories)],
    }
    return content, [{**each, "score": 1 - index / 10000} for index, each in enumerate(annotations)]


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ({(1, 1): 150}, 67 / 101),  # recalls 0 to 0.66 of 100 / 150
        ({(1, 1): 200, (1, 2): 200}, 51 / 101),  # 0.5 exactly
        ({(1, 1): 150, (1, 2): 50, (2, 1): 30}, (76 / 101 + 1) / 2),  # 150 of 200 are counted, and all of 30
        ({(1, 1): 100, (2, 1): 100}, 1.0),
    ],
)
def test_perfect_detections_have_the_map_that_is_said(counts, wanted, caplog):
    content, detections = crowded(counts)
    with caplog.at_level(logging.WARNING):
        result = evaluate_coco(content, detections)
        evaluate_coco(content, detections)
    assert result.stats[0] == pytest.approx(wanted, abs=1e-12)
    assert highest_map(Counter(counts)) == pytest.approx(wanted, abs=1e-12)
    said = [message for message in caplog.messages if "boxes of a class" in message]
    assert len(said) == (wanted < 1), "once, and only where it is below 1"
    if said:
        assert said[0].endswith(f"would have mAP {wanted:.3f}")
        assert f"up to {max(counts.values())}" in said[0]
