"""Gateway codes: text and HTTP status of every refusal (manual 6.1.3, CONTRACT section 3, D6 and D12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class GatewayCode:
    """One gateway code: text, HTTP status, and whether it is of the EOP layer (string statusCode)."""

    text: str
    http: int
    eop: bool = False


GATEWAY_CODES: Mapping[int, GatewayCode] = MappingProxyType(
    {
        10002: GatewayCode("ctyun-EOP: 生成签名时官网ak信息错误", 401, eop=True),
        10020: GatewayCode("ctyun-EOP: 签名错误", 401, eop=True),
        40002: GatewayCode("缺少appkey头", 401),
        40006: GatewayCode("无效的appkey", 401),
        40008: GatewayCode("不支持的请求类型", 405),
        40009: GatewayCode("IP未被APP授权", 403),
        40010: GatewayCode("IP未被API授权", 403),
        40800: GatewayCode("请求体接收超时", 408),
        42900: GatewayCode("请求过于频繁，请稍后重试", 429),
        50000: GatewayCode("服务内部错误", 500),
        50001: GatewayCode("服务未注册", 404),
        50002: GatewayCode("应用未开通", 403),
        50003: GatewayCode("API中无效的URL请求", 404),
        50200: GatewayCode("上游服务连接失败，请稍后重试", 502),
        50300: GatewayCode("服务繁忙，请稍后重试", 503),
        50400: GatewayCode("上游服务响应超时，请稍后重试", 504),
        51001: GatewayCode("购买服务已过期", 403),
        51002: GatewayCode("收费API未购买", 403),
        51003: GatewayCode("API可用次数已不足", 403),
    }
)


def refusal_body(code: int, request_id: str) -> dict[str, Any]:
    """The JSON body of a refusal. As on the public endpoint, codes of the EOP layer have a string statusCode and an
    eopErrCode; the others have an integer statusCode."""
    row = GATEWAY_CODES[code]
    body: dict[str, Any] = {
        "statusCode": f"CTAPI_{code}" if row.eop else code,
        "code": str(code),
        "error": str(code),
        "message": row.text,
        "details": row.text,
        "requestId": request_id,
        "returnObj": {},
    }
    if row.eop:
        body["eopErrCode"] = str(code)
    return body


PAYLOAD_TOO_LARGE_PAGE = (
    b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n"
    b"<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
