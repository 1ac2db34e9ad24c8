"""Business licences: every form's labels, spread labels, two columns, and what is no licence."""

import pytest

from inkgate.engines.licence import read_licence
from inkgate.engines.types import Licence

from .paper import PaintReader, Sheet

CODE = "91350211M000100Y46"


def read(sheet):
    return read_licence(PaintReader(sheet), sheet.image())


def single_column():
    sheet = Sheet(1000, 1300).line(300, 200, "营业执照", h=90).line(250, 330, f"统一社会信用代码{CODE}")
    sheet.line(120, 400, "名").line(230, 400, "称厦门市兴隆商贸有限公司")
    sheet.line(120, 460, "类").line(230, 460, "型").line(300, 460, "有限责任公司(自然人独资)")
    sheet.line(120, 520, "住").line(230, 520, "所厦门市湖里区朝阳东路").line(300, 562, "233号15幢")
    sheet.line(120, 620, "法定代表人秦泽林").line(120, 680, "注册资本贰佰万元整")
    sheet.line(120, 740, "成立日期2001年02月11日").line(120, 800, "营业期限2001年02月11日至2021年02月10日")
    return sheet.line(120, 860, "经营范围预包装食品兼散装食品").line(300, 902, "批发与零售。")


def test_single_column_form():
    assert read(single_column()) == Licence(
        is_licence=True,
        union_id=CODE,
        name="厦门市兴隆商贸有限公司",
        type="有限责任公司(自然人独资)",
        addr="厦门市湖里区朝阳东路233号15幢",
        legal_rep="秦泽林",
        regist_capital="贰佰万元整",
        establish_date="2001年02月11日",
        operation_period="2001年02月11日至2021年02月10日",
        real_capital=None,
    )


def test_old_two_column_form_with_split_period():
    sheet = Sheet(1500, 1000).line(500, 150, "企业法人营业执照", h=80).line(900, 260, "注册号130181222048406")
    sheet.line(100, 340, "名称辛集市宏海教育咨询有限公司").line(100, 400, "住所河北省辛集市永安村29号")
    sheet.line(100, 460, "法定代表人姓名彭琎").line(100, 520, "注册资本200万元人民币")
    sheet.line(100, 580, "实收资本200万元人民币").line(100, 640, "公司类型有限公司(自然人控股)")
    sheet.line(100, 700, "经营范围会议及展览服务").line(900, 350, "成立日期2006年10月27日")
    sheet.line(900, 430, "营业期限自2006年10月27日").line(1010, 475, "至2026年10月26日")
    licence = read(sheet)
    assert (licence.union_id, licence.regist_no) == ("", "130181222048406")
    assert licence.operation_period == "2006年10月27日至2026年10月26日"
    assert licence.real_capital == "200万元人民币"
    assert licence.legal_rep == "彭琎"


def test_two_columns_without_paid_in_capital_carry_the_empty_key():
    sheet = Sheet(1500, 1000).line(500, 150, "营业执照", h=80).line(100, 250, "统一社会信用代码").line(100, 295, CODE)
    sheet.line(100, 400, "名称厦门市湖里区阿明小吃店").line(100, 460, "类型个体工商户").line(100, 520, "经营者秦泽林")
    sheet.line(900, 400, "组成形式个人经营").line(900, 460, "注册日期2001年02月11日")
    sheet.line(900, 520, "经营场所厦门市湖里区朝阳东路233号")
    licence = read(sheet)
    assert licence.real_capital == ""
    assert (licence.legal_rep, licence.establish_date, licence.union_id) == ("秦泽林", "2001年02月11日", CODE)
    assert (licence.regist_capital, licence.operation_period) == ("", "")


def test_dates_in_chinese_numerals_stay_as_printed():
    sheet = single_column()
    sheet.lines = [line for line in sheet.lines if "2001" not in line[0]]
    sheet.line(120, 740, "成立日期二〇〇五年六月九日").line(120, 800, "营业期限自二OO五年六月九日至二〇二五年六月八日")
    licence = read(sheet)
    assert licence.establish_date == "二〇〇五年六月九日"
    assert licence.operation_period == "二〇〇五年六月九日至二〇二五年六月八日"


def test_round_zeros_stay_as_most_of_them_are_printed():
    sheet = single_column()
    sheet.lines = [line for line in sheet.lines if "2001" not in line[0]]
    sheet.line(120, 740, "成立日期二○○五年六月九日").line(120, 800, "营业期限自二Oo五年六月九日至二〇二五年六月八日")
    licence = read(sheet)
    assert licence.establish_date == "二○○五年六月九日"
    assert licence.operation_period == "二○○五年六月九日至二○二五年六月八日"


def test_permits_and_empty_images_are_no_licence():
    sheet = Sheet(1000, 1300).line(300, 200, "食品经营许可证", h=90).line(120, 400, "经营者名称厦门兴隆商贸有限公司")
    sheet.line(120, 460, f"社会信用代码{CODE}").line(120, 520, "法定代表人秦泽林").line(120, 580, "住所厦门市湖里区1号")
    assert read(sheet) == Licence()
    assert read(Sheet()) == Licence()


@pytest.mark.parametrize(
    ("printed", "answer"),
    [
        ("2008年08月27日至长期", "2008年08月27日至长期"),
        ("自2008年8月27日至2028年8月26日", "2008年8月27日至2028年8月26日"),
        ("2008年08月27日星2028年08月26日", "2008年08月27日至2028年08月26日"),  # 至 misread
        ("长期", "长期"),
        ("长期西", "长期"),
        ("2013年03月03日至22063年03月02", "2013年03月03日至2063年03月02日"),
        ("2013年03月03日至22063年03月02日", "2013年03月03日至2063年03月02日"),
        ("2008年08月27日 至 无固定期限", "2008年08月27日至无固定期限"),
        ("2008年08月27日至不约定期限", "2008年08月27日至不约定期限"),
        ("无固定期限", "无固定期限"),
        ("2008年08月27日", "2008年08月27日"),
    ],
)
def test_forms_of_the_period(printed, answer):
    sheet = single_column()
    sheet.lines = [(f"营业期限{printed}" if text.startswith("营业期限") else text, quad) for text, quad in sheet.lines]
    assert read(sheet).operation_period == answer


def test_a_watermark_that_names_another_paper_is_no_title():
    sheet = single_column().line(300, 300, "仅供房屋租赁合同使用", h=60, tilt=28)
    sheet.lines = [(text, quad) for text, quad in sheet.lines if text != "营业执照"]
    assert read_licence(PaintReader(sheet), sheet.image()).is_licence


def test_a_type_read_with_one_fault_is_corrected_and_an_unusual_one_stays():
    sheet = single_column()
    for read_as, answer in (
        ("有限责证公司(自然人独资)", "有限责任公司(自然人独资)"),
        ("有限责任公司(法人独资)私营", "有限责任公司(法人独资)私营"),
    ):
        sheet.lines = [(read_as if text.startswith("有限责") else text, quad) for text, quad in sheet.lines]
        assert read(sheet).type == answer


def test_two_zeros_of_a_chinese_year_that_were_read_as_one():
    sheet = single_column()
    sheet.lines = [
        ("成立日期二〇六年一月十三日" if text.startswith("成立日期") else text, quad) for text, quad in sheet.lines
    ]
    assert read(sheet).establish_date == "二〇〇六年一月十三日"


class Overlooking(PaintReader):
    """Detection that overlooks the lowest of the lines from `left` pixels on; reading still finds it."""

    left = 0.0

    def detect(self, image, *, limit_side=None):
        quads = super().detect(image, limit_side=limit_side)
        lowest = max((q for q in quads if q[0][0] > self.left), key=lambda q: q[0][1])
        return [q for q in quads if q is not lowest]


def test_a_row_that_was_not_detected_is_looked_for_where_the_form_has_it():
    sheet = Sheet(1500, 1000).line(500, 150, "营业执照", h=80).line(100, 250, "统一社会信用代码").line(100, 295, CODE)
    sheet.line(100, 400, "名称厦门市兴隆商贸有限公司").line(100, 460, "类型有限责任公司")
    sheet.line(100, 520, "法定代表人秦泽林").line(900, 400, "注册资本贰佰万元整")
    sheet.line(900, 460, "成立日期2001年02月11日").line(900, 520, "营业期限2001年02月11日至长期")
    reader = Overlooking(sheet)
    reader.left = 800.0
    assert read_licence(reader, sheet.image()).operation_period == "2001年02月11日至长期"


def test_half_labels_without_their_other_half():
    sheet = Sheet(1500, 1000).line(500, 150, "企业法人营业执照", h=80).line(900, 260, "注册号130181222048406")
    sheet.line(200, 340, "称辛集市宏海教育咨询有限公司").line(100, 400, "住所河北省辛集市永安村29号")
    sheet.line(100, 460, "法定代表人姓名彭琎").line(100, 520, "注").line(200, 520, "本").line(340, 520, "200万元人民币")
    sheet.line(100, 580, "类").line(210, 580, "T").line(250, 580, "有限公司(自然人控股)")
    sheet.line(900, 350, "成立日期2006年10月27日").line(900, 430, "营业期限长期")
    licence = read(sheet)
    assert licence.name == "辛集市宏海教育咨询有限公司"
    assert (licence.regist_capital, licence.type) == ("200万元人民币", "有限公司(自然人控股)")


@pytest.mark.parametrize(
    ("key", "printed", "answer"),
    [
        ("类型", "个体工商户有限", "个体工商户"),
        ("类型", "有限责任公司分公司", "有限责任公司分公司"),
        ("类型", "有限公司(法人独资)私营", "有限公司(法人独资)私营"),
        ("法定代表人", "郝静654087017C4C1", "郝静"),
        ("法定代表人", "JEAN PIERRE MOREAU", "JEAN PIERRE MOREAU"),
        ("法定代表人", " Jürgen  Müller", "Jürgen Müller"),
        ("法定代表人", "O'NEILL, PATRICK", "O'NEILL, PATRICK"),
        ("执行事务合伙人", "恒信投资有限公司(委派代表: JOHN SMITH)", "恒信投资有限公司(委派代表:JOHN SMITH)"),
        ("法定代表人", "秦 泽 林", "秦泽林"),
        ("注册资本", "伍佰万元整91", "伍佰万元整"),
        ("注册资本", "200万元人民币2001", "200万元人民币"),
        ("注册资本", "100万元人民币中分日", "100万元人民币"),
        ("注册资本", "贰佰万元(人民币)", "贰佰万元(人民币)"),
        ("注册资本", "贰佰万元(民币)", "贰佰万元(人民币)"),
        ("注册资本", "责仟万元型", "壹仟万元整"),
        ("注册资本", "人民币垂万元整", "人民币叁万元整"),
        ("注册资本", "1.000.000000万元", "1000.000000万元"),
        ("类型", "有限合伙企业SCJDGL", "有限合伙企业"),
    ],
)
def test_what_seals_leave_behind_a_value_is_cut_off(key, printed, answer):
    sheet = Sheet(1000, 1300).line(300, 200, "营业执照", h=90).line(250, 330, f"统一社会信用代码{CODE}")
    sheet.line(120, 400, "名称厦门市兴隆商贸有限公司").line(120, 460, f"{key}{printed}")
    licence = read(sheet.line(120, 620, "成立日期2001年02月11日"))
    assert answer in (licence.type, licence.legal_rep, licence.regist_capital)


@pytest.mark.parametrize(
    ("established", "period", "answer"),
    [
        ("2005年05月18日", "2005年05月19日至2015年05月18日", "2005年05月19日"),
        ("2005年5月18日", "2005年05月19日至2015年05月18日", "2005年5月19日"),
        ("号", "2005年05月19日至长期", "2005年05月19日"),
        ("2005年05月18日", "2005年05月19日至长期", "2005年05月18日"),  # no evidence for either
        ("2004年05月19日", "2005年05月19日至2015年05月18日", "2004年05月19日"),
    ],
)
def test_a_firm_is_established_on_the_first_day_of_its_term(established, period, answer):
    sheet = Sheet(1000, 1300).line(300, 200, "营业执照", h=90).line(250, 330, f"统一社会信用代码{CODE}")
    sheet.line(120, 400, "名称厦门市兴隆商贸有限公司").line(120, 460, "类型有限责任公司")
    sheet.line(120, 520, "成立日期").line(300, 520, established).line(120, 580, f"营业期限{period}")
    assert read(sheet).establish_date == answer


def test_a_term_of_whole_years_ends_on_the_day_before_it_began():
    sheet = single_column()
    sheet.lines = [
        ("营业期限2001年02月11日至2021年日月1" if t.startswith("营业期限") else t, quad) for t, quad in sheet.lines
    ]
    assert read(sheet).operation_period == "2001年02月11日至2021年02月10日"


def test_half_a_label_with_its_colon_leaves_an_empty_value_that_does_no_harm():
    sheet = Sheet(1500, 1000).line(500, 150, "企业法人营业执照", h=80).line(900, 260, "注册号130181222048406")
    sheet.line(200, 340, "称:").line(300, 340, "辛集市宏海教育咨询有限公司")
    sheet.line(100, 400, "住所河北省辛集市永安村29号").line(100, 460, "法定代表人姓名彭琎")
    sheet.line(900, 350, "成立日期2006年10月27日").line(900, 430, "营业期限长期")
    assert read(sheet).name == "辛集市宏海教育咨询有限公司"


def test_a_picture_of_nothing_but_upright_print_is_no_licence():
    sheet = Sheet(600, 600)
    sheet.lines.append(("竖排文字", ((300.0, 200.0), (330.0, 200.0), (330.0, 400.0), (300.0, 400.0))))
    assert read(sheet) == Licence()


def test_values_whose_labels_are_lost_are_known_by_their_form():
    sheet = Sheet(1000, 1300).line(300, 200, "营业执照", h=90).line(250, 330, f"统一社会信用代码{CODE}")
    sheet.line(300, 400, "厦门市兴隆商贸有限公司").line(300, 460, "有限责任公司(自然人独资)")
    sheet.line(120, 580, "法定代表人").line(300, 580, "秦泽林").line(120, 640, "注册资本").line(300, 640, "贰佰万元整")
    licence = read(sheet.line(120, 700, "成立日期").line(300, 700, "2001年02月11日"))
    assert (licence.name, licence.type) == ("厦门市兴隆商贸有限公司", "有限责任公司(自然人独资)")
