"""Messages about the import of accounts and keys. None quotes a value of the file, which may be a secret."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.messages.message import Kind, Message

FILE: Mapping[str, Message] = {
    "import.refused": Message(
        Kind.INVALID,
        "{problems} problems; nothing was imported",
        "有 {problems} 处问题，没有导入任何内容。",
    ),
    "import.file_too_large": Message(
        Kind.LIMIT,
        "the file has more than {most} KiB; split it by account",
        "文件超过 {most} KiB，请按账号拆分。",
    ),
    "import.file_too_many_rows": Message(
        Kind.LIMIT,
        "the file has more than {most} records; split it by account",
        "文件超过 {most} 条记录，请按账号拆分。",
    ),
    "import.file_not_utf8": Message(
        Kind.INVALID,
        "the file is not UTF-8 text; in a spreadsheet save it as `CSV UTF-8`",
        "文件不是 UTF-8 文本；在电子表格中请另存为“CSV UTF-8”。",
    ),
    "import.file_empty": Message(
        Kind.INVALID,
        "the file has no records; `inkgate account import --template` prints one to start from",
        "文件中没有记录；可从 `inkgate account import --template` 打印的模板开始。",
    ),
    "import.file_not_csv": Message(
        Kind.INVALID,
        "the file is not valid CSV at line {line}: check its quotation marks",
        "文件第 {line} 行不是有效的 CSV，请检查引号。",
    ),
    "import.header_invalid": Message(
        Kind.INVALID,
        "the first line names the columns, each once, `record` among them; choose from {choices}",
        "第一行须为列名，各出现一次，其中须有 record；可选：{choices}。",
    ),
    "import.file_not_json": Message(
        Kind.INVALID,
        'the file is not JSON of the form [{{…}}, …] or {{"records": [{{…}}, …]}}, each name once in its object',
        '文件不是 [{{…}}, …] 或 {{"records": [{{…}}, …]}} 形式的 JSON；同一对象中名称不得重复。',
    ),
    "import.file_unreadable": Message(
        Kind.NOT_FOUND,
        "{path} cannot be read: {why}",
        "无法读取 {path}：{why}。",
    ),
    "import.file_missing": Message(
        Kind.INVALID,
        "no file: choose a CSV or JSON file; `inkgate account import --template` prints one to start from",
        "没有文件：请选择 CSV 或 JSON 文件；可从 `inkgate account import --template` 打印的模板开始。",
    ),
}

FIELD: Mapping[str, Message] = {
    "import.row_too_long": Message(
        Kind.INVALID,
        "the row has more cells than the header",
        "单元格比列名多。",
    ),
    "import.record_not_object": Message(
        Kind.INVALID,
        "a record is an object",
        "记录须为 JSON 对象。",
    ),
    "import.record_unknown": Message(
        Kind.INVALID,
        "the record is one of {choices}",
        "记录类型须为 {choices} 之一。",
    ),
    "import.record_elsewhere": Message(
        Kind.INVALID,
        "this import takes {choices}; accounts and access keys go through `inkgate account import`",
        "这里只导入 {choices}；账号与 AccessKey 请用 `inkgate account import`。",
    ),
    "import.field_unknown": Message(
        Kind.INVALID,
        "the record has a field that does not exist; choose from {choices}",
        "记录中有不存在的字段，可选：{choices}。",
    ),
    "import.field_missing": Message(
        Kind.INVALID,
        "is missing",
        "缺失。",
    ),
    "import.field_unused": Message(
        Kind.INVALID,
        "a record `{kind}` has no such field",
        "{kind} 记录没有这个字段。",
    ),
    "import.field_unfit": Message(
        Kind.INVALID,
        "has more than {most} characters, or one that is not printable",
        "超过 {most} 个字符，或含不可见字符。",
    ),
    "import.value_nested": Message(
        Kind.INVALID,
        "is text, a number, yes or no, or a list of texts",
        "须为文本、数字、布尔值或文本列表。",
    ),
    "import.id_malformed": Message(
        Kind.INVALID,
        "an AK or AppKey has 16 to 64 letters, digits, hyphens and underscores",
        "AK 或 AppKey 须为 16-64 个字母、数字、连字符或下划线。",
    ),
    "import.id_placeholder": Message(
        Kind.INVALID,
        "is a placeholder or the manual's example, not a key",
        "是占位符或手册中的示例，不是真实的密钥。",
    ),
    "import.secret_malformed": Message(
        Kind.INVALID,
        "an SK or AppSecret has {least} to {most} printable ASCII characters without blanks",
        "SK 或 AppSecret 须为 {least}-{most} 个可见的 ASCII 字符，不含空格。",
    ),
    "import.secret_weak": Message(
        Kind.INVALID,
        "can be guessed: too few distinct characters, a repetition or a sequence; issue a new pair",
        "容易猜中：字符种类过少、重复或连续；请换发一对。",
    ),
    "import.secret_published": Message(
        Kind.INVALID,
        "is printed in the manual; issue a new pair",
        "是手册中印出的密钥，请换发一对。",
    ),
    "import.secret_is_id": Message(
        Kind.INVALID,
        "contains its own identifier, or is part of it",
        "与自己的标识相同或互相包含。",
    ),
    "import.secret_repeated": Message(
        Kind.INVALID,
        "is the secret of row {first} as well; every pair has its own",
        "与第 {first} 行的密钥相同，每对密钥须各不相同。",
    ),
    "import.app_name_invalid": Message(
        Kind.INVALID,
        "an app name has 4 to 15 characters: Chinese characters, Latin letters, digits and underscores, beginning "
        "with a letter or a Chinese character",
        "应用名称须为 4-15 个字符，支持汉字、英文字母、数字、下划线，须以字母或汉字开头。",
    ),
    "import.network_invalid": Message(
        Kind.INVALID,
        "has an entry that is neither an address nor a network, such as 192.0.2.0/24",
        "有一项不是 IP 地址或网段，例如 192.0.2.0/24。",
    ),
    "import.capability_unknown": Message(
        Kind.INVALID,
        "choose from {choices}",
        "可选：{choices}。",
    ),
    "import.capability_free": Message(
        Kind.INVALID,
        "is free of charge and needs no pack",
        "是免费能力，不需要资源包。",
    ),
    "import.units_invalid": Message(
        Kind.INVALID,
        "is a whole number from 1 to {most}",
        "须为 1 到 {most} 的整数。",
    ),
    "import.ends_invalid": Message(
        Kind.INVALID,
        "is a day such as 2027-03-31, which counts to its end in Beijing, or a time such as 2027-03-31 12:00:00",
        "须为日期，例如 2027-03-31（到北京时间当天结束），或时间，例如 2027-03-31 12:00:00。",
    ),
    "import.ends_past": Message(
        Kind.INVALID,
        "has passed: units that have expired are not imported",
        "已经过去：过期的次数不能导入。",
    ),
    "import.flag_invalid": Message(
        Kind.INVALID,
        "is yes or no",
        "须为 yes 或 no。",
    ),
    "import.sm2_key_invalid": Message(
        Kind.INVALID,
        "is no SM2 private key: 64 hex digits, base64 of 32 bytes, or unencrypted PKCS#8 or SEC 1 (PEM or base64)",
        "不是 SM2 私钥：须为 64 位十六进制、32 字节的 base64，或未加密的 PKCS#8、SEC 1（PEM 或 base64）。",
    ),
    "import.pack_owner": Message(
        Kind.INVALID,
        "a pack belongs to an app or to an account: give one of the two, or both for an app of that account",
        "资源包属于一个应用或一个账号，须填其中一项；两项都填时，指该账号的应用。",
    ),
}

REFERENCE: Mapping[str, Message] = {
    "import.repeated": Message(
        Kind.INVALID,
        "stands in row {first} already",
        "与第 {first} 行重复。",
    ),
    "import.pack_repeated": Message(
        Kind.INVALID,
        "is the same pack as row {first}; when both exist, add up their units in one row",
        "与第 {first} 行是同一个资源包；若确有两个，请合并成一行并相加次数。",
    ),
    "import.account_exists": Message(
        Kind.CONFLICT,
        "is an account here already; leave this row out to add to it",
        "账号已存在；如要添加内容，请删去这一行。",
    ),
    "import.account_missing": Message(
        Kind.NOT_FOUND,
        "is an account neither here nor in the file",
        "系统与文件中都没有这个账号。",
    ),
    "import.parent_invalid": Message(
        Kind.INVALID,
        "is no main account, here or in the file",
        "在系统与文件中都不是主账号。",
    ),
    "import.key_exists": Message(
        Kind.CONFLICT,
        "is an access key here already",
        "AccessKey 已存在。",
    ),
    "import.app_exists": Message(
        Kind.CONFLICT,
        "is the name of an app of this account already",
        "账号中已有这个名称的应用。",
    ),
    "import.app_ambiguous": Message(
        Kind.CONFLICT,
        "fits an app of each of these accounts: {accounts}; name the account in this row, or give the AppKey",
        "这些账号各有一个同名的应用：{accounts}；请在这一行填写账号，或改用 AppKey。",
    ),
    "import.app_missing": Message(
        Kind.NOT_FOUND,
        "is an app neither here nor in the file",
        "系统与文件中都没有这个应用。",
    ),
    "import.appkey_exists": Message(
        Kind.CONFLICT,
        "is an AppKey here already",
        "AppKey 已存在。",
    ),
    "import.capability_opened": Message(
        Kind.CONFLICT,
        "is open for this app already; leave this row out",
        "该应用已开通这一能力，请删去这一行。",
    ),
}

MESSAGES: Mapping[str, Message] = {**FILE, **FIELD, **REFERENCE}
