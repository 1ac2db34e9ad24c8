"""A notice in Chinese or English: a title, and lines of text. Pure.

Names that customers choose come here; what renders markup or headers escapes them (`plain`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inkgate.service import money
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.clock import BEIJING
from inkgate.service.notices.kinds import Kind

CHINESE = "zh"
MAX_TITLE, MAX_LINE = 120, 400  # characters

_TITLES: Mapping[Kind, tuple[str, str]] = {
    Kind.LOW_BALANCE: ("余量不足：{account} 的{capability}", "Low balance: {capability} of {account}"),
    Kind.PACK_EXPIRING: ("资源包即将到期：{account} 的{capability}", "Packs expiring soon: {capability} of {account}"),
    Kind.ORDER_WAITING: ("订单待审批：{account}", "Order waiting: {account}"),
    Kind.REFUND_WAITING: ("退订待审批：{account}", "Refund waiting: {account}"),
    Kind.WORKERS_DOWN: ("没有可用的识别进程", "No worker is alive"),
    Kind.CERTIFICATE_ENDING: ("证书即将到期：{name}", "Certificate expiring soon: {name}"),
    Kind.LEDGER_FAILED: ("账本核对不符", "Reconciliation of the ledger failed"),
    Kind.HEADS_FAILED: ("账本与审计所记的链尾不符", "Ledger does not match its checkpoints in the audit trail"),
    Kind.HEADS_WAITING: ("账本链尾未及时记入审计", "Ledger checkpoints recorded late"),
    Kind.AUDIT_FAILED: ("操作审计校验失败", "Verification of the audit trail failed"),
    Kind.TEST: ("测试通知", "Test notice"),
}

_LINES: Mapping[Kind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Kind.LOW_BALANCE: (
        ("剩余 {left} 次，共 {total} 次。", "{forecast}", "余量用完后，调用会被拒绝；请及时续订。"),
        ("{left} of {total} units are left.", "{forecast}", "Without units calls are refused; renew in time."),
    ),
    Kind.PACK_EXPIRING: (
        ("{packs} 个资源包将于 {ends_at} 起到期，尚余 {left} 次未使用。", "到期后剩余次数作废。"),
        ("{packs} pack(s) end from {ends_at} on, with {left} units unused.", "Unused units are lost at the end."),
    ),
    Kind.ORDER_WAITING: (
        ("订单 {number}，金额 {amount}，{at} 提交，等待审批。",),
        ("Order {number} over {amount}, placed at {at}, waits for approval.",),
    ),
    Kind.REFUND_WAITING: (
        ("{capability} {units} 次的资源包申请退订，金额 {amount}，{at} 提交，等待审批。",),
        ("A refund of a pack of {units} units of {capability} ({amount}), requested at {at}, waits for approval.",),
    ),
    Kind.WORKERS_DOWN: (
        ("已有 {seconds} 秒没有可用的识别进程，调用无法处理。",),
        ("For {seconds} seconds no worker has been alive; calls cannot be answered.",),
    ),
    Kind.CERTIFICATE_ENDING: (
        ("{name} 的证书有效期至 {ends_at}。", "到期后客户端将无法建立 TLS 连接。"),
        ("The certificate of {name} is valid until {ends_at}.", "After that clients cannot connect over TLS."),
    ),
    Kind.LEDGER_FAILED: (
        ("{problem}请运行：inkgate ledger verify",),
        ("{problem} Run: inkgate ledger verify",),
    ),
    Kind.HEADS_FAILED: (
        ("{problem}", "请运行：inkgate ledger verify"),
        ("{problem}", "Run: inkgate ledger verify"),
    ),
    Kind.HEADS_WAITING: (
        (
            "上一轮有 {waiting} 个计量器的链尾没有记入审计，共 {meters} 个。",
            "请缩短 INKGATE_AUDIT__CHECKPOINT_MINUTES。",
        ),
        (
            "In the last round the ends of {waiting} meters of {meters} were left out.",
            "Shorten INKGATE_AUDIT__CHECKPOINT_MINUTES.",
        ),
    ),
    Kind.AUDIT_FAILED: (
        ("{problem}", "请运行：inkgate audit verify"),
        ("{problem}", "Run: inkgate audit verify"),
    ),
    Kind.TEST: (
        ("这是一条测试通知，收到即说明该通道可用。",),
        ("This is a test; that it arrived shows that the channel works.",),
    ),
}


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A notice as people read it: no line is empty or has a line break."""

    title: str
    lines: tuple[str, ...]

    @property
    def body(self) -> str:
        return "\n".join(self.lines)


def render(kind: Kind, params: Mapping[str, Any], language: str, began_at: datetime) -> NoticeText:
    """The text of a notice. Raises KeyError when a parameter is missing."""
    chinese = language == CHINESE
    values = {name: _shown(name, value, chinese) for name, value in params.items()}
    if "fen" in params:
        values["amount"] = money.yuan(int(params["fen"]))
    if kind is Kind.LOW_BALANCE:
        values["forecast"] = _forecast(params, chinese)
    if kind is Kind.LEDGER_FAILED:
        values["problem"] = _ledger_problem(values, chinese)
    title = _TITLES[kind][0 if chinese else 1].format_map(values)
    lines = [line.format_map(values) for line in _LINES[kind][0 if chinese else 1]]
    since = ("开始时间：{at}（北京时间）" if chinese else "Since {at} (Beijing time)").format(at=_time(began_at))
    return NoticeText(plain(title)[:MAX_TITLE], tuple(plain(line)[:MAX_LINE] for line in (*lines, since) if line))


def _ledger_problem(values: Mapping[str, str], chinese: bool) -> str:
    if "entries" in values:
        said = "{entries} 条账本记录缺失或被改动。" if chinese else "{entries} ledger entries are missing or changed."
    else:
        said = "资源包与账本相差 {units} 次。" if chinese else "Packs and ledger entries differ by {units} units."
    return said.format_map(values)


def plain(text: str) -> str:
    """One line without control characters: what a name may contain must not become a header or another line."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _shown(name: str, value: Any, chinese: bool) -> str:
    if name == "capability":
        known = CAPABILITIES.get(value)
        return str(value) if known is None else known.title if chinese else known.title_en
    if name in ("at", "ends_at"):
        return _time(datetime.fromisoformat(value))
    if isinstance(value, int | float):
        return f"{value:,}"
    return str(value)


def _forecast(params: Mapping[str, Any], chinese: bool) -> str:
    """How long the units last."""
    days, rate = params["days"], params["rate"]
    if days is None:
        return "最近 7 天没有使用。" if chinese else "They were not used in the last 7 days."
    if chinese:
        return f"最近平均每天使用 {rate:,} 次，预计还能用 {days:,} 天。"
    return f"At {rate:,} units a day they last {days:,} days."


def _time(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")
