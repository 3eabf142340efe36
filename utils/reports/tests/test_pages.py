"""The pieces of a page: what stands in it, and that nothing of a user's names is taken for HTML."""

import re

import numpy as np
import pytest

from utils.reports.charts import Line, line_chart
from utils.reports.page import Figure, Section, figures, page
from utils.reports.pictures import LONGEST_SIDE, Shot, gallery, small_jpeg
from utils.reports.tables import Column, fold_matrix, matrix_table, show_number, sortable_table
from utils.reports.tests.browser import visit

NASTY = "</script><img src=http://example.org/x.png onerror=alert(1)> & \"quoted\" 'name'"


def test_names_stay_text():
    table = sortable_table([Column(NASTY), Column("n", NASTY)], [[NASTY, 1]])
    chart = line_chart([Line(NASTY, np.arange(2), np.arange(2)), Line("b", np.arange(2), np.arange(2))], NASTY, NASTY)
    matrix = matrix_table(np.eye(1, dtype=int), [NASTY], NASTY, unit="box")
    html = page(NASTY, [(NASTY, NASTY)], [Section("a", NASTY, NASTY, table + chart + matrix)], NASTY).decode()
    assert "<img src=http" not in html
    assert html.count("</script>") == 1, "that of the page itself"


def test_a_table_has_numbers_to_sort_by():
    html = sortable_table([Column("class"), Column("AP", is_share=True)], [["a", 0.25], ["b", None], ["c", np.nan]])
    assert '<td data-value="0.25" style="--share:0.250">0.250</td>' in html
    assert html.count('<td data-value="">–</td>') == 2
    assert (show_number(1234567), show_number(0.12345), show_number(1234.5678)) == ("1,234,567", "0.123", "1,234.6")


def test_a_chart_has_its_points_where_they_belong():
    """The range is 0 to 1 on both sides: x from 76 to 546, y from 300 down to 12; NaN leaves a gap."""
    html = line_chart(
        [Line("a", np.array([0, 0.5, 0.75, 1]), np.array([0, 1, np.nan, 0.5]))],
        "x",
        "y",
        x_range=(0, 1),
        y_range=(0, 1),
    )
    assert re.findall(r' d="([^"]*)"', html) == ["M76.0 300.0L311.0 12.0M546.0 156.0"]
    assert "nothing to draw" in line_chart([Line("a", np.zeros(0), np.zeros(0))], "x", "y")
    assert "quiet" in line_chart([Line(str(n), np.arange(2), np.arange(2)) for n in range(13)], "x", "y")


def test_a_line_has_the_colour_that_it_is_given():
    points = np.arange(2.0)
    html = line_chart(
        [Line("mean", points, points, is_main=True), Line("a", points, points, rgb=(255, 183, 3))], "x", "y"
    )
    assert '<path class="line given" style="stroke: #ffb703"' in html
    assert '<span class="given" data-name="a"><i style="background: #ffb703"></i>a</span>' in html


@pytest.mark.parametrize("values", [[3.0], [5e-9, 6e-9], [-1e6, 2e6], [0.0, 0.0]])
def test_any_range_has_ticks(values):
    html = line_chart([Line("a", np.arange(len(values)), np.array(values))], "x", "y")
    assert 3 <= html.count('text-anchor="end"') <= 8
    assert "nan" not in html and "inf" not in html


def test_many_classes_are_folded_into_one_place():
    """Errors: a 5, b 6, c 1, d 2; the two with most stay, c and d share a place, the last one is fixed."""
    matrix = np.array([[9, 5, 0, 0, 0], [0, 9, 1, 0, 0], [0, 0, 9, 0, 0], [0, 0, 0, 9, 0], [0, 0, 0, 2, 0]])
    folded, names = fold_matrix(matrix, ["a", "b", "c", "d", "background"], 2, num_fixed=1)
    assert names == ["a", "b", "2 other classes", "background"]
    assert folded.tolist() == [[9, 5, 0, 0], [0, 9, 1, 0], [0, 0, 18, 0], [0, 0, 2, 0]]
    same, all_names = fold_matrix(matrix, ["a", "b", "c", "d", "background"], 4, num_fixed=1)
    assert same is matrix
    assert len(all_names) == 5


def test_a_picture_is_no_larger_than_a_window():
    from io import BytesIO

    from PIL import Image

    jpeg = small_jpeg(np.zeros((100, 3 * LONGEST_SIDE, 3), np.uint8))
    assert Image.open(BytesIO(jpeg)).size == (LONGEST_SIDE, 33)
    assert gallery([Shot(jpeg, "a")]).count("data:image/jpeg;base64,") == 1


def test_the_browser_tells_of_errors_and_of_what_the_policy_refuses(tmp_path):
    """So that a page without such lines is one without faults."""
    path = tmp_path / "page.html"
    body = figures([Figure("n", "1")]) + '<img src="http://127.0.0.1:9/x.png">'
    path.write_bytes(page("t", [], [Section("a", "A", "", body)], "f"))
    seen = visit(path, tmp_path, "setTimeout(() => undefinedName(), 0); return {};")
    assert any("Content Security Policy" in line for line in seen.console)
    assert any("undefinedName" in line for line in seen.console)
