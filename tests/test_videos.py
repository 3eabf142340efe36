"""infer.py and the Python API on a video: what they find in its frames is what they find in these as pictures."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.suites import DETECTORS, SEGFORMER, SUITES, for_each, for_suites, run, sentence_of
from utils.images import read_image, write_image
from utils.tests.processes import wait_for
from utils.videos.tests.films import moving_squares, read_film, write_film

pytestmark = pytest.mark.end_to_end
LOW = {"nas_fpn": "--min_score=0.0001", "faster_rcnn": "--test_score_thr=0.01", "segformer": "--eval_mode=whole"}
PICTURES = {"nas_fpn": "image_path", "faster_rcnn": "image_path", "segformer": "data_path"}
COUNT = 5  # with batches of 2 and of 4, the last one is not full


def arguments(suite, checkpoint, source, out):
    places = (f"--{suite.checkpoints['infer.py']}={checkpoint}", f"--infer_output_path={out}")
    return (LOW[suite.name], *places, f"--{PICTURES[suite.name]}={source}")


@pytest.fixture()
def made(suite, checkpoint, tmp_path):
    """A video through a lossy codec, its frames as PNG files beside it, and the folder of all results."""
    (tmp_path / "in").mkdir()
    film = write_film(tmp_path / "in" / "film.mp4", moving_squares(COUNT, 64, 96), "mp4v")
    frames, _ = read_film(film)
    for number, frame in enumerate(frames):
        write_image(tmp_path / "in" / f"{number}.png", frame)
    suite.call("infer.py", *arguments(suite, checkpoint, tmp_path / "in" / "*", tmp_path / "out"))
    return film, frames, tmp_path / "out"


@for_each(SUITES, long_run=DETECTORS)
def test_frames_have_the_results_of_pictures_in_commands_and_in_python(suite, checkpoint, made):
    film, frames, out = made
    from utils.api import load

    name, _, value = LOW[suite.name].removeprefix("--").partition("=")
    tiny = dict(word[2:].split("=", 1) for word in suite.tiny.TINY_NETWORK)
    model = load(checkpoint, **{**tiny, name: value})
    results = list(model(film, batch=4))
    assert [result.frame for result in results] == list(range(COUNT))
    if suite is SEGFORMER:
        maps, rate = read_film(out / "film_gray.mkv")
        as_pictures = np.stack([read_image(out / f"{number}_gray.png") for number in range(COUNT)])
        np.testing.assert_array_equal(maps, as_pictures)
        np.testing.assert_array_equal([result.class_map for result in results], as_pictures[..., 0])
        assert len(np.unique(as_pictures)) > 1
    else:
        rows = json.loads((out / "film_detections.json").read_text())
        pictures = json.loads((out / "detections.json").read_text())
        kept = ("category_id", "bbox", "score")
        found = [(row["frame"], *(row[key] for key in kept)) for row in rows]
        assert found == [(int(row["file_name"][0]), *(row[key] for key in kept)) for row in pictures]
        assert len(found) > COUNT
        assert [row for result in results for row in result.to_coco()] == rows
    drawn, rate = read_film(out / ("film_overlap.mp4" if suite is SEGFORMER else "film.mp4"))
    assert (drawn.shape, rate) == (frames.shape, 12.5)


@pytest.mark.long_run
@for_suites
def test_a_list_on_standard_input_and_a_signal_as_a_shell_sends_them(suite, checkpoint, tmp_path):
    """Of a video of many frames, SIGINT keeps those that were made; an empty list is refused."""
    # Noise, which fills FFmpeg's buffer of 32 kB in a few frames: then some are in the file.
    noise = np.random.default_rng(0).integers(0, 256, (1200, 64, 96, 3), np.uint8)
    film = write_film(tmp_path / "film.mp4", noise, "mp4v")
    write_image(tmp_path / "a.png", moving_squares(1)[0])
    command = [sys.executable, suite.path / "infer.py", *suite.tiny.TINY_NETWORK]
    command += arguments(suite, checkpoint, "-", tmp_path / "out")
    assert "standard input lists no path" in sentence_of(run(command, tmp_path))
    process = subprocess.Popen(
        list(map(str, command)), cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    process.stdin.write(os.fsencode(f"{film}\na.png\n"))
    process.stdin.close()
    wait_for(lambda: any(file.stat().st_size > 1000 for file in (tmp_path / "out").glob(".*.tmp.mp4")))
    process.send_signal(signal.SIGINT)
    said = process.stdout.read()
    assert process.wait() in (130, 143), said
    assert b"the first" in said
    part = tmp_path / "out" / ("film_overlap.part.mp4" if suite is SEGFORMER else "film.part.mp4")
    frames, _ = read_film(part)
    assert 0 < len(frames) < 1200
    if suite in DETECTORS:
        rows = json.loads((tmp_path / "out" / "film_detections.part.json").read_text())
        assert max(row["frame"] for row in rows) < len(frames)
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
