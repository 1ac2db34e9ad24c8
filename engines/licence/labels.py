"""Printed labels of business licences of every form since the 1990s, and their order.

Keys are the contract's (manual 6.3.4). Keys that begin with "_" are labels that the contract does not return;
they end the values before them.
"""

from __future__ import annotations

from inkgate.engines.document.labels import LabelSet

SPELLINGS: dict[str, tuple[str, ...]] = {
    "union_id": ("统一社会信用代码", "统一社会信用代码/注册号", "社会信用代码"),
    "regist_no": ("注册号", "注册号码", "工商注册号", "企业注册号"),
    "name": ("名称", "企业名称", "字号名称", "公司名称", "个体工商户名称", "名称(字号)", "字号"),
    "type": ("类型", "公司类型", "企业类型", "主体类型", "市场主体类型", "经济性质", "企业性质"),
    "addr": ("住所", "营业场所", "经营场所", "主要经营场所", "企业住所", "公司住所", "住所(经营场所)", "地址"),
    "legal_rep": (
        "法定代表人", "法定代表人姓名", "法定代表人(负责人)", "负责人", "负责人姓名", "经营者", "经营者姓名", "投资人",
        "投资人姓名", "执行事务合伙人", "执行合伙人", "执行合伙企业事务的合伙人", "首席代表",
    ),
    "regist_capital": ("注册资本", "注册资金", "出资额", "出资总额", "成员出资总额", "资金数额", "认缴出资额"),
    "real_capital": ("实收资本", "实收资金"),
    "establish_date": ("成立日期", "注册日期", "成立时间"),
    "operation_period": ("营业期限", "合伙期限", "经营期限", "驻在期限"),
    "_scope": ("经营范围", "经营范围及方式", "业务范围", "主营业务"),
    "_form": ("组成形式",),
    "_authority": ("登记机关", "发照机关"),
    "_serial": ("证照编号", "编号"),
    "_issued": ("核准日期", "发照日期", "发证日期"),
}  # fmt: skip # a table of words, many to a row

LABELS = LabelSet(
    SPELLINGS,
    inner=(
        "统一社会信用代码", "法定代表人", "注册资本", "实收资本", "成立日期", "注册日期", "营业期限", "合伙期限",
        "登记机关", "组成形式", "执行事务合伙人",
    ),
)  # fmt: skip # a table of words, many to a row

# Fields in the order of the form.
ORDER = (
    "name", "type", "addr", "legal_rep", "regist_capital", "real_capital", "establish_date", "operation_period",
    "_scope",
)  # fmt: skip # a table of words, many to a row

_OWNERS = (
    "自然人独资", "法人独资", "国有独资", "自然人投资或控股", "自然人控股", "国有控股", "外商合资", "外国法人独资",
    "外国自然人独资", "台港澳法人独资", "台港澳自然人独资", "台港澳与境内合资", "中外合资", "中外合作", "外商独资",
    "外商投资企业法人独资", "自然人投资或控股的法人独资", "非自然人投资或控股的法人独资", "外商投资、非独资",
    "港澳台投资、非独资", "港澳台法人独资",
)  # fmt: skip # a table of words, many to a row
_HOLDERS = (
    "非上市", "上市", "非上市、自然人投资或控股", "上市、自然人投资或控股", "非上市、国有控股", "上市、国有控股",
)  # fmt: skip # a table of words, many to a row
_PLAIN = (
    "个体工商户", "个人独资企业", "普通合伙企业", "有限合伙企业", "特殊普通合伙企业", "合伙企业分支机构",
    "农民专业合作社", "全民所有制", "集体所有制", "股份合作制", "有限责任公司", "其他有限责任公司",
    "一人有限责任公司", "有限责任公司分公司", "其他有限责任公司分公司", "股份有限公司", "其他股份有限公司",
    "股份有限公司分公司",
)  # fmt: skip # a table of words, many to a row
PLAIN_TYPES = tuple(sorted(_PLAIN, key=len, reverse=True))
_LIMITED = ("有限责任公司", "有限公司", "有限责任公司分公司")
_BY_SHARES = ("股份有限公司", "其他股份有限公司", "股份有限公司分公司")

# Types of market entities as registries print them; types with one or two misread characters are corrected by it.
TYPES = frozenset(
    [
        *_PLAIN,
        *(f"{head}({owner})" for head in _LIMITED for owner in _OWNERS),
        *(f"{head}({holder})" for head in _BY_SHARES for holder in _HOLDERS),
    ]
)
