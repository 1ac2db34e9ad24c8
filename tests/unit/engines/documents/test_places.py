"""Place names: one wrong character is corrected where only one place fits; real names are left alone."""

import pytest

from inkgate.engines.document.places import correct_address, correct_authority, correct_company_name, region_of


@pytest.mark.parametrize(
    ("read", "printed"),
    [
        ("山东省荷泽市东明县科技路449号", "山东省菏泽市东明县科技路449号"),
        ("内蒙古自治区兴安盟扎责特旗音德尔镇", "内蒙古自治区兴安盟扎赉特旗音德尔镇"),
        ("山东省枣庄市峰城区榴园路1号", "山东省枣庄市峄城区榴园路1号"),
        ("新疆维吾尔自治区巴音郭楞蒙古自治州末县三岔口乡", "新疆维吾尔自治区巴音郭楞蒙古自治州且末县三岔口乡"),
        ("楚雄舞族自治州牟定县赵家堡街道", "楚雄彝族自治州牟定县赵家堡街道"),
        ("安徽省黄山市黔县滨河大道337号", "安徽省黄山市黟县滨河大道337号"),
        ("北京市石景山区迎宾路12号", "北京市石景山区迎宾路12号"),
        ("北京市崇文区迎宾路12号", "北京市崇文区迎宾路12号"),  # abolished, still printed
        ("广东省东莞市南城街道1号", "广东省东莞市南城街道1号"),  # no county level
        ("科技路449号", "科技路449号"),
    ],
)
def test_address(read, printed):
    assert correct_address(read) == printed


@pytest.mark.parametrize(
    ("read", "printed"),
    [
        ("黄石市公安局西塞山分局", "黄石市公安局西塞山分局"),
        ("枣庄市公安局峰城分局", "枣庄市公安局峄城分局"),
        ("扎责特旗公安局", "扎赉特旗公安局"),
        ("江都市公安局", "江都市公安局"),  # abolished; 宜都市 is one character away
        ("某某出入境管理局", "某某出入境管理局"),
    ],
)
def test_authority(read, printed):
    assert correct_authority(read) == printed


def test_firm_takes_the_place_of_its_region():
    region = region_of("河南省漯河市临颍县前进镇")
    assert region == "411122"
    assert correct_company_name("临颖县锐飞烟酒商行", region) == "临颍县锐飞烟酒商行"
    assert correct_company_name("锐飞(临颖县)商贸有限公司", region) == "锐飞(临颍县)商贸有限公司"
    assert correct_company_name("上海锐飞商贸有限公司", region) == "上海锐飞商贸有限公司"
