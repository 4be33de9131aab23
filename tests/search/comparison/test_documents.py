"""A comparison as files: the columns of the source paper's table, one row each, and a picture that is well-formed."""

import csv
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.search.comparison.documents import FILES, to_csv, to_markdown, write_comparison
from taskgraft.search.comparison.picture import draw_comparison
from taskgraft.search.study.comparison_table import ComparisonTable, RowTask
from tests.search.comparison.tables import TABLE, TASKS, row

EMPTY = ComparisonTable(0.02, (), TABLE.refusals, TABLE.remarks)
SVG = "{http://www.w3.org/2000/svg}"


def test_the_table_in_json_is_the_table() -> None:
    assert ComparisonTable.from_json(json.loads(json.dumps(TABLE.to_json()))) == TABLE


def test_csv_begins_with_the_columns_of_the_papers_table() -> None:
    lines = list(csv.reader(to_csv(TABLE).splitlines()))
    assert lines[0][:5] == ["model", "parameters", *TASKS, "ar"]
    assert [line[:5] for line in lines[1:3]] == [
        ["independent", "120000", "0.900000", "0.400000", "0.000000"],
        ["tree", "52600", "0.881000", "0.400000", "0.019000"],
    ]
    assert {len(line) for line in lines} == {len(lines[0])}
    by_name = dict(zip(lines[0], lines[2], strict=True))
    assert (by_name["ar_low"], by_name["ar_high"]) == ("0.009500", "0.039000")
    assert (by_name["stored_bytes"], by_name["trainings"], by_name["seconds"]) == ("210400", "7", "12.3")
    assert by_name["note"] == "split, after block 6"
    assert to_csv(EMPTY).startswith("model,parameters,ar,")


def test_further_sizes_come_last_and_old_tables_are_read_without_them() -> None:
    pruned = replace(TABLE.rows[1], nominal_parameters=21_000, packed_bytes=90_000)
    table = replace(TABLE, rows=(TABLE.rows[0], pruned))
    lines = list(csv.reader(to_csv(table).splitlines()))
    assert lines[0][-5:] == ["seeds", "system", "note", "nominal_parameters", "packed_bytes"]
    assert [line[-2:] for line in lines[1:]] == [["120000", "480000"], ["21000", "90000"]]
    assert "| about | nominal parameters | packed bytes |" in to_markdown("spoken", table)
    assert "| split, after block 6 | 21,000 | 90,000 |" in to_markdown("spoken", table)
    assert ComparisonTable.from_json(json.loads(json.dumps(table.to_json()))) == table
    plain = json.loads(json.dumps(TABLE.to_json()))
    for written in plain["rows"]:
        del written["nominal_parameters"], written["packed_bytes"]
        for part in written["parts"]:
            del part["recipe"]
    assert ComparisonTable.from_json(plain) == TABLE


def test_markdown_has_a_line_for_every_row_refusal_and_remark() -> None:
    text = to_markdown("spoken", TABLE)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(TABLE.rows)
    assert {line.replace("\\|", "").count("|") for line in lines} == {lines[0].replace("\\|", "").count("|")}
    assert "88.1 (78.1 to 95.0)" in text
    assert "- hoa: too many tasks" in text
    assert "- figures are of the test split" in text
    assert "| " not in to_markdown("spoken", EMPTY)


def test_the_picture_has_a_point_and_a_name_for_every_row() -> None:
    svg = ET.fromstring(draw_comparison(TABLE))
    points = svg.findall(f"{SVG}circle")
    assert len(points) == 3
    assert float(points[0].attrib["cx"]) > float(points[1].attrib["cx"])  # larger models to the right
    assert float(points[0].attrib["cy"]) > float(points[1].attrib["cy"])  # those that lose more at the top
    labels = [text for text in svg.findall(f"{SVG}text") if text.text in [row.name for row in TABLE.rows]]
    assert sorted(label.text or "" for label in labels) == sorted(row.name for row in TABLE.rows)
    heights = {label.text: float(label.attrib["y"]) for label in labels}
    assert abs(heights["tree"] - heights["{gender} {age|group}"]) >= 15  # names do not overlap
    assert "AR 1.90 %" in (svg.findtext(f"{SVG}desc") or "")
    assert ET.fromstring(draw_comparison(EMPTY)).findall(f"{SVG}circle") == []


def test_the_names_of_forty_rows_of_one_size_do_not_overlap() -> None:
    rows = tuple(row(f"row-{place:02}", 0.02 + 0.0001 * (place * 7 % 40), 43_000) for place in range(40))
    svg = ET.fromstring(draw_comparison(replace(TABLE, rows=(*rows, row("independent", 0.0, 120_000)))))
    height = float(svg.attrib["height"])
    texts = [text for text in svg.findall(f"{SVG}text") if (text.text or "").startswith("row-")]
    places = sorted((float(text.attrib["y"]), text.text or "") for text in texts)
    assert len(places) == 40
    assert all(second[0] - first[0] >= 14.9 for first, second in pairwise(places))
    assert 0 < places[0][0] < places[-1][0] < height
    by_name = {one.name: one.ar for one in rows}
    assert [by_name[name] for _, name in places] == sorted(by_name.values(), reverse=True), "in the order of the points"


def test_all_files_are_written(tmp_path: Path) -> None:
    write_comparison(tmp_path, "spoken", TABLE)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FILES)
    assert ComparisonTable.from_json(json.loads((tmp_path / "comparison.json").read_text())) == TABLE


def test_an_interval_that_does_not_hold_its_metric_is_refused() -> None:
    with pytest.raises(InvalidInput, match="an interval holds its metric"):
        RowTask("a", "accuracy", 0.9, (0.91, 0.95), None)
