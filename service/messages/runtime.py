"""Messages of the database layer and of worker processes."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.messages.message import Kind, Message

MESSAGES: Mapping[str, Message] = {
    "database.changed_meanwhile": Message(
        Kind.CONFLICT,
        "another user changed the same object at the same time; check it and try again",
        "其他人同时修改了同一内容，请查看后重试。",
    ),
    "database.value_invalid": Message(
        Kind.INVALID,
        "a value is too long, out of range, or has characters that cannot be stored",
        "有内容过长、超出范围或含无法保存的字符。",
    ),
    "demo.not_empty": Message(
        Kind.CONFLICT,
        "the database has accounts or users; example data goes only into an empty one",
        "数据库中已有账号或用户，示例数据只能写入空的数据库。",
    ),
    "worker.cannot_start": Message(
        Kind.CONFLICT,
        "{reason}",
        "{reason}",
    ),
    "worker.other_release": Message(
        Kind.CONFLICT,
        "the supervisor is of another release ({reason}): restart it",
        "监管进程属于另一个版本（{reason}），请重启。",
    ),
}
