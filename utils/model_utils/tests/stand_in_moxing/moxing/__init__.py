"""Stands in for ModelArts' moxing: `moxing.file` with few calls, buckets as folders of STAND_IN_MOXING_BUCKETS."""

from moxing import file  # noqa: F401
