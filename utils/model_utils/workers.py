"""The processes of one job, called workers, and what they tell each other outside of compiled graphs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from utils.model_utils.guards.exchange import decode, encode

# At the top, numpy would cost every --help 80 ms, and its threads would take the signals that command.py blocks.
if TYPE_CHECKING:
    import numpy as np

Item = TypeVar("Item")


@dataclass(frozen=True)
class Workers:
    """This process's place among the workers of a job.

    What is gathered, broadcast or waited for has to be so by every worker of the job, in the same order. It is a value
    of JSON with arrays of numbers in it (see `guards/exchange.py`), of less than 2 GB. A job of one worker needs no
    MindSpore for it.

    Attributes:
        rank: number of this worker, from 0.
        count: number of workers.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the worker that writes files."""
        return self.rank == 0

    def gather(self, value: Item) -> list[Item]:
        """Returns every worker's value in the order of their ranks."""
        if self.count == 1:
            return [value]
        content = encode(value)
        sizes = _gathered([len(content)])[:, 0]
        parts = _gathered(_as_numbers(content, max(sizes)))
        return [decode(part.tobytes()[:size]) for part, size in zip(parts, sizes, strict=True)]

    def broadcast(self, value: Item) -> Item:
        """Returns the value of worker 0; what the others give does not matter."""
        if self.count == 1:
            return value
        content = encode(value if self.is_main else None)
        size = int(_broadcast([len(content)])[0])
        return decode(_broadcast(_as_numbers(content, size)).tobytes()[:size])

    def wait(self) -> None:
        """Waits until every worker has come to this point."""
        self.gather(None)

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Returns this worker's part of something that all workers share: items rank, rank + count, ..."""
        return items[self.rank :: self.count]

    def share_block(self, items: Sequence[Item]) -> Sequence[Item]:
        """Returns this worker's part of something that all share, neighbours together.

        Sizes differ by one at most; no other worker has more than worker 0, which says how far all are.
        """
        first, end = (-(-rank * len(items) // self.count) for rank in (self.rank, self.rank + 1))
        return items[first:end]


ALONE = Workers()


def _as_numbers(content: bytes, size: int) -> "np.ndarray":
    """Returns bytes as int32, which every device exchanges unchanged, cut or filled with zeros to `size` bytes."""
    import numpy as np

    return np.frombuffer(content[:size].ljust(-(-size // 4) * 4, b"\0"), np.int32)


def _gathered(values: "Sequence[int] | np.ndarray") -> "np.ndarray":
    """Returns int32[workers, N] for each worker's int32[N]; all give as many values."""
    import mindspore as ms
    from mindspore import ops
    from mindspore.communication import GlobalComm

    gathered = ops.AllGather(GlobalComm.WORLD_COMM_GROUP)(ms.Tensor(values, ms.int32)).asnumpy()
    return gathered.reshape(-1, len(values))


def _broadcast(values: "Sequence[int] | np.ndarray") -> "np.ndarray":
    """Returns worker 0's int32[N]; all give as many values."""
    import mindspore as ms
    from mindspore import ops
    from mindspore.communication import GlobalComm

    return ops.Broadcast(0, GlobalComm.WORLD_COMM_GROUP)((ms.Tensor(values, ms.int32),))[0].asnumpy()
