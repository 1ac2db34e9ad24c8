"""The notices page in a browser: a channel is made and tried through a running service, which sends by itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.console.walkthrough import OPERATOR, Walkthrough, keep
from tests.notice_servers import HttpReceiver, http_receiver

pytestmark = pytest.mark.browser
PAGE = "/operator/notices"


@contextmanager
def receiving() -> Iterator[HttpReceiver]:
    """A receiver with an event loop of its own, since Playwright keeps one running in this thread."""
    ready, ended = threading.Event(), threading.Event()
    found: list[HttpReceiver] = []

    async def run() -> None:
        async with http_receiver() as receiver:
            found.append(receiver)
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield found[0]
    finally:
        ended.set()
        thread.join(10)


def test_a_robot_is_added_and_tried(walk: Walkthrough, tmp_path: Path) -> None:
    from tests.console.browser import service
    from tests.console.page_checks import axe, page_problems

    settings = {"NOTICES__NETWORKS": '["127.0.0.0/8"]', "NOTICES__PLAIN_HTTP": "true", "ENGINE__RUNTIME": "stub"}
    with receiving() as receiver, service(tmp_path, **settings) as base:
        chief = Walkthrough(base, walk.browser).person()
        page = chief.go("/setup")
        page.fill("#login", OPERATOR[0])
        page.fill("#password", OPERATOR[1])
        page.click("form.form button")
        page.wait_for_selector("main h1")
        page = chief.go(PAGE)
        page.select_option("#kind", "wecom")
        assert page.is_visible("#url") and page.is_hidden("#secret") and page.is_hidden("#algorithm")
        page.fill("#name", "值班群")
        page.fill("#url", receiver.url("/cgi-bin/webhook/send?key=secret-in-the-url"))
        page.click("form.form button.main-action")
        page.wait_for_selector("text=值班群")
        page.click("form[action$='/test'] button")
        give_up = time.monotonic() + 30
        while not receiver.received and time.monotonic() < give_up:
            time.sleep(0.2)
        [request] = receiver.received
        assert request.json["markdown"]["content"].startswith("### 测试通知")
        time.sleep(1)
        page = chief.go(PAGE)
        text = page.inner_text("main")
        assert "已发送" in text and "secret-in-the-url" not in page.content()
        page.set_viewport_size({"width": 1440, "height": 900})
        keep(page, "notices")
        assert list(axe(page)) == []
        assert list(page_problems(chief, PAGE)) == []
        chief.leave()
