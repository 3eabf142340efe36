"""Short videos that tests make: squares that move over a coloured ground."""

import cv2
import numpy as np

from utils.videos.reading import hushed


def moving_squares(count, height=48, width=64):
    """Frames uint8[H, W, 3] RGB: a bright square goes two pixels to the right from one to the next, a dark one down."""
    frames = np.empty((count, height, width, 3), np.uint8)
    frames[:] = np.linspace(60, 180, width).astype(np.uint8)[:, None]
    for number, frame in enumerate(frames):
        frame[8:20, 4 + 2 * number : 16 + 2 * number] = (230, 40, 30)
        frame[4 + number : 14 + number, 40:50] = (20, 30, 90)
    return frames


def write_film(path, frames, code="FFV1", rate=12.5):
    """Writes frames with OpenCV; FFV1, in .mkv or .avi, keeps each pixel as it is, mp4v does not."""
    size = frames[0].shape[1::-1]
    with hushed():
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*code), rate, size)
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def read_film(path):
    """Returns the frames of a file uint8[N, H, W, 3] RGB, and its frame rate, by OpenCV alone."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    rate, frames = capture.get(cv2.CAP_PROP_FPS), []
    while True:
        is_there, frame = capture.read()
        if not is_there:
            return np.array(frames), rate
        frames.append(frame[..., ::-1])
