"""Label anchors are grouped by card: labels inside values, other print, cards of two persons, other documents."""

import pytest

from inkgate.engines.idcard import read_idcard
from inkgate.engines.idcard.labels import LABELS
from inkgate.engines.types import IdCard

from .paper import PaintReader, Sheet

FIRST, SECOND = "11010519491231002X", "110105198005060019"


def portrait(sheet, x=0, y=0, name="程契", number=FIRST, addr=("北京市朝阳区迎宾", "路12号3单元")):
    sheet.line(x + 80, y + 110, f"姓名{name}").line(x + 80, y + 190, "性别女民族汉")
    sheet.line(x + 80, y + 270, f"出生{number[6:10]}年{int(number[10:12])}月{int(number[12:14])}日")
    sheet.line(x + 80, y + 350, f"住址{addr[0]}")
    for i, row in enumerate(addr[1:]):
        sheet.line(x + 142, y + 400 + 50 * i, row)
    return sheet.line(x + 80, y + 560, "公民身份号码").line(x + 330, y + 560, number, h=36)


def emblem(sheet, x=0, y=0, org="北京市公安局朝阳分局", period="2007.07.27-2027.07.27"):
    sheet.line(x + 360, y + 230, "居民身份证", h=80).line(x + 220, y + 480, "签发机关").line(x + 420, y + 480, org)
    return sheet.line(x + 220, y + 570, "有效期限").line(x + 420, y + 570, period)


def read(sheet, extras=False):
    return read_idcard(PaintReader(sheet), sheet.image(), extras=extras)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("性别女民族汉", ["性别", "民族"]),
        ("女民族汉", ["民族"]),
        ("住址南宁市民族大道1号", ["住址"]),
        ("涵江区出生坑村", []),
        ("柳州市公民身份号码街", []),
        ("李民族", []),
        ("·出生1990年", ["出生"]),
    ],
)
def test_a_label_inside_a_strip_needs_the_text_that_precedes_it_on_cards(text, labels):
    assert [text[start:end] for key, start, end in LABELS.cut(text) if key] == labels


@pytest.mark.parametrize(
    "addr",
    [
        ("南宁市青秀区民族大道", "157号财富国际2号楼"),
        ("南宁市青秀区财富国际", "民族大道157号"),
        ("莆田市涵江区", "新出生坑村12号"),
        ("廊坊市广阳区", "住址街3号院6号楼"),
        ("鞍山市铁东区公民身份号码街", "性别巷8号"),
    ],
)
def test_words_of_labels_in_an_address_stay_in_it(addr):
    card = read(portrait(Sheet(), addr=addr))
    assert (card.addr, card.nation, card.birthday) == ("".join(addr), "汉", "19491231")


def test_words_of_labels_in_an_authority_and_a_name_stay_in_them():
    assert read(emblem(Sheet(), org="三都县公安局民族分局")).org == "三都县公安局民族分局"
    sheet = portrait(Sheet(), name="")
    sheet.lines = [line for line in sheet.lines if line[0] != "姓名"]
    assert read(sheet.line(80, 110, "姓名").line(195, 110, "黎民族")).name == "黎民族"


@pytest.mark.parametrize("at", [(700, 40), (20, 40), (1150, 500), (20, 800)])
def test_a_form_beside_the_card_with_the_same_labels_is_left_out(at):
    sheet = portrait(Sheet(1800, 1300), 250, 250)
    for i, row in enumerate(("姓名何欣怡", "性别男", "民族回", "住址东湖街8号")):
        sheet.line(at[0], at[1] + 60 * i, row)
    if at == (700, 40):
        sheet.lines = sheet.lines[:-3]
    card = read(sheet)
    assert (card.name, card.sex, card.nation, card.addr) == ("程契", "女", "汉", "北京市朝阳区迎宾路12号3单元")


@pytest.mark.parametrize(("x", "y"), [(0, 640), (1000, 0), (60, 620)])
def test_of_two_persons_one_is_answered_whole(x, y):
    sheet = portrait(Sheet(2000, 1300))
    portrait(sheet, x, y, "何欣怡", SECOND, ("上海市静安区", "长寿路8号"))
    card = read(sheet, extras=True)
    assert (card.name, card.idn, card.addr) == ("程契", FIRST, "北京市朝阳区迎宾路12号3单元")
    assert "several_cards" in card.extras["warnings"]
    assert "several_cards" not in read(portrait(Sheet()), extras=True).extras["warnings"]


def test_the_emblem_side_goes_with_the_person_whose_address_names_its_places():
    sheet = portrait(Sheet(2000, 1400), addr=("北京市丰台区", "长寿路8号"))
    portrait(sheet, 1000, 0, "何欣怡", SECOND, ("北京市朝阳区", "迎宾路12号"))
    emblem(emblem(sheet, 0, 660), 1000, 660, "北京市公安局丰台分局", "2011.01.02-2031.01.02")
    card = read(sheet)
    assert (card.name, card.org, card.validperiod) == ("程契", "北京市公安局丰台分局", "2011.01.02-2031.01.02")


def test_an_emblem_side_that_could_be_that_of_either_person_is_left_out():
    sheet = portrait(Sheet(2000, 1400))
    portrait(sheet, 1000, 0, "何欣怡", SECOND)
    card = read(emblem(sheet, 0, 660))
    assert (card.note, card.name, card.org, card.validperiod) == ("back", "程契", "", "")


def test_of_two_emblem_sides_one_is_answered_whole():
    sheet = emblem(emblem(Sheet(1000, 1400)), 0, 660, "安阳县公安局", "2011.01.02-长期")
    card = read(sheet, extras=True)
    assert (card.org, card.validperiod) == ("北京市公安局朝阳分局", "2007.07.27-2027.07.27")
    assert "several_cards" in card.extras["warnings"]


REGISTER = (
    "姓名程契",
    "性别女",
    "民族汉",
    "出生日期1949年12月31日",
    "籍贯北京",
    f"公民身份号码{FIRST}",
    "婚姻状况未婚",
)
PERMIT = (
    "姓名程契",
    "出生日期1949.12.31",
    "性别女",
    "签发机关公安部出入境管理局",
    "有效期限2007.07.27-2027.07.27",
    "签发地点北京",
)
PASSPORT = ("姓名程契", "国籍中国", "出生日期1949", "签发日期2016", "签发机关公安部", "有效期至2026.12.05")
INSURANCE = ("社会保障卡", "姓名程契", "性别女", "民族汉", f"社会保障号码{FIRST}", "发卡日期2019年")


@pytest.mark.parametrize(
    "rows", [REGISTER, PERMIT, PASSPORT, INSURANCE, ("常住人口登记卡", *REGISTER[:3], *REGISTER[5:6])]
)
def test_other_documents_with_labels_of_cards_are_none(rows):
    sheet = Sheet()
    for i, row in enumerate(rows):
        sheet.line(80, 70 + 70 * i, row)
    assert read(sheet) == IdCard()


def test_a_card_beside_another_document_is_read():
    sheet = portrait(Sheet(2000, 1000))
    for i, row in enumerate(REGISTER):
        sheet.line(1200, 100 + 70 * i, row)
    assert (card := read(sheet)).name == "程契"
    assert card.idn == FIRST


def test_the_word_for_the_card_in_a_form_is_no_title():
    assert read(Sheet().line(80, 100, "居民身份证号码").line(80, 200, "居民身份证复印件粘贴处")) == IdCard()
