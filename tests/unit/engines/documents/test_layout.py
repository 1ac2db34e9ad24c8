"""Values of licences that columns alone do not give: isolated labels, rows that a seal interrupts, background text."""

from inkgate.engines.document.labels import TextSegment
from inkgate.engines.document.scan import Strip
from inkgate.engines.licence.layout import lay_out


def strip(u0, v, text, h=20.0, length=None):
    u1 = u0 + (length or 0.8 * h * len(text))
    quad = ((u0, v - h / 2), (u1, v - h / 2), (u1, v + h / 2), (u0, v + h / 2))
    return Strip(quad, u0, u1, v, h, 0.0, text, 0.99, True, text)


def column():
    rows = ("名称厦门市兴隆商贸有限公司", "法定代表人秦泽林", "注册资本贰佰万元整", "成立日期2001年02月11日")
    return [strip(100, 100 + 50 * i, row) for i, row in enumerate(rows)]


def region_reader(text=""):
    """Answers regions on the row of the address that begin with its value; there is nothing elsewhere."""

    def read(u0, u1, v, h):
        on_row = abs(v - 300) < 5 and 200 < u0 < 300
        return TextSegment(None, text, u0, u1, v, h, strip(u0, v, text, h, u1 - u0)) if text and on_row else None

    return read


def test_a_label_outside_every_column_has_its_value():
    strips = [*column(), strip(600, 150, "住"), strip(640, 150, "所厦门市湖里区朝阳东路"), strip(660, 180, "233号15幢")]
    assert lay_out(strips).text("addr") == "厦门市湖里区朝阳东路233号15幢"


def test_a_word_of_a_label_inside_a_value_is_no_label_without_column():
    strips = [*column(), strip(100, 300, "经营范围住所管理")]
    assert lay_out(strips).text("addr") == ""


def interrupted():
    return [
        *column(),
        strip(100, 300, "住所"),
        strip(240, 300, "湖州市南浔区新"),
        strip(420, 300, "1681号幸福里", 19.0),
    ]


def test_a_row_that_a_seal_interrupts_is_recognised_again_as_a_whole():
    whole = "湖州市南浔区新华西路1681号幸福里"
    assert lay_out(interrupted(), region_reader(whole)).text("addr") == whole


def test_a_row_recognised_again_that_does_not_confirm_both_ends_is_ignored():
    assert lay_out(interrupted(), region_reader("湖州市南浔区新华西路1681号")).text("addr") == "湖州市南浔区新"
    assert lay_out(interrupted(), region_reader()).text("addr") == "湖州市南浔区新"


def test_text_of_the_background_behind_a_value_is_no_part_of_it():
    strips = [*interrupted()[:-1], strip(405, 300, "有效会议通知", 29.0)]
    assert lay_out(strips, region_reader("湖州市南浔区新有效会议通知")).text("addr") == "湖州市南浔区新"
