"""A model that was loaded: called with pictures, it returns results."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path

from utils.api.engines import Engine
from utils.api.pictures import Picture, is_one_picture, read_picture
from utils.api.results import Result
from utils.api.videos import VideoResults, frames_of, pictures_of_files, several_of
from utils.model_utils.errors import BadValueError, short
from utils.videos.reading import open_video
from utils.videos.search import is_pattern
from utils.words import counted


class Model:
    """A network with its weights, its classes and all that belongs to it; `load` makes it.

    Attributes:
        suite: name of the suite, e.g. "nas_fpn".
        path: the file that was loaded.
        names: name of each class index.
    """

    def __init__(
        self, suite: str, path: Path, engine: Engine, guard: Callable[[], AbstractContextManager] = nullcontext
    ) -> None:
        self.suite, self.path = suite, path
        self._engine, self._guard = engine, guard  # around each use of the engine

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each class index."""
        return self._engine.names

    def __repr__(self) -> str:
        return f"Model(suite='{self.suite}', path='{self.path}', {counted(len(self.names), 'class')})"

    def __call__(
        self, images: object, batch: int = 1, *, probabilities: bool = False
    ) -> Result | list[Result] | Iterator[Result] | VideoResults:
        """Does what `predict` does."""
        return self.predict(images, batch, probabilities=probabilities)

    def predict(
        self, images: object, batch: int = 1, *, probabilities: bool = False
    ) -> Result | list[Result] | Iterator[Result] | VideoResults:
        """Predicts one picture or several.

        The network is compiled for each size of its input when that first comes, which takes seconds; after that, a
        picture costs the network only. Results do not depend on `batch`.

        Args:
            images: a picture: the path of a file, an array uint8[H, W, 3] in the order RGB, or an image of Pillow. Or
                several: a list or tuple of these, or anything that gives one after the other, such as a generator; or
                the path of a video, of a folder, or a pattern such as "photos/**/*.jpg", as infer.py takes them.
            batch: pictures that a detector is given at once, or frames of a video; 4 is faster there.
            probabilities: segmentation: the results hold the probability of each class at each pixel too.

        Returns:
            A result for a picture; a list for a list or tuple; else an iterator, which predicts as it is asked. That of
            a video can `save` what it draws; its results have `frame` and `time`.

        Raises:
            MissingPathError: there is no such file.
            BadValueError: it is no picture; `batch` is no number from 1 on.
        """
        if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
            raise BadValueError(f"batch is {short(batch)}, wanted a whole number from 1 on: leave it out for 1")
        path = several_of(images)
        if path is not None:
            return self._of_path(path, batch, probabilities)
        if is_one_picture(images):
            return next(self._results(iter([read_picture(images)]), batch, probabilities))
        if isinstance(images, list | tuple):
            return list(self._results(map(read_picture, images), batch, probabilities))
        if isinstance(images, Iterable) and not isinstance(images, dict | bytes):
            return self._results(map(read_picture, images), batch, probabilities)
        read_picture(images)  # refuses it
        raise AssertionError("a picture is one picture")

    def _of_path(self, path: Path, batch: int, probabilities: bool) -> Iterator[Result] | VideoResults:
        """Returns the results of a video, a folder or a pattern."""
        if path.is_dir() or is_pattern(path):
            return self._results(pictures_of_files(path), batch, probabilities)
        video = open_video(path)
        return VideoResults(video, self._results(frames_of(video), batch, probabilities))

    def _results(self, pictures: Iterator[Picture], batch: int, probabilities: bool) -> Iterator[Result]:
        for first in pictures:
            with self._guard():
                results = self._engine.predict([first, *islice(pictures, batch - 1)], batch, probabilities)
            yield from results
