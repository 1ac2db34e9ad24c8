"""Envelopes: the JSON bodies of answers, as the manual's tables and examples show them (6.3.x-7 and -8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inkgate.service.contract.capabilities import Capability
from inkgate.service.errors import SealFault

Element = Mapping[str, Any]


def failed_element(capability: Capability, fault: str) -> dict[str, Any]:
    """The element of an image that failed, e.g. {"err_code": 4008, "err_msg": "base64数据处理异常"}."""
    row = capability.faults[fault]
    return {"err_code": row.code, "err_msg": row.details, **capability.failed_keys(row)}


def batch_answer(capability: Capability, elements: Sequence[Element | str], *, superset: bool) -> dict[str, Any]:
    """A success body: one element per image in order; a string stands for the fault of that image.

    With `superset` the aliases `code` and `result` of manual 3.3 are added.
    """
    objects = [failed_element(capability, e) if isinstance(e, str) else dict(e) for e in elements]
    failed = sum(isinstance(e, str) for e in elements)
    return _with_aliases(capability, {"success": len(elements) - failed, "fail": failed}, objects, superset)


def single_answer(capability: Capability, element: Element, *, superset: bool) -> dict[str, Any]:
    """The success body of a single image: one object, message "success"."""
    return _with_aliases(capability, "success", dict(element), superset)


def _with_aliases(capability: Capability, message: object, result: object, superset: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"statusCode": 0, "message": message, "returnObj": result}
    if superset:
        body |= {"code": capability.success_code, "result": result}
    return body


def fault_answer(capability: Capability, fault: str, detail: str = "") -> dict[str, Any]:
    """A request-level business error; `detail` goes behind the table's text."""
    row = capability.faults[fault]
    return {
        "statusCode": row.code,
        "message": row.message if capability.single else "error",
        "details": f"{row.details}：{detail}" if detail else row.details,
        "error": f"AI_OP_{row.code}",
    }


def seal_fault_answer(error: SealFault) -> dict[str, Any]:
    """A sealed request that cannot be opened (manual 6.2.4 point 2.7); always in plain."""
    return {
        "statusCode": error.code,
        "message": error.message,
        "details": error.details,
        "error": f"AI_OP_{error.code}",
    }
