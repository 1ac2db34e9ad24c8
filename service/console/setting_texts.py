"""Settings in words: titles of their groups, and what each means in Chinese. English meanings are in the settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "server": ("网关", "Gateway"),
        "limits": ("限额与超时", "Limits and timeouts"),
        "database": ("数据库", "Database"),
        "redis": ("Redis 队列", "Redis queue"),
        "worker": ("识别进程", "Workers"),
        "engine": ("识别引擎", "Engine"),
        "accounts": ("账号", "Accounts"),
        "billing": ("计次规则", "Charging rules"),
        "orders": ("订单与退订", "Orders and refunds"),
        "ledger": ("账本", "Ledger"),
        "audit": ("操作审计", "Audit trail"),
        "console": ("控制台", "Console"),
        "access": ("登录与密码", "Sign-in and passwords"),
        "oidc": ("单点登录（OIDC）", "Single sign-on (OIDC)"),
        "ldap": ("目录登录（LDAP）", "Directory (LDAP)"),
        "security": ("密钥与密码算法", "Keys and ciphers"),
        "takeover": ("接管云端", "Takeover"),
        "notices": ("通知", "Notices"),
        "telemetry": ("日志与指标", "Logs and metrics"),
    }
)
"""Group of settings → its title in Chinese and English."""

CHINESE: Mapping[str, str] = MappingProxyType(
    {
        "server.host": "监听地址。",
        "server.port": "监听端口；0 表示任选空闲端口。",
        "server.always_200": "所有错误都以 HTTP 200 应答。",
        "server.superset": "应答中另加 `code` 与 `result` 两个同义字段。",
        "server.trusted_proxies": "受信任的反向代理网段（CIDR），采信其 X-Forwarded-For。",
        "server.admin": "在 /admin/v1 提供管理接口，须凭管理令牌调用。",
        "server.clock_window": "eop-date 允许的偏差秒数；0 表示不检查。",
        "server.health_host": "`gateway --workers N` 的健康检查与指标的监听地址。",
        "server.health_port": "健康检查与指标的端口；0 表示任选空闲端口。",
        "limits.body_bytes": "请求体的最大字节数；超过时返回 413 页面。",
        "limits.inflight_bytes": "每个网关处理中请求体的总字节数；超过时返回 503。",
        "limits.inflight_tasks": "每个网关处理中的图片数；超过时返回 503。",
        "limits.deadline": "收完请求体后，一次调用的最长秒数。",
        "limits.body_timeout": (
            "客户端发送请求体的最长秒数。须小于前置代理的超时（通常 60 秒），否则代理会先断开连接而没有应答。"
        ),
        "limits.qps": "每个应用每项能力默认的每秒请求数。",
        "limits.weights": "应用在识别进程与处理中限额上的权重（JSON 对象，AppKey: 0.01 至 100）；未列出的为 1。",
        "limits.killed_workers": (
            "killed_window 内，同一应用的图片使识别进程退出达到此次数即暂停该应用；超时一次按五分之一次计；"
            "0 表示从不暂停。"
        ),
        "limits.killed_window": "上述退出与超时的统计时长（秒）。",
        "limits.hold_off": "暂停应用的秒数，期间返回 503；一天内每再次暂停加倍，最长一小时。",
        "database.url": (
            "SQLAlchemy 地址：sqlite+aiosqlite:///文件 或 postgresql+asyncpg://用户:密码@主机/库；"
            "使用 TLS 时加 ?sslmode=verify-full&sslrootcert=文件。"
        ),
        "database.pool_size": "每个网关进程保持的连接数（Postgres）。",
        "redis.url": (
            "redis://[用户:密码@]主机:端口/库；使用 TLS 时为 rediss://…?ssl_ca_certs=文件；留空则使用内置队列。"
        ),
        "redis.namespace": "所有键的前缀。",
        "redis.lease": "识别进程无心跳超过此秒数，其任务交给其他进程。",
        "worker.processes": "识别进程数；0 表示每个可用核心一个，使用 GPU 时为一个。",
        "worker.at_once": "一个识别进程同时识别的图片数；0 表示一张，使用 GPU 时为八张。",
        "worker.page_cores": "其他进程空闲时，一张图片可使用的核心数，不超过进程数；1 表示只用自己的核心。",
        "worker.capabilities": "识别进程提供的能力。",
        "worker.max_images": "识别进程处理此数量的图片后重启；0 表示不限。",
        "worker.max_rss_mib": "内存超过此值（MiB）且超过预热后内存的 1.5 倍时，识别进程重启；0 表示不限。",
        "worker.image_mib": "一张图片可使用的内存（MiB），不含预热后的内存；超过则该图片失败；0 表示不限。",
        "worker.overrun": "图片超过截止时间此秒数后，结束其识别进程。",
        "worker.grace": "识别进程停止时，完成手中图片的最长秒数。",
        "worker.health_host": "`inkgate worker` 的健康检查与指标的监听地址。",
        "worker.health_port": "健康检查与指标的端口；0 表示任选空闲端口。",
        "worker.plate_types": "各类车牌的 `plate_type` 取值（JSON 对象）。",
        "engine.runtime": "推理运行时。",
        "engine.profile": "速度与准确率的取舍。",
        "engine.model_dir": "自备模型的目录。",
        "engine.threads": "一个识别进程内的推理线程数。",
        "engine.bf16": "用 OpenVINO 以 bfloat16 运行网络（附加组件 amx）：CPU 与内存允许时、总是或从不。",
        "engine.max_pixels": "可解码的最大图片（像素）。",
        "engine.stub_ms": "仅供压力测试：模拟运行时每张图片耗时的毫秒数。",
        "accounts.default_app": "新账号与子账号自带应用的名称；留空则没有。导入的账号使用文件中的应用。",
        "billing.image_read": "识别成功的图片计几次。",
        "billing.image_fault": "因自身问题（base64、格式、大小等）失败的图片计几次。",
        "billing.request_fault": "请求级业务错误计几次。",
        "billing.internal_fault": "服务自身错误（5000、500001）的图片计几次。",
        "billing.seal_fault": "无法解密的加密请求体（40017 至 40020）计几次。",
        "orders.approval": "资源包由谁生效：运营人员审批、下单即生效，或由足额卡券生效。",
        "orders.refunds": "符合规则的退订由谁决定：运营人员审批，或立即退订。",
        "orders.payments": "客户在控制台的支付方式：余额、卡券或线下支付；另见 approval。",
        "orders.agreement_file": "客户须同意的服务协议文本文件；留空使用内置文本。",
        "ledger.retention_days": "账本明细保留的天数；0 表示永久保留。",
        "ledger.housekeeping_minutes": "两次后台维护之间的分钟数。",
        "ledger.recheck_days": "后台维护在此天数内重读全部明细一遍，以发现被改动的旧明细。",
        "ledger.clock_jump_minutes": "时钟偏差超过此分钟数时停止计费。",
        "audit.hash": "后续记录的校验链所用的哈希算法。",
        "audit.retention_days": "审计记录保留的天数，至少 180；0 表示永久保留。",
        "audit.checkpoint_minutes": "两次签名之间的分钟数；没有新记录时不签名。",
        "audit.stream": "网关将每条审计记录发往何处：TLS 上的 syslog，或以 JSON 行写入文件或标准输出。",
        "audit.syslog": "syslog 接收端的 主机[:端口]（RFC 5424，经 TLS，RFC 5425）。",
        "audit.syslog_ca_file": "接收端证书的 CA（PEM 文件）；留空使用系统的。",
        "audit.syslog_cert_file": "接收端要求时，本端的证书（PEM 文件）。",
        "audit.syslog_key_file": "本端证书的私钥（PEM 文件）。",
        "audit.file": "JSON 行写入的文件，只追加。",
        "console.enabled": "在内置网关的 /console 下提供控制台。",
        "console.host": "`inkgate console` 的监听地址。",
        "console.port": "控制台的端口；0 表示任选空闲端口。",
        "console.gateway_url": "控制台调用网关的地址，例如 http://gateway:8080；留空表示同一进程。",
        "console.endpoint": "客户看到的网关地址；留空则与其访问控制台的地址相同。",
        "console.idle_minutes": "无请求超过此分钟数，登录失效。",
        "console.session_hours": "登录的最长小时数。",
        "console.contact": "客户遇到拒绝或停用时的联系方式：姓名、电话或地址。",
        "console.reveal_keys": "允许用户输入密码后再次查看 AccessKey 的 SecurityKey；关闭时只在创建时显示一次。",
        "console.regions": "网段与省份对照的 CSV（192.0.2.0/24,浙江），用于调用来源地图。",
        "console.wall_key": "大屏 /console/wall 的密钥，无需登录即可查看运行状态。",
        "console.setup_code": "从其他机器创建第一个运营人员的口令，16 至 256 个字符；未设置时只能在本机创建。",
        "access.separate_duties": (
            "启用三员分立：系统、安全与审计管理分开，原先有全部权限的运营人员不再能操作。须先创建安全管理员："
            "`inkgate user create LOGIN --role security`。"
        ),
        "access.second_factor": "必须启用两步验证的角色（JSON 列表）。",
        "access.password_characters": "密码的最少字符数。",
        "access.password_classes": "密码须包含小写字母、大写字母、数字、其他字符中的几种。",
        "access.password_history": "不得重复使用的历史密码个数。",
        "access.password_days": "密码的最长使用天数，到期须在登录时修改；0 表示不限。",
        "access.lock_after": "连续输错密码或验证码达到此次数后锁定用户。",
        "access.lock_minutes": "锁定的分钟数。",
        "access.address_attempts": "每个地址每一刻钟允许的登录失败次数；0 表示不限。",
        "access.name_attempts": "每个登录名（无论是否存在）每一刻钟允许的登录失败次数；0 表示不限。",
        "oidc.issuer": "身份提供方的 issuer 地址，https://…；留空只用本地密码。",
        "oidc.client_id": "在身份提供方登记的客户端 ID；其回调地址为 https://主机/console/oidc/back。",
        "oidc.client_secret": "在身份提供方登记的客户端密钥；公共客户端没有。",
        "oidc.scope": "向身份提供方请求的范围，须含 `openid`。",
        "oidc.claim": "作为登录名的声明（claim）。",
        "oidc.title": "登录按钮的名称，例如公司名称。",
        "oidc.groups_claim": "列出用户组的声明（claim）。",
        "oidc.roles": "组 → 角色（JSON 对象）；每次登录时按第一个匹配的设置。留空则使用此处设置的角色。",
        "oidc.create": "首次登录且某个组对应角色时，创建运营人员。",
        "ldap.url": "ldap://主机[:端口] 或 ldaps://主机[:端口]；留空则不使用目录。",
        "ldap.start_tls": "发送任何内容之前，以 StartTLS 加密 ldap:// 连接。",
        "ldap.plain": "允许不加密的 ldap://：密码将以明文传输。",
        "ldap.ca_file": "目录服务器证书的 CA（PEM 文件）；留空使用系统的。",
        "ldap.user_dn": "用户的 DN，`uid={login},ou=people,dc=example,dc=com`；或设置 `base`。",
        "ldap.base": "搜索用户的位置，`dc=example,dc=com`。",
        "ldap.filter": "搜索用户的过滤条件；AD 为 `(sAMAccountName={login})`。",
        "ldap.bind_dn": "用于搜索的 DN；留空为匿名，查询自己的组时为用户本人。",
        "ldap.bind_password": "该 DN 的密码。",
        "ldap.group_attribute": "用户条目中列出所属组的属性。",
        "ldap.group_base": "服务器没有该属性时，搜索组的位置。",
        "ldap.group_filter": "搜索组的过滤条件。",
        "ldap.roles": "组的 DN → 角色（JSON 对象）；每次登录时按第一个匹配的设置。留空则使用此处设置的角色。",
        "ldap.create": "首次登录且某个组对应角色时，创建运营人员。",
        "ldap.timeout": "查询目录每一步的最长秒数。",
        "security.master_key": "主密钥，32 字节的 Base64，用于加密保存的密钥；其后可用逗号附上旧密钥。",
        "security.master_key_file": "主密钥文件（权限 0600），每行一个，当前的在第一行。",
        "security.master_key_command": (
            "输出主密钥的程序及参数（JSON 列表），格式同上述文件，例如 KMS 或 HSM 的客户端。"
            "每个进程启动时运行一次，不经 shell，不含本服务的设置。"
        ),
        "security.master_key_command_seconds": "该程序的最长运行秒数。",
        "security.cipher": (
            "此后保存的密钥所用的加密算法；已保存的两种都能解密。`inkgate keys reseal` 可转换。"
            "所有进程都运行支持的版本后才能设为 sm4-gcm。"
        ),
        "security.kept_answers": (
            "已计费的应答在送达之前如何保存（至多十分钟）："
            "明文、以主密钥加密（所有网关都运行支持的版本后才能设置），或不保存：重复的请求将再次识别并计费。"
        ),
        "security.sm2": "解密加密请求体的库；auto 优先使用 libcrypto，其次 gmssl-pyx。",
        "takeover.url": "云端的地址，https://主机[:端口]；留空则关闭，调用不出内网。",
        "takeover.address": "实际连接的 主机[:端口]，例如 DNS 已将云端域名指向 InkGate 时；证书与 SNI 仍按上述地址。",
        "takeover.ca_file": "云端证书的 CA（PEM 文件）；留空使用系统的。",
        "takeover.proxy_url": "访问云端的 HTTP 代理，http://[用户:密码@]主机:端口。",
        "takeover.connect_timeout": "连接云端的最长秒数，含等待空闲连接。",
        "takeover.read_timeout": "等待云端应答一次调用的最长秒数。",
        "takeover.max_connections": "每个网关到云端的连接数。",
        "takeover.fallback": "本服务过载时，将已接管应用的调用转给云端，而不是返回 503。",
        "takeover.shadow_calls": "等待本地识别的镜像调用数；0 表示不识别。",
        "takeover.shadow_bytes": "每个网关中这些调用及其应答的字节数。",
        "takeover.shadow_at_once": "一个网关同时识别的镜像调用数。",
        "takeover.shadow_wait": "镜像调用等待空闲识别进程的最长秒数，超过则不比较。",
        "takeover.report_values": "报告中每个应用、字段与日期保留的不同值的对数；0 表示不保留。",
        "takeover.report_value_days": "不同值保留的天数。",
        "takeover.report_personal": "可能识别个人的字段与通用文字的不同值也保留。",
        "notices.enabled": "检查各项情况并发送通知。",
        "notices.interval": "两次检查之间的秒数。",
        "notices.language": "通道未指定语言时的语言。",
        "notices.low_percent": "有效次数剩余不超过此百分比时为余量不足；0 表示不按该项。各账号可在控制台另设。",
        "notices.low_days": "按最近 7 天的用量，剩余次数不足此天数时为余量不足；0 表示不按该项。",
        "notices.expiry_days": "资源包到期前多少天通知；0 表示不通知。",
        "notices.waiting_minutes": "订单或退订待审批超过此分钟数后通知。",
        "notices.workers_seconds": "没有就绪的识别进程超过此秒数后通知。",
        "notices.certificate_days": "证书到期前多少天通知。",
        "notices.certificate_hosts": (
            "须检查证书的 TLS 服务器（主机:端口），不含 INKGATE_TELEMETRY__CERTIFICATES 所列。"
        ),
        "notices.attempts": "一条通知的最多尝试次数，之后为发送失败。",
        "notices.timeout": "一次尝试的最长秒数；邮件服务器为每一步。",
        "notices.kept_days": "发送记录保留的天数。",
        "notices.smtp_host": "邮件服务器；留空则不发邮件。",
        "notices.smtp_port": "邮件服务器的端口。",
        "notices.smtp_tls": "邮件服务器的加密方式：STARTTLS、全程 TLS（端口 465）或不加密（仅限同一主机内）。",
        "notices.smtp_ca_file": "邮件服务器证书的 CA（PEM 文件）；留空使用系统的。",
        "notices.smtp_user": "邮件服务器的用户名；留空则不认证。",
        "notices.smtp_password": "邮件服务器的密码。",
        "notices.smtp_from": "发件人，例如 InkGate <inkgate@example.com>。",
        "notices.customer_hosts": "客户的 Webhook 与机器人可发往的主机；运营人员不受限制。",
        "notices.networks": (
            "除公网地址（客户）以及除环回与链路本地以外的地址（运营人员）之外，Webhook 与机器人还可发往的网段（CIDR）。"
        ),
        "notices.plain_http": "Webhook 与机器人可用 http:// 地址；否则只能用 https://。",
        "notices.ca_file": "Webhook 与机器人证书的 CA（PEM 文件）；留空使用系统的。",
        "notices.proxy_url": "Webhook 与机器人的 HTTP 代理，http://[用户:密码@]主机:端口；由代理解析域名。",
        "telemetry.log_level": "记录的最低日志级别。",
        "telemetry.log_format": "日志格式：每行一个 JSON 对象，或纯文本。",
        "telemetry.traces_endpoint": "链路追踪的 OTLP/HTTP 地址（…/v1/traces）；留空则不导出。",
        "telemetry.traces_ratio": "由本服务发起的链路中导出的比例。",
        "telemetry.accounts": "在指标中显示资源包余量的账号 id。",
        "telemetry.certificates": "在指标中显示有效期的证书（PEM 文件）。",
    }
)
"""Setting, as `group.name` → its meaning. A test finds settings without one."""

REFERENCE = re.compile(r" ?\((?:CONTRACT|ADR|manual|docs/)[^)]*\)")  # of use to developers only


def group_title(group: str, language: str) -> str:
    """The title of a group of settings."""
    return GROUPS[group][language == "en"]


def meaning(group: str, name: str, english: str, language: str) -> str:
    """What a setting means; `english` is its description, which is shown without references to documents."""
    return REFERENCE.sub("", english) if language == "en" else CHINESE[f"{group}.{name}"]
