"""The style sheet: one response of several files, each of them in it, in an order that is written down."""

from __future__ import annotations

from importlib.resources import files

from inkgate.service.console.assets import SHEETS, Assets

MOST_LINES = 300  # of a file


def test_every_style_file_is_in_the_one_sheet_of_a_page() -> None:
    folder = files("inkgate.service.console").joinpath("static/css")
    assert {entry.name for entry in folder.iterdir()} == {f"{name}.css" for name in SHEETS}
    sheet = Assets()._files["console.css"].plain.decode()
    for entry in folder.iterdir():
        text = entry.read_text("utf-8")
        assert text in sheet and text.count("{") == text.count("}"), entry.name
        assert len(text.splitlines()) < MOST_LINES, entry.name


def test_no_style_file_is_served_by_itself() -> None:
    assert not [name for name in Assets()._files if name.startswith("css/")]
