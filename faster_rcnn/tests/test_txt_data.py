"""The same boxes as COCO and as TXT: the same pictures and targets to learn from, and the same AP."""

import json
from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest

from faster_rcnn.src import build
from faster_rcnn.src.config import load
from faster_rcnn.tests.tiny_detector import TINY_NETWORK as TINY
from utils.detection.data.mindrecord import open_mindrecord, unpack_annotation
from utils.detection.data.splits import Split
from utils.detection.evaluated.splits import RecordSplit
from utils.detection.results.coco_metrics import CocoResult, detections_to_coco, evaluate_coco
from utils.detection.results.evaluation_split import prepare_evaluation
from utils.detection.tests.edited_coco import change
from utils.detection.tests.tiny_coco import CATEGORIES, write_txt

NAMES = tuple(name for _, name, _ in CATEGORIES)
SIDES = (9, 30, 30.5, 40, 60.25)


def add_boxes(content):
    """Gives every image boxes of several sizes with fractions, and the last one a crowd."""
    for image in content["images"]:
        for number, side in enumerate(SIDES):
            content["annotations"].append(
                {
                    "id": len(content["annotations"]) + 50,
                    "image_id": image["id"],
                    "category_id": (3, 7)[number % 2],
                    "iscrowd": 0,
                    "bbox": [4.5 * number, 3.25 * number, side, side / 2],
                    "area": side * side / 2,
                }
            )
    crowd = {"iscrowd": 1, "bbox": [60, 10, 60, 80], "area": 4800, "category_id": 7}
    content["annotations"].append({**crowd, "id": 999, "image_id": content["images"][-1]["id"]})


@pytest.fixture()
def splits(tiny_coco, tmp_path) -> tuple[Split, Split]:
    """The evaluation split, made of the JSON and of the list."""
    change(tiny_coco, add_boxes, "val2017")
    listed = (*write_txt(tiny_coco), f"--mindrecord_dir={tmp_path / 'txt records'}")
    stored = (f"--coco_root={tiny_coco}", f"--coco_classes=[{', '.join(NAMES)}]")
    coco, txt = (build.open_configured_split(load([*TINY, *each]), is_training=False) for each in (stored, listed))
    return coco, txt


def rows_of(split: Split) -> list[tuple[np.ndarray, ...]]:
    data = open_mindrecord(split.records, range(split.records.num_images), ("image", "annotation"))
    return [
        (image, *unpack_annotation(annotation))
        for image, annotation in data.create_tuple_iterator(num_epochs=1, output_numpy=True)
    ]


def imperfect_result(split: Split) -> CocoResult:
    """Scores boxes that are shifted, missed, found twice, of the wrong class, or inside the crowd."""
    draws = np.random.default_rng(3)
    detections = []
    for image_id, (_, boxes, labels, _) in zip(split.records.image_ids.tolist(), rows_of(split), strict=True):
        found = np.repeat(boxes, 2, axis=0) + draws.normal(0, 1.5, (2 * len(boxes), 4)).astype(np.float32)
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        labels = np.where(draws.uniform(size=len(found)) < 0.1, 1 - np.repeat(labels, 2), np.repeat(labels, 2))
        is_found = draws.uniform(size=len(found)) < 0.8
        scores = draws.uniform(size=len(found)).astype(np.float32)
        detections += detections_to_coco(
            image_id, found[is_found], scores[is_found], labels[is_found], split.records.category_ids
        )
    return evaluate_coco(split.ground_truth, detections, category_ids=split.records.category_ids)


def test_the_same_pictures_boxes_and_classes_are_stored(splits):
    coco, txt = splits
    assert coco.records.class_names == txt.records.class_names == NAMES
    for stored, listed in zip(rows_of(coco), rows_of(txt), strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(stored, listed, strict=True))


def test_the_same_detections_have_the_same_ap(splits):
    """The file's own ids differ: 100, 101, ... and 7, 3 in the JSON, 1, 2, ... and 1, 2 for the list."""
    coco, txt = splits
    assert not set(coco.records.image_ids) & set(txt.records.image_ids)
    of_coco, of_txt = imperfect_result(coco), imperfect_result(txt)
    assert 0.1 < of_coco.stats[0] < 0.9
    np.testing.assert_array_equal(of_coco.stats, of_txt.stats)
    by_name = [{row.name: row for row in result.per_class} for result in (of_coco, of_txt)]
    assert by_name[0] == by_name[1]
    assert of_coco.num_detections == of_txt.num_detections


def test_the_ground_truth_of_the_list_is_that_of_the_json(splits):
    coco, txt = splits
    content, listed = json.loads(coco.annotation_file.read_text()), txt.ground_truth
    category = dict(zip(coco.records.category_ids, txt.records.category_ids, strict=True))
    image = dict(zip(coco.records.image_ids.tolist(), txt.records.image_ids.tolist(), strict=True))
    assert sorted(
        (image[row["image_id"]], category[row["category_id"]], *row["bbox"], row["area"], row["iscrowd"])
        for row in content["annotations"]
    ) == sorted(
        (row["image_id"], row["category_id"], *row["bbox"], row["area"], row["iscrowd"])
        for row in listed["annotations"]
    )


def test_the_network_finds_the_same_in_both(splits):
    """What random weights find is wrong, but the same."""
    coco, txt = splits
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_seed(1)
    config = load([*TINY, "--test_score_thr=0.01", "--rpn_nms_pre=50", "--rpn_max_num=20", "--test_max_per_img=10"])
    coco_split, txt_split = (prepare_evaluation(RecordSplit(split), coco.classes, model="tiny") for split in splits)
    evaluator = build.build_evaluator(config, build.build_network(config, num_classes=2), coco_split)
    of_coco = evaluator.evaluate()
    of_txt = replace(evaluator, split=txt_split).evaluate()
    assert len(of_coco.detections) > 10
    category = dict(zip(coco.records.category_ids, txt.records.category_ids, strict=True))
    image = dict(zip(coco.records.image_ids.tolist(), txt.records.image_ids.tolist(), strict=True))
    renamed = [
        {**row, "image_id": image[row["image_id"]], "category_id": category[row["category_id"]]}
        for row in of_coco.detections
    ]
    assert renamed == of_txt.detections
    np.testing.assert_array_equal(of_coco.result.stats, of_txt.result.stats)
