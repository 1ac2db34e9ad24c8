"""One signed call in four frames, for the READMEs: python -m tools.draw_call

Writes docs/img/signed-call.svg from the sample image, the headers that `call_headers` signs, and the recorded answer.
"""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path

import cv2

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.eop.signing import call_headers

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "img" / "signed-call.svg"
HOST = "ocr.example.com"
WIDTH, HEIGHT, GAP = 320, 300, 16  # of a frame, in units of the drawing
IMAGE_WIDTH = 560  # pixels of the embedded image, twice its size in the drawing
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'Noto Sans Mono CJK SC', monospace"
SANS = "system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"
INK, DIM, BLUE, GREEN = "#0f172a", "#64748b", "#2563c9", "#15803d"
LINE_CHARACTERS = 13  # Chinese ones, of a value in the answer
FIELDS = ("name", "sex", "birthday", "idn", "addr")


def text(
    x: float, y: float, content: str, size: float = 13, fill: str = INK, family: str = MONO, weight: int = 400
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" font-family="{family}" font-weight="{weight}" '
        f'xml:space="preserve">{escape(content)}</text>'
    )


def frame(number: int, title: str, inside: list[str]) -> str:
    x = GAP + (number - 1) * (WIDTH + GAP)
    parts = [
        f'<g transform="translate({x} {GAP})">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="#fff" stroke="#cbd5e1"/>',
        f'<circle cx="26" cy="26" r="12" fill="{BLUE}"/>',
        text(22, 31, str(number), 13, "#fff", SANS, 700),
        text(48, 31, title, 14.5, INK, SANS, 600),
        *inside,
        "</g>",
    ]
    return "\n".join(parts)


def image_frame(sample: Path) -> list[str]:
    image = cv2.imread(str(sample))
    height = round(image.shape[0] * IMAGE_WIDTH / image.shape[1])
    small = cv2.resize(image, (IMAGE_WIDTH, height), interpolation=cv2.INTER_AREA)
    data = base64.b64encode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 78])[1].tobytes()).decode()
    drawn = height * (WIDTH - 40) / IMAGE_WIDTH
    return [
        f'<image x="20" y="56" width="{WIDTH - 40}" height="{drawn:.1f}" href="data:image/jpeg;base64,{data}"/>',
        text(20, 56 + drawn + 26, 'JPEG → base64 → {"data": […]}', 12.5, DIM),
    ]


def request_frame(path: str) -> list[str]:
    headers = call_headers(
        "a1b2c3d4e5f6", b"secret-key-of-the-app", "ink-app", b"{}", "2f7c0e0a-6f53-4a52-9e0d-3c1d6a1be8f4"
    )
    head = [f"POST {path[:31]}", f"     {path[31:]}"]
    lines = [text(20, 68 + 20 * at, line, 11.5) for at, line in enumerate(head)]
    lines.append(f'<rect x="14" y="97" width="{WIDTH - 28}" height="23" rx="5" fill="#dbeafe"/>')
    lines.append(text(20, 113, f"Host: {HOST}", 12.5, BLUE, MONO, 700))
    y = 140.0
    for name, value in headers.items():
        if name == "Eop-Authorization":
            start, _, rest = value.partition(" Headers=")
            signed, _, signature = rest.partition(" Signature=")
            wrapped = [f"{name}: {start}", f"  Headers={signed}", f"  Signature={signature[:24]}…"]
        else:
            wrapped = [f"{name}: {value if len(value) < 34 else value[:18] + '…'}"]
        for line in wrapped:
            lines.append(text(20, y, line, 11, DIM))
            y += 18
    lines.append(text(20, HEIGHT - 18, "客户端唯一的改动：域名 · only the host is new", 12, BLUE, SANS))
    return lines


def answer_frame(answer: dict[str, object]) -> list[str]:
    found = answer["returnObj"][0]["detail"]  # type: ignore[index]
    lines = [text(20, 70, '{ "statusCode": 0,', 12.5), text(20, 92, '  "returnObj": [{ "detail": {', 12.5)]
    y = 116
    for name in FIELDS:
        lines.append(text(44, y, f"{name}:", 12.5, DIM))
        value = str(found[name])
        step = len(value) if value.isascii() else LINE_CHARACTERS
        for start in range(0, len(value), step):
            lines.append(text(118, y, value[start : start + step], 13, GREEN, SANS, 600))
            y += 23
    lines.append(text(20, y, "  }}] }", 12.5))
    return lines


def ledger_frame() -> list[str]:
    bar = WIDTH - 40
    rows = [("应用 app", "ink-app"), ("能力 capability", "idcard"), ("次数 units", "1"), ("资源包 pack", "1000 → 999")]
    lines = [f'<rect x="20" y="60" width="{bar}" height="14" rx="7" fill="#e2e8f0"/>']
    lines.append(f'<rect x="20" y="60" width="{bar * 0.985:.0f}" height="14" rx="7" fill="{BLUE}"/>')
    for at, (label, value) in enumerate(rows):
        lines.append(text(20, 108 + 30 * at, label, 13, DIM, SANS))
        lines.append(text(170, 108 + 30 * at, value, 13, INK, MONO, 600))
    lines.append(text(20, 238, "hash = SM3(hash before, line)", 12, DIM))
    lines.append(text(20, HEIGHT - 18, "先入账，后应答 · settled before the answer", 12, BLUE, SANS))
    return lines


def drawing() -> str:
    capability = CAPABILITIES["idcard"]
    answer = json.loads(Path(str(capability.example)).read_text("utf-8"))["response"]
    frames = [
        frame(1, "图片 · image", image_frame(capability.sample)),
        frame(2, "签名 · sign", request_frame(capability.paths[0])),
        frame(3, "应答 · answer", answer_frame(answer)),
        frame(4, "入账 · settle", ledger_frame()),
    ]
    width, height = 4 * WIDTH + 5 * GAP, HEIGHT + 2 * GAP
    box = f'<rect width="{width}" height="{height}" rx="16" fill="#f1f5f9"/>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            box,
            *frames,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    TARGET.write_text(drawing(), "utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")
