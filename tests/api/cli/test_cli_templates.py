"""What people and programs see of the encoders."""

from taskgraft.space.templates.registry import TEMPLATES
from tests.api.cli.commands import taskgraft

CONTRACT = {
    "name",
    "parameters",
    "macs_per_second",
    "published_setting_parameters",
    "published_parameters",
    "published_macs_per_second",
    "note",
}


def test_every_template_is_listed_with_ours_beside_what_is_published() -> None:
    said = taskgraft("templates", "--json")
    assert said.code == 0
    items = {item["name"]: item for item in said.document}
    assert list(items) == list(TEMPLATES)
    assert all(item.keys() >= CONTRACT for item in items.values())
    mobile = items["cp-mobile"]
    assert mobile["published_setting_parameters"] == mobile["published_parameters"] == 61_148
    assert (mobile["published_setting_macs_per_second"], mobile["published_macs_per_second"]) == (
        29_416_448,
        29_419_156,
    )
    assert items["resnet-deep"]["published_parameters"] is None
    assert [model["published_parameters"] for model in items["crnn"]["further_published"]] == [633_500]
    for item in items.values():
        ours, published = item["published_setting_parameters"], item["published_parameters"]
        assert published is None or item["note"] or abs(ours / published - 1) < 0.005


def test_people_see_the_same() -> None:
    said = taskgraft("templates")
    assert said.code == 0
    assert "vgg11-bn, 3 tasks (4, 10 and 2 classes) that share all blocks" in said.out
    assert "parameters: 63,762,576; published 63,762,576 (+0.0%)" in said.out
    assert "no width fits both figures" in said.out
