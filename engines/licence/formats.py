"""Formats of printed values, which identify values without labels and truncated values."""

from __future__ import annotations

import re

# Terms without an end.
NO_END = r"(?:无固定期限|不约定期限|无固定经营期限|无限期|长期|永久|永续)"
_YEAR = r"[\d〇零○一二三四五六七八九]{4}"
_CAPITAL = re.compile(r"^(人民币)?[\d.,零壹贰叁肆伍陆柒捌玖拾佰仟万亿]+万?(元|美元|万).*")
# Formats that identify a value whose label was lost.
FORMATS = {
    "operation_period": re.compile(rf".*({_YEAR}年.*月.*日.*至|至.*{_YEAR}年.*月.*日|^{NO_END}$)"),
    "establish_date": re.compile(r"^\S{4}年\S{1,2}月\S{1,3}日$"),
    "type": re.compile(
        r"^(个体工商户|.*(有限|股份|合伙|独资)\S*(公司|企业)?"
        r"\(.*(独资|控股|上市|合资|合作|经营).*\)|有限责任公司|.*分公司)$"
    ),
    "regist_capital": _CAPITAL,
    "real_capital": _CAPITAL,  # the second one
    "name": re.compile(r".{3,}(公司|店|厂|部|行|馆|中心|合作社|合伙\)|事务所|集团|餐厅|超市)$"),
    "addr": re.compile(r".*[省市区县旗镇乡].*([号室村组楼层幢栋]|\d)$"),
}
# Formats of values of whose label only the last character may be left, and these characters.
FORMATS_AFTER_LABEL_END = ("operation_period", "establish_date", "regist_capital")
LABEL_ENDS = "本期限所额"

_DATE = r"[\d〇零一二三四五六七八九十OoQ○]+年[\d元一二三四五六七八九十]+月[\d一二三四五六七八九十]+日?"
# Values that are worth a second read_region: how they look when they broke off, and when they did not.
TRUNCATED = {
    "operation_period": re.compile(rf"^自?{_DATE}至?"),
    "type": re.compile(r"\([^()]*$"),
    "union_id": re.compile(r"[0-9A-Z]{12,17}"),
    "regist_no": re.compile(r"\d{10,14}"),
}
COMPLETE = {
    "operation_period": re.compile(rf"{_DATE}.?({_DATE}|{NO_END})"),
    "type": re.compile(r"\([^()]*\)"),
    "union_id": re.compile(r"[0-9A-Z]{18}"),
    "regist_no": re.compile(r"\d{15}|^\d{13}$"),
}
UNTIL = re.compile(rf"至({_DATE}|{NO_END})")
OFFICE = re.compile(r"(局|委员会|管理处|审批局|工商所)$")
