"""Headings of the CSV exports of operators, in the language of the page. The command line writes the column names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

HEADS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        # ledger
        "call_id": ("调用编号", "Call ID"),
        "line": ("行", "Line"),
        "seq": ("序号", "No."),
        "settled_at": ("扣减时间", "Settled at"),
        "account_id": ("账号 ID", "Account ID"),
        "capability": ("能力", "Capability"),
        "app_id": ("应用 ID", "App ID"),
        "pack_id": ("资源包 ID", "Resource pack ID"),
        "first_unit": ("起始次数", "First unit"),
        "units": ("抵扣次数", "Units"),
        "images": ("图片", "Images"),
        "failed_images": ("失败图片", "Failed images"),
        "code": ("状态码", "Code"),
        "body_bytes": ("请求字节", "Request bytes"),
        "duration_ms": ("响应时间（毫秒）", "Response time (ms)"),
        "client_ip": ("来源地址", "Client address"),
        "request_id": ("请求编号", "Request ID"),
        "chain": ("校验链", "Chain"),
        # audit trail
        "sequence": ("序号", "No."),
        "id": ("ID", "ID"),
        "at": ("时间", "Time"),
        "actor": ("操作人", "Actor"),
        "action": ("操作", "Action"),
        "subject": ("对象", "Subject"),
        "subject_name": ("对象名称", "Subject name"),
        "account_name": ("账号名称", "Account name"),
        "result": ("结果", "Result"),
        "surface": ("入口", "Surface"),
        "address": ("来源地址", "Address"),
        "session": ("会话", "Session"),
        "detail": ("详情", "Detail"),
        "previous": ("前一条校验值", "Previous hash"),
        "hash": ("校验值", "Hash"),
        # takeover report
        "account": ("账号", "Account"),
        "app": ("应用", "App"),
        "section": ("部分", "Section"),
        "name": ("名称", "Name"),
        "measure": ("指标", "Measure"),
        "value": ("数值", "Value"),
    }
)
"""Column → heading in Chinese and in English."""


def headings(columns: Sequence[str], language: str) -> list[str]:
    """The headings of columns. Raises KeyError for a column without one."""
    return [HEADS[column][language == "en"] for column in columns]
