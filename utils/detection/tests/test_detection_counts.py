"""What is counted where AP is not defined, by hand."""

from utils.detection.results.detection_counts import format_detection_counts

ROWS = [(1, 0.95), (1, 0.5), (1, 0.2), (2, 0.3), (2, 0.05)]


def test_detections_and_images_with_one_are_counted_from_each_score_on():
    detections = [{"image_id": image, "category_id": 1, "bbox": [0, 0, 1, 1], "score": score} for image, score in ROWS]
    assert format_detection_counts(detections, 4) == (
        "score     detections  for each image      of 4 images with one\n"
        "all                5           1.250                         2\n"
        ">= 0.1             4           1.000                         2\n"
        ">= 0.3             3           0.750                         2\n"
        ">= 0.5             2           0.500                         1\n"
        ">= 0.7             1           0.250                         1\n"
        ">= 0.9             1           0.250                         1"
    )


def test_nothing_found_is_a_table_of_zeros():
    rows = [line.split()[-3:] for line in format_detection_counts([], 3).splitlines()[1:]]
    assert rows == [["0", "0.000", "0"]] * 6


def test_one_image_is_said_in_the_singular():
    assert format_detection_counts([], 1).splitlines()[0].endswith("  for each image       of 1 image with one")
