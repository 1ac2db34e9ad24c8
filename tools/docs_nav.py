"""mkdocs hook: builds the navigation from the folders of docs/; the title of a page is its first heading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SECTIONS = (
    ("怎么做 How-to", "howto"),
    ("参考 Reference", "reference"),
    ("原理 Explanation", "explanation"),
    ("运行手册 Runbooks", "runbooks"),
    ("决定 Decisions", "adr"),
)


def on_config(config: Any) -> Any:
    docs = Path(config["docs_dir"])
    nav: list[dict[str, Any]] = [{"首页": "index.md"}, {"上手 Quickstart": "quickstart.md"}]
    for title, folder in SECTIONS:
        pages = sorted((docs / folder).glob("*.md"), key=lambda page: (page.name != "index.md", page.name))
        if pages:
            nav.append({title: [str(page.relative_to(docs)) for page in pages]})
    config["nav"] = nav
    return config
