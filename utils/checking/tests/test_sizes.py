"""Which input suits pictures; all numbers are worked by hand."""

import numpy as np

from utils.checking.findings import Findings, Options
from utils.checking.sizes import add_padding, add_scale, fit_inside, fit_turned, leaner_input


def test_a_square_input_is_too_high_for_wide_pictures():
    """480 x 640 in 640 x 640 has scale 1 and fills 0.75; 512 x 640 is the smallest with multiples of 128."""
    found, sizes = Findings(Options()), [(480, 640)] * 4
    assert leaner_input(sizes, (640, 640), 128, fit_inside) == (512, 640)
    add_padding(found, "train", sizes, (640, 640), (512, 640), "img_shape", fit_inside)
    (finding,) = found.ordered()
    assert finding.count == 4
    assert finding.what.startswith("pictures fill 75 % of the input of 640 x 640")
    assert finding.fix == "512 x 640 (img_shape) shows them as large with 20 % fewer pixels to compute"


def test_an_input_that_fits_has_no_better_one():
    assert leaner_input([(480, 640)], (512, 640), 128, fit_inside) is None
    assert leaner_input([], (512, 640), 128, fit_inside) is None
    assert leaner_input([(10, 10)], (32, 32), 32, fit_inside) is None


def test_upright_pictures_get_the_turned_input():
    """Scales 512 / 400 = 1.28 of both: as they lie, the upright one would have 512 / 800 = 0.64."""
    sizes, inputs = np.array([(400.0, 800.0), (800.0, 400.0)]), np.array([(512.0, 1024.0)])
    np.testing.assert_allclose(fit_turned(sizes, inputs), [[1.28, 1.28]])
    np.testing.assert_allclose(fit_inside(sizes, inputs), [[1.28, 0.64]])


def test_street_pictures_of_360_x_480():
    """Scale min(512 / 360, 1024 / 480) = 1.42; 0.98 times it is 1.394, which wants 502 x 669: 512 x 672."""
    assert leaner_input([(360, 480)], (512, 1024), 32, fit_turned) == (512, 672)


def test_enlarged_pictures_are_said_with_the_input_that_takes_them_as_they_are():
    """100 x 200 in 512 x 1024 is enlarged 5.12 times; multiples of 32 from it on are 128 x 224, 5.5 % of the pixels."""
    found = Findings(Options())
    add_scale(found, "train", [(100, 200)], (512, 1024), 32, "base_size", fit_turned)
    (finding,) = found.ordered()
    assert finding.code == "pictures-enlarged"
    assert finding.what.startswith("picture is enlarged 5.12 times")
    assert finding.fix.startswith("128 x 224 (base_size) shows most of them unchanged, with 5.5 % of the pixels")


def test_shrunk_pictures_are_said():
    found = Findings(Options())
    add_scale(found, "train", [(2048, 4096)], (512, 1024), 32, "base_size", fit_turned)
    assert [each.code for each in found.ordered()] == ["pictures-shrunk"]
    assert "thinner than 4 pixels" in found.ordered()[0].fix
