"""The workers of a job train one and the same network: they begin with equal parameters, and it is checked."""

import hashlib
import logging
from collections.abc import Iterator, Sequence

import mindspore as ms

from utils.model_utils.errors import BadStateError
from utils.model_utils.workers import Workers

# Of one message: few of them for a large network, and never a second copy of all of it in memory.
_CHUNK_BYTES = 64 * 1024 * 1024

logger = logging.getLogger(__name__)


def share_parameters(workers: Workers, parameters: Sequence[ms.Parameter]) -> None:
    """Gives every worker the parameters of worker 0, where they differ.

    Raises:
        BadStateError: they differ afterwards.
    """
    if workers.count == 1 or not _others_than_first(workers.gather(digest(parameters))):
        return
    for chunk in _chunks(parameters):
        values = workers.broadcast([parameter.asnumpy() for parameter in chunk] if workers.is_main else [])
        for parameter, value in zip(chunk, values, strict=True):
            if not workers.is_main:
                parameter.set_data(ms.Tensor(value))
    logger.info("the workers have taken over the parameters of worker 0")
    check_equal(workers, parameters)


def check_equal(workers: Workers, parameters: Sequence[ms.Parameter]) -> str:
    """Checks that all workers have bit-equal parameters; returns what they are known by.

    Raises:
        BadStateError: some differ from worker 0's.
    """
    digests = workers.gather(digest(parameters))
    ranks = _others_than_first(digests)
    if ranks:
        raise BadStateError(
            f"weights, optimizer state or averages of worker {', '.join(map(str, ranks))} differ from worker 0's, so "
            f"the {workers.count} workers no longer train one network; go on from the last checkpoint with "
            "--resume=auto, and see that all machines have the same MindSpore and processors"
        )
    return digests[0]


def any_of(workers: Workers, wish: bool) -> bool:
    """Returns whether one of the workers wishes something; all of them have to ask."""
    return any(workers.gather(wish))


def digest(parameters: Sequence[ms.Parameter]) -> str:
    """Returns 16 hexadecimal digits that stand for the values of the parameters, bit for bit."""
    content = hashlib.blake2b(digest_size=8)
    for parameter in parameters:
        content.update(parameter.asnumpy().tobytes())
    return content.hexdigest()


def _others_than_first(digests: Sequence[str]) -> list[int]:
    return [rank for rank, other in enumerate(digests) if other != digests[0]]


def _chunks(parameters: Sequence[ms.Parameter]) -> Iterator[list[ms.Parameter]]:
    chunk: list[ms.Parameter] = []
    size = 0
    for parameter in parameters:
        chunk.append(parameter)
        size += parameter.nbytes
        if size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
