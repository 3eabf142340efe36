"""What data parallel training loses to the sum of the gradients, on paper: rings, latency and bandwidth.

`python benchmarks/scaling.py --paper` prints the table; utils/launch/README.md says what it assumes.
"""

import math
from dataclasses import dataclass

CARDS_PER_SERVER = 8
BACKWARD_SHARE = 2 / 3  # of a step: the part in which gradients are ready to be sent


@dataclass(frozen=True)
class Link:
    """How fast a card sends to its neighbour while it receives from the other one.

    Attributes:
        bytes_per_second: of a long message.
        latency_seconds: of a message of no length.
    """

    bytes_per_second: float
    latency_seconds: float


# Assumptions, not measurements: one HCCS link of an Ascend 910 is given as 30 GB/s, its RoCE port as 100 Gbit/s.
HCCS = Link(30e9, 10e-6)
ROCE = Link(12.5e9, 20e-6)


@dataclass(frozen=True)
class Training:
    """What the efficiency of a training depends on.

    Attributes:
        name: what is trained.
        parameters: number of trained parameters, whose gradients are summed as float32.
        step_seconds: time of a step of one card.
    """

    name: str
    parameters: int
    step_seconds: float

    @property
    def gradient_bytes(self) -> int:
        """Bytes that the cards sum in each step."""
        return 4 * self.parameters


# Parameters as counted in this repository's tests; times of a step on an Ascend 910 as the suites' pages have them.
TRAININGS = (
    Training("faster_rcnn, Res2Net-50, 768x1280, 2 images a card", 41_671_552, 0.1273),
    Training("segformer, MiT-B0, 512x1024, 2 images a card", 3_719_027, 0.100),
    Training("nas_fpn, 640x640, 16 images a card", 59_967_284, 0.4431),
)


def ring_seconds(num_bytes: float, cards: int, link: Link, calls: int = 1) -> float:
    """Returns how long a ring of cards takes to sum `num_bytes` of each.

    Each card sends 2 (n - 1) times, to its neighbour, a part of 1/n of the bytes.

    Args:
        num_bytes: bytes of a card, in all calls.
        cards: length of the ring; 1 for nothing to do.
        link: between neighbours.
        calls: in how many calls, each of which has the latencies.
    """
    turns = 2 * (cards - 1)
    return turns * (calls * link.latency_seconds + num_bytes / cards / link.bytes_per_second)


def all_reduce_seconds(num_bytes: float, cards: int, calls: int = 1) -> float:
    """Returns how long `cards` cards take to sum `num_bytes` of each.

    Within a server the cards form a ring. On several servers, after half of that ring's turns a card has the sum of
    its server for 1/8 of the bytes; it sums these in a ring with the cards of its number on the other servers, each
    over its own port, before the other half.

    Raises:
        ValueError: the cards do not fill their servers.
    """
    if cards <= CARDS_PER_SERVER:
        return ring_seconds(num_bytes, cards, HCCS, calls)
    if cards % CARDS_PER_SERVER:
        raise ValueError(f"{cards} cards do not fill servers of {CARDS_PER_SERVER}")
    inside = ring_seconds(num_bytes, CARDS_PER_SERVER, HCCS, calls)
    return inside + ring_seconds(num_bytes / CARDS_PER_SERVER, cards // CARDS_PER_SERVER, ROCE, calls)


def efficiency(step_seconds: float, sum_seconds: float, overlap: float) -> float:
    """Returns the throughput of a card among others, as a share of its throughput alone.

    Args:
        step_seconds: time of a step of one card alone.
        sum_seconds: time of the sum of the gradients.
        overlap: share of the backward pass, itself `BACKWARD_SHARE` of the step, behind which the sum can hide: 0 where
            it begins when all gradients are there, 1 where each group is sent as soon as it is there.
    """
    hidden = min(sum_seconds, overlap * BACKWARD_SHARE * step_seconds)
    return step_seconds / (step_seconds + sum_seconds - hidden)


def format_table(fusion_mb: float = 32.0, cards: tuple[int, ...] = (8, 64, 1024)) -> str:
    """Returns the table of the README, in Markdown: each cell without and with overlap."""
    head = ["training", "gradients", "calls", *(f"{count} cards" for count in cards)]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for training in TRAININGS:
        calls = math.ceil(training.gradient_bytes / (fusion_mb * 1e6))
        cells = []
        for count in cards:
            seconds = all_reduce_seconds(training.gradient_bytes, count, calls)
            shares = [efficiency(training.step_seconds, seconds, overlap) for overlap in (0.0, 1.0)]
            cells.append(f"{seconds * 1000:.1f} ms: {shares[0]:.1%}, {shares[1]:.1%}")
        row = [training.name, f"{training.gradient_bytes / 1e6:.1f} MB", str(calls), *cells]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)
