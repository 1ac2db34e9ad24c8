"""Messages that only the command line prints: they name commands, options and files."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.messages.message import Kind, Message

MESSAGES: Mapping[str, Message] = {
    "command.account_not_found": Message(
        Kind.NOT_FOUND,
        "no account {name!r}; see: inkgate account list",
        "没有账号“{name}”，请查看：inkgate account list",
    ),
    "command.app_not_found": Message(
        Kind.NOT_FOUND,
        "no app {name!r}; see: inkgate app list",
        "没有应用“{name}”，请查看：inkgate app list",
    ),
    "command.app_name_ambiguous": Message(
        Kind.CONFLICT,
        "{count} apps are named {name!r}; name the account with --account, or give the AppKey of one: {apps}",
        "有 {count} 个应用名为“{name}”，请用 --account 指明账号，或改用其中一个的 AppKey：{apps}",
    ),
    "command.app_not_in_account": Message(
        Kind.NOT_FOUND,
        "no app {name!r} in account {account!r}; see: inkgate app list {account}",
        "账号“{account}”没有应用“{name}”，请查看：inkgate app list {account}",
    ),
    "command.user_not_found": Message(
        Kind.NOT_FOUND,
        "no user {login!r}; see: inkgate user list",
        "没有用户“{login}”，请查看：inkgate user list",
    ),
    "command.file_not_found": Message(
        Kind.NOT_FOUND,
        "no such file: {paths}",
        "没有文件：{paths}",
    ),
    "command.ocr_folder": Message(
        Kind.INVALID,
        "{paths}: a folder is read with -r (--recursive)",
        "{paths}：读取文件夹请加 -r（--recursive）。",
    ),
    "command.ocr_too_many_files": Message(
        Kind.LIMIT,
        "more than {most} files; read them in several runs",
        "文件多于 {most} 个，请分几次读取。",
    ),
    "command.ocr_pdf_extra": Message(
        Kind.INVALID,
        "PDF needs the extra pdf: pip install 'inkgate[pdf]'",
        "PDF 需要附加组件 pdf：pip install 'inkgate[pdf]'",
    ),
    "command.ocr_resume_needs_output": Message(
        Kind.INVALID,
        "--resume continues a file: name it with --output",
        "--resume 用于续写文件，请用 --output 指定。",
    ),
    "command.ocr_pdf_needs_output": Message(
        Kind.INVALID,
        "--out pdf writes files: name the folder for them with --output",
        "--out pdf 写出文件，请用 --output 指定其文件夹。",
    ),
    "command.ocr_no_places": Message(
        Kind.INVALID,
        "--out pdf needs the places of the text, which {capability} does not give; read with --capability general",
        "--out pdf 需要文字的位置，{capability} 不提供，请用 --capability general。",
    ),
    "command.ocr_formats_differ": Message(
        Kind.INVALID,
        "--json is --out jsonl; leave one of them out",
        "--json 即 --out jsonl，两者只用其一。",
    ),
    "command.ocr_output_exists": Message(
        Kind.CONFLICT,
        "{path} exists; continue it with --resume, or name another file",
        "{path} 已存在，请用 --resume 续写，或另指定文件。",
    ),
    "command.ocr_output_in_use": Message(
        Kind.CONFLICT,
        "{path} is in use by another run",
        "{path} 正由另一次运行使用。",
    ),
    "command.ocr_output_other": Message(
        Kind.CONFLICT,
        "{path} is no output of this command in this format, and stays as it is",
        "{path} 不是本命令此格式的输出，未作改动。",
    ),
    "command.ocr_output_failed": Message(
        Kind.INVALID,
        "{path} cannot be written: {reason}",
        "{path} 无法写入：{reason}",
    ),
    "command.ocr_same_name": Message(
        Kind.CONFLICT,
        "{first} and {second} would both become {target}; read them in two runs",
        "{first} 与 {second} 会写成同一个 {target}，请分两次读取。",
    ),
    "command.audit_result_unknown": Message(
        Kind.INVALID,
        "a result is done, refused or failed",
        "结果可选：done、refused、failed。",
    ),
    "command.audit_key_invalid": Message(
        Kind.INVALID,
        "this is no public key, nor a file that holds one; `inkgate audit key` prints it",
        "既不是公钥，也不是含有公钥的文件；公钥可由 `inkgate audit key` 打印。",
    ),
    "command.attest_no_file": Message(
        Kind.INVALID,
        "name the file to write: inkgate attest --out pack.zip",
        "请给出要写的文件：inkgate attest --out pack.zip",
    ),
    "command.attest_keys_incomplete": Message(
        Kind.INVALID,
        "the self-check of the contract needs all of --base-url, --ak, --sk and --appkey",
        "合同自检需要全部四项：--base-url、--ak、--sk、--appkey。",
    ),
    "command.notices_one_owner": Message(
        Kind.INVALID,
        "give either --account or --operators",
        "--account 与 --operators 只能给出一个。",
    ),
    "command.attest_chaos_not_asked": Message(
        Kind.INVALID,
        "--chaos-postgres and --chaos-redis are for a chaos run: add --chaos",
        "--chaos-postgres 与 --chaos-redis 用于故障演练，请加上 --chaos。",
    ),
    "command.file_exists": Message(
        Kind.INVALID,
        "{path} exists; name another file",
        "{path} 已存在，请换一个文件名。",
    ),
    "command.folder_not_writable": Message(
        Kind.INVALID,
        "{path} is no folder that can be written to",
        "{path} 不是可写的目录。",
    ),
    "command.capability_unknown": Message(
        Kind.INVALID,
        "no capability {capability!r}; there are {choices}",
        "没有能力“{capability}”，现有：{choices}。",
    ),
    "command.host_invalid": Message(
        Kind.INVALID,
        "{host!r} is no host name, or host name and port such as ocr.example.com:8443",
        "“{host}”不是主机名，也不是主机名加端口，例如 ocr.example.com:8443。",
    ),
    "command.ca_invalid": Message(
        Kind.INVALID,
        "--ca {path}: no certificate in PEM form can be read there",
        "--ca {path}：读不到 PEM 格式的证书。",
    ),
    "command.address_invalid": Message(
        Kind.INVALID,
        "--address is one address, not a network",
        "--address 须为一个地址，不能是网段。",
    ),
    "command.not_utf8": Message(
        Kind.INVALID,
        "{word} is not UTF-8 text",
        "{word} 不是 UTF-8 文本。",
    ),
    "command.not_whole_number": Message(
        Kind.INVALID,
        "{text!r} is no whole number",
        "“{text}”不是整数。",
    ),
    "command.not_quantity": Message(
        Kind.INVALID,
        "{text!r} is not PRODUCT=QUANTITY",
        "“{text}”不是“产品=数量”的形式。",
    ),
    "command.not_amount": Message(
        Kind.INVALID,
        "{text!r} is no amount of yuan",
        "“{text}”不是以元为单位的金额。",
    ),
    "command.not_rate": Message(
        Kind.INVALID,
        "{text!r} is neither a number nor `default`",
        "“{text}”既不是数字，也不是 `default`。",
    ),
    "command.user_kind_missing": Message(
        Kind.INVALID,
        "name the account with --account, or create an operator with --operator",
        "请用 --account 指定账号，或用 --operator 创建运营人员。",
    ),
    "command.operator_has_no_account": Message(
        Kind.INVALID,
        "an operator belongs to no account: leave out --account",
        "运营人员不属于任何账号，请去掉 --account。",
    ),
    "command.export_format_unknown": Message(
        Kind.INVALID,
        "the format is json or csv",
        "格式须为 json 或 csv。",
    ),
    "command.mirror_invalid": Message(
        Kind.INVALID,
        "--mirror {mirror}: neither a URL nor a folder.",
        "--mirror {mirror}：既不是网址，也不是文件夹。",
    ),
    "command.refund_failed": Message(
        Kind.CONFLICT,
        "the pack was used while the refund was pending; the refund has failed",
        "资源包在退订审批期间已被使用，退订失败。",
    ),
    "command.holds_need_redis": Message(
        Kind.INVALID,
        "INKGATE_REDIS__URL is empty: `inkgate serve` keeps hold-offs in memory, and a restart ends them",
        "INKGATE_REDIS__URL 为空：`inkgate serve` 的暂停记录只在内存中，重启即解除。",
    ),
    "command.master_key_add_by_hand": Message(
        Kind.INVALID,
        "the master key comes as a value or from a program: put a fresh one (`inkgate keys new`) before it there",
        "主密钥以值的形式给出或由程序提供：请在那里把新密钥（`inkgate keys new`）加在最前面。",
    ),
    "command.master_key_drop_by_hand": Message(
        Kind.INVALID,
        "the master key comes as a value or from a program: remove the older ones there yourself",
        "主密钥以值的形式给出或由程序提供：请在那里自行删除旧密钥。",
    ),
    "command.regions_line": Message(
        Kind.INVALID,
        "line {line} of {path} is not a network and a region: {text!r}; write lines like 192.0.2.0/24,CN-ZJ",
        "{path} 第 {line} 行不是“网段,地区”：“{text}”，请写成 192.0.2.0/24,浙江。",
    ),
    "command.regions_conflict": Message(
        Kind.CONFLICT,
        "{path} gives {network} two regions, in lines {other} and {line}",
        "{path} 第 {other} 行与第 {line} 行为 {network} 写了两个地区。",
    ),
    "command.regions_too_many": Message(
        Kind.LIMIT,
        "{path} has more than {most:,} networks",
        "{path} 超过 {most:,} 个网段。",
    ),
    "command.file_unreadable": Message(
        Kind.INVALID,
        "cannot read {path} ({reason})",
        "无法读取 {path}（{reason}）。",
    ),
    "command.file_unwritable": Message(
        Kind.INVALID,
        "cannot write {path} ({reason})",
        "无法写入 {path}（{reason}）。",
    ),
}
