"""mkdocs hook: navigation in the order of need, language notices, sources of images, Chinese text without gaps.

SECTIONS lists pages by the path below docs/. A page that no section lists is added to the section of its folder, so a
new page is always in the navigation. An English counterpart (`NAME.en.md`) is reached from its page and not listed.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tools.docs_check import image_sources
from tools.docs_pages import DOCS, parse

SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "概览 Overview",
        "",
        (
            "explanation/architecture.md",
            "explanation/performance.md",
            "reference/sizing.md",
            "reference/cost.md",
            "reference/xinchuang.md",
            "reference/support.md",
        ),
    ),
    (
        "安全与合规 Security",
        "",
        (
            "explanation/security.md",
            "explanation/personal-data.md",
            "reference/compliance.md",
            "reference/evidence-pack.md",
            "reference/audit-chain.md",
            "reference/permissions.md",
        ),
    ),
    (
        "安装 Install",
        "",
        ("howto/install-one-host.md", "howto/install-kubernetes.md", "howto/install-airgap.md"),
    ),
    (
        "接入 Clients",
        "",
        ("howto/migrate.md", "howto/clients.md", "reference/api.md", "reference/wire-contract.md"),
    ),
    (
        "运行 Operate",
        "howto",
        (
            "howto/index.md",
            "howto/console.md",
            "howto/observe.md",
            "howto/ship-logs.md",
            "howto/back-up.md",
            "howto/high-availability.md",
            "howto/upgrade.md",
            "howto/rotate-keys.md",
            "howto/tls.md",
            "howto/gm-tls.md",
            "howto/notices.md",
            "howto/tune.md",
            "howto/ocr-folders.md",
            "howto/add-a-capability.md",
        ),
    ),
    ("告警处理 Runbooks", "runbooks", ("runbooks/index.md",)),
    (
        "查阅 Reference",
        "reference",
        ("reference/settings.md", "reference/cli.md", "reference/metrics.md", "reference/alerts.md"),
    ),
    (
        "原理 Explanation",
        "explanation",
        (
            "explanation/ledger.md",
            "explanation/scale-out.md",
            "explanation/documents.md",
            "explanation/plates.md",
            "explanation/glossary.md",
        ),
    ),
    ("附录 Appendix", "appendix", ()),
    ("决定 Decisions", "adr", ("adr/index.md",)),
)

_NOTICES = {"en": "本页只有英文。 This page is in English only.", "zh": "本页只有中文。 This page is in Chinese only."}
_CHINESE = "[\u3001-\u303f\u4e00-\u9fff\uff00-\uffef]"
_WRAPPED_CHINESE = re.compile(rf"(?<={_CHINESE})\n *(?={_CHINESE})")
_FENCE = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)
_IMAGE_LINE = re.compile(r"^!\[[^\]]*\]\(([^)\s]+)[^)]*\)$", re.MULTILINE)


def navigation(docs: Path) -> list[dict[str, Any]]:
    """The `nav` of mkdocs. Raises ValueError when a section lists a page that does not exist."""
    names = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    listed = {page for _, _, pages in SECTIONS for page in pages}
    if missing := sorted(listed - names):
        raise ValueError(f"the navigation lists pages that do not exist: {', '.join(missing)}")
    nav: list[dict[str, Any]] = [{"首页": "index.md"}, {"上手 Quickstart": "quickstart.md"}]
    for title, folder, pages in SECTIONS:
        others = sorted(
            name for name in names - listed if folder and name.startswith(f"{folder}/") and not name.endswith(".en.md")
        )
        nav.append({title: [*pages, *others]})
    return nav


def join_chinese(markdown: str) -> str:
    """Text without line breaks between two Chinese characters, which a browser would show as a blank."""
    parts = _FENCE.split(markdown)
    return "".join(part if part.lstrip().startswith("```") else _WRAPPED_CHINESE.sub("", part) for part in parts)


def on_config(config: Any) -> Any:
    config["nav"] = navigation(Path(config["docs_dir"]))
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Add the language notice below the title, and below each image its source."""
    name = page.file.src_uri
    known = parse(name, (DOCS / name).read_text(encoding="utf-8"))
    notice = known.meta.get("language_note") or _NOTICES.get(known.language, "")
    if notice and not (DOCS / known.counterpart).exists():
        markdown = re.sub(r"\A(\s*# .*\n)", lambda title: f"{title[1]}\n*{notice}*\n", markdown, count=1)
    sources = image_sources(DOCS)

    def with_source(image: re.Match[str]) -> str:
        file = (DOCS / name).parent.joinpath(image[1]).resolve().relative_to(DOCS.resolve() / "img").as_posix()
        source = next(source for pattern, source in sources.items() if fnmatchcase(file, pattern))
        return f"{image[0]}\n\n<small>来源 · Source: {source}</small>"

    return join_chinese(_IMAGE_LINE.sub(with_source, markdown))
