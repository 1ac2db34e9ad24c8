"""Identity cards: labels to fields, sides by the manual's names, and what is no card."""

import numpy as np
import pytest

from inkgate.engines.idcard import read_idcard
from inkgate.engines.types import IdCard

from .paper import PaintReader, Sheet

NUMBER = "11010519491231002X"


def portrait(turn=0.0):
    sheet = Sheet(turn=turn)
    sheet.line(80, 110, "姓名程契").line(80, 190, "性别女民族汉")
    sheet.line(80, 270, "出生1949年12月31日")
    sheet.line(80, 350, "住址北京市朝阳区迎宾").line(195, 400, "路12号3单元").line(195, 450, "201室")
    return sheet.line(80, 560, "公民身份号码").line(330, 560, NUMBER, h=36)


def emblem():
    sheet = Sheet().line(400, 120, "中华人民共和国", h=50).line(360, 230, "居民身份证", h=80)
    sheet.line(220, 480, "签发机关").line(420, 460, "北京市公安局").line(420, 502, "朝阳分局")
    return sheet.line(220, 570, "有效期限").line(420, 570, "2007.07.27-2027.07.27")


def read(sheet, orientation=0):
    return read_idcard(PaintReader(sheet, orientation), sheet.image())


@pytest.mark.parametrize("turn", [0, -9, 9])
def test_portrait_side_is_back_and_all_its_fields_are_read(turn):
    card = read(portrait(turn))
    assert card == IdCard(
        note="back",
        name="程契",
        sex="女",
        nation="汉",
        birthday="19491231",
        idn=NUMBER,
        addr="北京市朝阳区迎宾路12号3单元201室",
    )


def test_emblem_side_is_front_the_reverse_of_other_vendors():
    card = read(emblem())
    assert card == IdCard(note="front", org="北京市公安局朝阳分局", validperiod="2007.07.27-2027.07.27")


def test_turned_image_is_set_upright_first():
    sheet = portrait()
    turned = np.ascontiguousarray(np.rot90(sheet.image()))
    assert read_idcard(PaintReader(sheet, 90), turned).addr == "北京市朝阳区迎宾路12号3单元201室"


def test_both_sides_in_one_image_are_one_card_with_all_fields():
    both = Sheet(1000, 1300, lines=list(portrait().lines))
    for text, quad in emblem().lines:
        both.lines.append((text, tuple((x, y + 650) for x, y in quad)))
    card = read(both)
    assert card.note == "back"
    assert all((card.name, card.sex, card.nation, card.birthday, card.idn, card.addr, card.org, card.validperiod))


def test_long_validity_and_number_in_lower_case():
    sheet = Sheet().line(220, 480, "签发机关").line(420, 480, "安阳县公安局")
    sheet.line(220, 570, "有效期限").line(420, 570, "2007.07.27-长期")
    assert read(sheet).validperiod == "2007.07.27-长期"


def test_watermark_laid_across_stays_out():
    sheet = portrait().line(300, 360, "仅供实名认证使用", tilt=-28)
    assert read(sheet).addr == "北京市朝阳区迎宾路12号3单元201室"


def test_residence_permit_has_no_nation_and_leaks_no_permit_number():
    sheet = Sheet().line(80, 110, "姓名陈大文").line(80, 190, "性别男").line(80, 270, "出生1990年1月2日")
    sheet.line(80, 350, "住址广东省深圳市南山区科技路1号").line(80, 560, "公民身份号码810000199001020018")
    assert read(sheet).nation == ""
    sheet = Sheet().line(400, 120, "中华人民共和国", h=50).line(330, 200, "港澳居民居住证", h=60)
    sheet.line(100, 400, "签发机关深圳市公安局").line(100, 470, "有效期限2019.01.02-2024.01.02")
    sheet.line(100, 540, "通行证号码H12345678").line(600, 540, "签发次数01")
    card = read(sheet)
    assert (card.note, card.org, card.validperiod) == ("front", "深圳市公安局", "2019.01.02-2024.01.02")


def test_number_whose_check_fails_is_returned_as_printed():
    sheet = portrait()
    sheet.lines[-1] = ("110105194912310020", sheet.lines[-1][1])
    card = read(sheet)
    assert card.idn == "110105194912310020"
    assert card.birthday == "19491231"


@pytest.mark.parametrize("title", ["中华人民共和国机动车驾驶证", "某某超市会员卡", "员工工作证"])
def test_other_cards_are_no_identity_card(title):
    sheet = Sheet().line(200, 60, title, h=50).line(80, 160, "姓名程契").line(80, 230, "性别女")
    sheet.line(80, 300, "住址北京市朝阳区迎宾路").line(80, 400, f"证号{NUMBER}")
    assert read(sheet) == IdCard()


def test_an_empty_image_is_no_card():
    assert read(Sheet()) == IdCard()


def test_labels_in_halves_and_a_row_without_its_label_are_read():
    sheet = Sheet()
    sheet.line(80, 110, "姓").line(130, 110, "名程静").line(80, 190, "性别女民旅汉")
    sheet.line(80, 270, "出").line(130, 270, "生1949年12月31日")
    sheet.line(80, 350, "焦址").line(195, 350, "北京市朝阳区迎宾").line(195, 400, "路12号3单元")
    card = read(sheet.line(80, 560, "公民身份号码").line(330, 560, NUMBER, h=36))
    assert (card.name, card.nation, card.addr) == ("程静", "汉", "北京市朝阳区迎宾路12号3单元")


@pytest.mark.parametrize(
    "rows", [("阿卜杜热合曼·", "买买提艾力"), ("哈尼克孜·买合木", "提江"), ("木合塔尔江吐", "尔逊")]
)
@pytest.mark.parametrize("shift", [0, 18])
def test_a_name_in_two_rows_is_joined_from_above(rows, shift):
    sheet = portrait()
    sheet.lines = [line for line in sheet.lines if not line[0].startswith("姓名")]
    sheet.line(80, 100, "姓名").line(195, 82 + shift, rows[0], h=26).line(195, 115 + shift, rows[1], h=26)
    assert read(sheet).name == "".join(rows)


def test_what_a_watermark_leaves_behind_an_authority_is_cut_off():
    sheet = Sheet().line(400, 120, "中华人民共和国", h=50).line(360, 230, "居民身份证", h=80)
    sheet.line(220, 480, "签发机关").line(420, 480, "巴青县公安局房")
    assert read(sheet.line(220, 570, "有效期限").line(420, 570, "2007.07.27-长期")).org == "巴青县公安局"
