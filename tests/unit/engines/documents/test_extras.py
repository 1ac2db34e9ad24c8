"""Extras: only when asked for, and in pixels of the image as it was sent."""

import numpy as np

from inkgate.engines.idcard import read_idcard
from inkgate.engines.licence import read_licence

from .paper import PaintReader
from .test_idcard import emblem, portrait
from .test_licence import single_column


def test_nothing_unless_asked_for():
    assert read_idcard(PaintReader(portrait()), portrait().image()).extras == {}


def test_boxes_lie_on_the_source_image_however_it_was_turned():
    sheet = portrait()
    turned = np.ascontiguousarray(np.rot90(sheet.image()))
    extras = read_idcard(PaintReader(sheet, 90), turned, extras=True).extras
    assert extras["angle"] == 90
    (box,) = extras["fields"]["idn"]["boxes"]
    x, y = np.mean(box, axis=0).round().astype(int)
    upright = sheet.lines[-1][1]
    assert abs(x - np.mean(upright, axis=0)[1]) < 4  # a quarter turn to the left: x is the old y
    assert turned[y, x].tolist() != [255, 255, 255]


def test_contradictions_are_reported():
    sheet = portrait()
    sheet.lines[1] = ("性别男民族汉", sheet.lines[1][1])
    extras = read_idcard(PaintReader(sheet), sheet.image(), extras=True).extras
    assert "sex_contradicts_number" in extras["warnings"]
    old = emblem()
    old.lines[-1] = ("2004.07.27-2014.07.27", old.lines[-1][1])
    assert "expired" in read_idcard(PaintReader(old), old.image(), extras=True).extras["warnings"]


def test_print_at_the_edge_of_the_image_is_reported():
    sheet = portrait()
    right = round(sheet.lines[-1][1][1][0])  # where the number ends
    cut = np.ascontiguousarray(sheet.image()[:, : right - 4])
    assert "incomplete_border" in read_idcard(PaintReader(sheet), cut, extras=True).extras["warnings"]
    whole = read_idcard(PaintReader(sheet), sheet.image(), extras=True).extras["warnings"]
    assert "incomplete_border" not in whole


def test_registration_authority_is_reported_where_it_is_printed():
    sheet = single_column().line(500, 1100, "登记机关").line(500, 1150, "厦门市湖里区市场监督管理局")
    extras = read_licence(PaintReader(sheet), sheet.image(), extras=True).extras
    assert extras["authority"] == "厦门市湖里区市场监督管理局"


def test_scope_of_business_is_read_when_asked_for():
    sheet = single_column()
    licence = read_licence(PaintReader(sheet), sheet.image(), extras=True)
    assert licence.extras["scope"] == "预包装食品兼散装食品批发与零售。"
    assert licence.extras["fields"]["name"]["confidence"] == 0.99
