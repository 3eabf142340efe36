"""What the log of a detector's training warns of, and that it is silent where there is nothing."""

from types import SimpleNamespace

import pytest

from utils.detection.data.training_warnings import warn_of_cut_boxes, warn_of_random_weights


@pytest.mark.parametrize(
    ("frozen_stages", "has_frozen_norms", "keys"),
    [
        (0, False, []),
        (1, False, ["frozen_stages"]),
        (0, True, ["norm_statistics"]),
        (2, True, ["frozen_stages", "norm_statistics"]),
    ],
)
def test_frozen_random_weights_are_named_by_their_keys(caplog, frozen_stages, has_frozen_norms, keys):
    warn_of_random_weights(frozen_stages, has_frozen_norms)
    assert [message.split()[0] for message in caplog.messages] == keys


def test_images_that_lose_boxes_are_counted(caplog):
    warn_of_cut_boxes(SimpleNamespace(box_counts={1: 5, 4: 2}), num_gts=4)
    assert caplog.messages == []
    warn_of_cut_boxes(SimpleNamespace(box_counts={1: 5, 4: 2}), num_gts=3)
    assert caplog.messages[0].startswith("2 of 7 images have more than 3 boxes")
