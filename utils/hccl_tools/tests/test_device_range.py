"""--device_num and --visible_devices: what they choose, and a sentence for each that chooses nothing sound."""

import pytest

from utils.hccl_tools.device_range import choose_devices
from utils.model_utils.errors import BadValueError

ALL_16 = ",".join(map(str, range(16)))


@pytest.mark.parametrize(
    ("device_num", "visible", "physical"),
    [
        ("[0,8)", None, range(8)),
        ("[0, 2)", None, [0, 1]),
        (" [ 4 , 8 ) ", None, [4, 5, 6, 7]),
        ("[7,8)", None, [7]),
        ("[0,4)", "4,5,6,7", [4, 5, 6, 7]),
        ("[1,3)", " 4, 5 ,6,7", [5, 6]),
        ("[0,1)", "6", [6]),
        ("[0,16)", None, range(16)),
        ("[10,12)", None, [10, 11]),
        ("[3,13)", None, range(3, 13)),  # a 16-card host has no groups of four
        ("[3,6)", ALL_16, [3, 4, 5]),
        ("[0,8)", "8,9,10,11,12,13,14,15", range(8, 16)),
        ("[0,8)", "7,6,5,4,3,2,1,0", range(7, -1, -1)),
    ],
)
def test_ranges_choose_positions_among_the_visible_devices(device_num, visible, physical):
    assert list(choose_devices(device_num, visible).physical_ids) == list(physical)


def test_without_visible_devices_a_host_has_as_many_as_the_range_needs():
    assert choose_devices("[0,8)", None).visible_ids == tuple(range(8))
    assert choose_devices("[8,9)", None).visible_ids == tuple(range(16))


@pytest.mark.parametrize(
    ("device_num", "visible", "sentence"),
    [
        ("[3,3)", None, '[3,3), which is empty; wanted at least one device, like "[3,4)"'),
        ("[5,2)", None, '[5,2), which is reversed; wanted the first device and then the end, like "[2,5)"'),
        ("[0,17)", None, "is [0,17), but a host has at most 16 devices; wanted a range inside [0,16)"),
        ("[4,8)", "4,5,6,7", "is [4,8), but --visible_devices lists 4, counted from 0; wanted a range inside [0,4)"),
        ("[3,6)", None, "device num [3,6) must be in the same group of [0,4) or [4,8), or be [0,8); for a host of 16"),
        ("[0,7)", None, "device num [0,7) must be in the same group of [0,4) or [4,8), or be [0,8)"),
        (
            "[0,4)",
            "2,3,4,5",
            "must be in the same group of [0,4) or [4,8), or be [0,8) (these are the devices 2, 3, 4, 5)",
        ),
        ("[0,8]", None, "--device_num is '[0,8]', wanted a range in quotes like \"[0,8)\", the end not included"),
        ("0,8", None, "wanted a range in quotes"),
        ("8", None, "wanted a range in quotes"),
        ("", None, "wanted a range in quotes"),
        ("[-1,2)", None, "wanted a range in quotes"),
        ("[0,2,4)", None, "wanted a range in quotes"),
        ("[٠,٢)", None, "wanted a range in quotes"),
        ("[0,99999999999)", None, "wanted a range in quotes"),
        ("[0,1)", "4,5,x", "--visible_devices is '4,5,x', wanted numbers of devices from 0 to 15 with commas"),
        ("[0,1)", "", "--visible_devices is '', wanted numbers"),
        ("[0,1)", "4,,5", "wanted numbers"),
        ("[0,1)", "16", "wanted numbers of devices from 0 to 15"),
        ("[0,1)", "4,5,4", "--visible_devices is '4,5,4', which lists a device twice"),
    ],
)
def test_others_are_refused_in_one_sentence(device_num, visible, sentence):
    with pytest.raises(BadValueError) as error:
        choose_devices(device_num, visible)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
