"""Messages of the admin API and about its tokens."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.messages.message import Kind, Message

MESSAGES: Mapping[str, Message] = {
    "request.address_unknown": Message(
        Kind.NOT_FOUND,
        "Not Found",
        "没有这个地址。",
    ),
    "request.body_unreadable": Message(
        Kind.INVALID,
        "There was an error parsing the body",
        "无法解析请求体。",
    ),
    "token.not_found": Message(
        Kind.NOT_FOUND,
        "no token {name!r}",
        "没有令牌“{name}”。",
    ),
    "token.name_taken": Message(
        Kind.CONFLICT,
        "there is a token {name!r} already",
        "令牌“{name}”已存在。",
    ),
    "token.name_invalid": Message(
        Kind.INVALID,
        "a token's name has 1 to {most} printable characters",
        "令牌名称须为 1-{most} 个可见字符。",
    ),
    "token.scopes_invalid": Message(
        Kind.INVALID,
        "choose scopes from {choices}",
        "权限可选：{choices}。",
    ),
    "token.scope_missing": Message(
        Kind.FORBIDDEN,
        "the token lacks the scope {scope}",
        "令牌缺少权限 {scope}。",
    ),
    "token.scopes_too_long": Message(
        Kind.INVALID,
        "the scopes of a token have at most {most} characters together; name scopes in place of single permissions",
        "令牌的权限合计不超过 {most} 个字符；请用权限组代替单项权限。",
    ),
    "token.duties_mixed": Message(
        Kind.FORBIDDEN,
        "duties are separate: a token has the permissions of one of system administration and audit, not of both",
        "已启用三员分立：一个令牌不能同时具有系统管理与审计的权限。",
    ),
    "moment.out_of_range": Message(
        Kind.INVALID,
        "a moment lies between the years {first} and {last}",
        "时间须在 {first} 年至 {last} 年之间。",
    ),
    "usage.period_invalid": Message(
        Kind.INVALID,
        "since lies before until, and at most {most} days apart",
        "开始时间须早于结束时间，且相差不超过 {most} 天。",
    ),
    "usage.dimension_unknown": Message(
        Kind.INVALID,
        "choose dimensions from {choices}",
        "统计维度可选：{choices}。",
    ),
    "proof.line_limit": Message(
        Kind.LIMIT,
        "{lines} lines are more than {most}; narrow it by account_id and capability, or run: inkgate ledger verify",
        "共 {lines} 行，超过 {most} 行；请用 account_id 与 capability 缩小范围，或运行：inkgate ledger verify",
    ),
    "proof.time_limit": Message(
        Kind.LIMIT,
        "the proof takes longer than {seconds:g} s; narrow it by account_id and capability, or run: inkgate ledger "
        "verify",
        "核对超过 {seconds:g} 秒；请用 account_id 与 capability 缩小范围，或运行：inkgate ledger verify",
    ),
}
