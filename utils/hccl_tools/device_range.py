"""Which devices of a host a rank table takes: --device_num and --visible_devices."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from utils.hccl_tools.tables.rank_table import MAX_DEVICES_PER_SERVER
from utils.model_utils.errors import BadValueError, short

CARDS = 8  # of an Ascend 910 server
GROUP = 4  # of an 8-card host: two groups of four, linked inside each and across only as a whole

_RANGE = re.compile(r"\s*\[\s*([0-9]{1,4})\s*,\s*([0-9]{1,4})\s*\)\s*")


@dataclass(frozen=True)
class DeviceChoice:
    """The devices chosen.

    Attributes:
        logical_ids: positions in the list of visible devices, consecutive.
        visible_ids: physical number of every visible device.
    """

    logical_ids: tuple[int, ...]
    visible_ids: tuple[int, ...]

    @property
    def physical_ids(self) -> tuple[int, ...]:
        """Physical numbers of the devices chosen."""
        return tuple(self.visible_ids[index] for index in self.logical_ids)


def choose_devices(device_num: str, visible_devices: str | None) -> DeviceChoice:
    """Returns the devices that the two options mean.

    Args:
        device_num: "[FIRST,END)", positions in the list of visible devices.
        visible_devices: physical numbers, "4,5,6,7"; None for all of a host, of 8 cards where the range fits, else 16.

    Raises:
        BadValueError: a text is malformed, the range empty, reversed or out of range, or it crosses the groups.
    """
    first, end = _parse_range(device_num)
    if visible_devices is None:
        visible = tuple(range(CARDS if end <= CARDS else MAX_DEVICES_PER_SERVER))
        what = f"a host has at most {MAX_DEVICES_PER_SERVER} devices"
    else:
        visible = _parse_visible(visible_devices)
        what = f"--visible_devices lists {len(visible)}, counted from 0"
    if end > len(visible):
        raise BadValueError(f"--device_num is [{first},{end}), but {what}; wanted a range inside [0,{len(visible)})")
    choice = DeviceChoice(tuple(range(first, end)), visible)
    is_large = len(visible) > CARDS or max(visible) >= CARDS
    if not is_large and (_crosses(choice.logical_ids) or _crosses(choice.physical_ids)):
        raise BadValueError(
            f"device num [{first},{end}) must be in the same group of [0,{GROUP}) or [{GROUP},{CARDS}), or be "
            f"[0,{CARDS}){_mapping(choice)}; for a host of {MAX_DEVICES_PER_SERVER} cards "
            "list them all in --visible_devices"
        )
    return choice


def _parse_range(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if not match:
        raise BadValueError(
            f'--device_num is {short(text)}, wanted a range in quotes like "[0,8)", the end not included'
        )
    first, end = int(match[1]), int(match[2])
    if first == end:
        raise BadValueError(
            f'--device_num is [{first},{end}), which is empty; wanted at least one device, like "[{first},{first + 1})"'
        )
    if first > end:
        raise BadValueError(
            f"--device_num is [{first},{end}), which is reversed; wanted the first device and then the "
            f'end, like "[{end},{first})"'
        )
    return first, end


def _parse_visible(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if re.fullmatch(r"[0-9]{1,4}", part)]
    if len(numbers) != len(parts) or max(numbers) >= MAX_DEVICES_PER_SERVER:
        raise BadValueError(
            f"--visible_devices is {short(text)}, wanted numbers of devices from 0 to {MAX_DEVICES_PER_SERVER - 1} "
            'with commas, like "4,5,6,7"'
        )
    if len(set(numbers)) != len(numbers):
        raise BadValueError(f"--visible_devices is {short(text)}, which lists a device twice; wanted each once")
    return tuple(numbers)


def _crosses(numbers: Sequence[int]) -> bool:
    """Says whether devices of an 8-card host are of both groups and not all eight."""
    return len({number // GROUP for number in numbers}) > 1 and len(numbers) < CARDS


def _mapping(choice: DeviceChoice) -> str:
    if choice.physical_ids == choice.logical_ids:
        return ""
    return f" (these are the devices {', '.join(map(str, choice.physical_ids))})"
