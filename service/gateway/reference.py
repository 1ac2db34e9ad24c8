"""/docs: the OpenAPI document as one self-contained HTML page, without scripts and external resources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #8881; --accent: #2563c9; }
body { font: 16px/1.6 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 6rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 3rem; border-top: 1px solid var(--line);
  padding-top: 1.5rem; } h3 { font-size: 1rem; margin-bottom: .25rem; }
code, pre { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; overflow: auto;
  max-height: 28rem; } .path { display: block; margin: .25rem 0; word-break: break-all; }
.path b { color: #fff; background: var(--accent); border-radius: 4px; padding: .05rem .4rem; margin-right: .5rem;
  font-size: 12px; } .old { opacity: .6; } nav a { margin-right: 1.2rem; } a { color: var(--accent); }
table { border-collapse: collapse; width: 100%; font-size: 14px; } td, th { text-align: left; padding: .35rem .6rem;
  border-bottom: 1px solid var(--line); vertical-align: top; }
"""


def reference_page(openapi: Mapping[str, Any]) -> str:
    """Render the OpenAPI document as HTML."""
    groups: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for path, item in openapi["paths"].items():
        groups.setdefault(item["post"]["tags"][0], []).append((path, item["post"]))
    links = "".join(f'<a href="#{number}">{escape(title)}</a>' for number, title in enumerate(groups))
    sections = "".join(_section(number, title, paths) for number, (title, paths) in enumerate(groups.items()))
    info = openapi["info"]
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1><p>{escape(info['description'])} "
        f'机器可读的描述见 <a href="openapi.json">openapi.json</a>。</p><nav>{links}</nav>{sections}'
        "</body></html>"
    )


def _section(number: int, title: str, paths: list[tuple[str, Mapping[str, Any]]]) -> str:
    operation = paths[0][1]
    spelt = "".join(
        f'<code class="path{" old" if op["deprecated"] else ""}"><b>POST</b>{escape(path)}</code>' for path, op in paths
    )
    body = operation["requestBody"]["content"]["application/json"]["example"]
    answers = operation["responses"]
    return (
        f'<h2 id="{number}">{escape(title)}</h2>{spelt}'
        f"<h3>请求头</h3>{_headers(operation['parameters'])}"
        f"<h3>请求体</h3>{_json(body)}"
        f"<h3>返回体</h3>{_json(answers['200']['content']['application/json']['example'])}"
        f"<h3>错误码</h3>{_codes(answers)}"
    )


def _json(value: object) -> str:
    return f'<pre tabindex="0">{escape(json.dumps(value, ensure_ascii=False, indent=2))}</pre>'


def _headers(parameters: list[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code><td>{'必填' if p['required'] else '可选'}"
        f"<td>{escape(p['description'])}</tr>"
        for p in parameters
    )
    return f"<table>{rows}</table>"


def _codes(answers: Mapping[str, Any]) -> str:
    rows = []
    for status, answer in answers.items():
        listed = (
            answer["description"].split("：", 1)[-1].split("；")
            if status == "200"
            else answer["description"].split("；")
        )
        texts = [text for text in listed if text[:1].isdigit()] or [answer["description"]]
        rows += [f"<tr><td>HTTP {status}<td>{escape(text)}</tr>" for text in texts]
    return f"<table>{''.join(rows)}</table>"
