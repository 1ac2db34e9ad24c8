"""Messages about packs and the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.messages.message import Kind, Message

MESSAGES: Mapping[str, Message] = {
    "pack.not_found": Message(
        Kind.NOT_FOUND,
        "no pack {pack_id}",
        "没有资源包 {pack_id}。",
    ),
    "pack.capability_free": Message(
        Kind.INVALID,
        "{capability} is free: it only needs to be enabled and takes no pack",
        "能力 {capability} 免费，开通即可使用，无需资源包。",
    ),
    "pack.units_out_of_range": Message(
        Kind.INVALID,
        "a pack holds 1 to {most} units",
        "资源包次数须为 1-{most}。",
    ),
    "pack.ends_too_early": Message(
        Kind.INVALID,
        "a pack ends after it starts",
        "资源包的截止时间须晚于生效时间。",
    ),
    "export.invalid": Message(
        Kind.INVALID,
        "{path} is not a ledger export; make one with: inkgate ledger export --format json",
        "{path} 不是账本导出文件，请用命令导出：inkgate ledger export --format json",
    ),
    "export.unreadable": Message(
        Kind.INVALID,
        "cannot read {path}: {reason}",
        "无法读取 {path}：{reason}",
    ),
}
