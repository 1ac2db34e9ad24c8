"""The try page in a browser, after test_walk.py: turned photos, what is not sent, one charge per call, the session."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from inkgate.service.samples import sample
from tests.console.walkthrough import CUSTOMER, Walkthrough
from tests.image_files import saved

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.console.browser import BrowserUser

pytestmark = pytest.mark.browser

ORIENTATION = 0x0112  # of EXIF
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""Orientation → how a camera stores an upright scene under it; for a viewer, the inverse is applied."""
DARK = 110  # of 255: ink on paper
TWO_MB = 2 * 1024 * 1024
ANSWER_MS = 90_000


@pytest.fixture
def lin(walk: Walkthrough) -> Iterator[BrowserUser]:
    person = walk.person(CUSTOMER)
    person.go("/try?capability=general")
    yield person
    person.leave()


def upright() -> Image.Image:
    return Image.open(io.BytesIO(sample("general"))).convert("RGB")


def stored(orientation: int, form: str = "JPEG") -> bytes:
    """The sample as a camera held another way stores it."""
    scene = upright()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turned = scene.transpose(TURNS[orientation]) if orientation in TURNS else scene
    return saved(turned, form, exif=exif, **({"quality": 95} if form == "JPEG" else {}))


def choose(page: Page, name: str, content: bytes, kind: str = "image/jpeg") -> None:
    page.set_input_files("#image", files=[{"name": name, "mimeType": kind, "buffer": content}])


def answered(page: Page) -> str:
    page.wait_for_selector("#answer-json", timeout=ANSWER_MS)
    return page.inner_text("#try-result .grid")


def used(person: BrowserUser) -> int:
    """Units deducted so far."""
    page = person.context.new_page()
    page.goto(f"{person.base}/console/capabilities/general")
    text = page.inner_text("tbody >> nth=0")
    page.close()
    return int(text.split(" / ")[0].split()[-1].replace(",", ""))


def ink_in_boxes(stage: Locator) -> tuple[np.ndarray, float]:
    """The image as it is shown, in grey, and the share of its ink that lies inside the marks."""
    marks = stage.locator("svg")
    marks.evaluate("each => each.style.visibility = 'hidden'")
    grey = np.asarray(Image.open(io.BytesIO(stage.locator("img").screenshot())).convert("L"))
    marks.evaluate("each => each.style.visibility = ''")
    corner = stage.locator("img").bounding_box()
    assert corner
    inside = np.zeros_like(grey, bool)
    for box in stage.locator("polygon").evaluate_all("all => all.map((each) => each.getBoundingClientRect().toJSON())"):
        left, top = box["x"] - corner["x"], box["y"] - corner["y"]
        inside[round(top) : round(top + box["height"]), round(left) : round(left + box["width"])] = True
    ink = grey < DARK
    return grey, float((ink & inside).sum() / ink.sum())


def test_a_photo_is_shown_as_it_was_taken_and_its_boxes_lie_on_the_text(lin: BrowserUser) -> None:
    """Every EXIF orientation, in a JPEG and one in a PNG."""
    page = lin.page
    seen: dict[str, tuple[np.ndarray, float]] = {}
    for name, content in (
        *((f"{turn}.jpg", stored(turn)) for turn in range(1, 9)),
        ("6.png", stored(6, "PNG")),
    ):
        choose(page, name, content, "image/png" if name.endswith("png") else "image/jpeg")
        assert "图书馆开放通知" in answered(page), name
        page.wait_for_selector(".stage svg[viewBox]")
        seen[name] = ink_in_boxes(page.locator(".stage"))
        page.evaluate("document.getElementById('try-result').replaceChildren()")
    first, share = seen["1.jpg"]
    assert share > 0.8  # of a turned image it would be less than half
    for name, (grey, inside) in seen.items():
        assert grey.shape == first.shape, name
        assert np.abs(grey.astype(int) - first).mean() < 6, name
        assert inside > share - 0.05, name


def test_what_cannot_be_recognised_is_neither_sent_nor_charged(lin: BrowserUser) -> None:
    page, before, sent = lin.page, used(lin), []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    tiny = saved(Image.new("RGB", (20, 200)), "PNG")
    for name, content, said in (
        ("a.pdf", b"%PDF-1.7\n" + bytes(100), "这是 PDF 文件"),
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(100), "这是 HEIC 文件"),
        ("a.txt", b"hello", "只支持 jpg、png、bmp 图片"),
        ("a.jpg", sample("general")[:400], "图片已损坏"),
        ("a.png", tiny, "图片为 20 × 200 像素；每边不能少于 32 像素"),
        ("a.gif", saved(upright(), "GIF"), "这是 GIF 图片。可以在浏览器中转换"),
        ("a.webp", saved(upright(), "WEBP"), "这是 WebP 图片。可以在浏览器中转换"),
    ):
        choose(page, name, content)
        page.wait_for_selector(f"#try-result [role=alert]:has-text('{said}')")
        page.wait_for_selector("#try-controls:not([disabled])")
    page.click("#try-result button:has-text('取消')")
    assert page.locator("#try-result > *").count() == 0
    assert sent == [] and used(lin) == before


def test_a_large_photo_is_shrunk_with_consent(lin: BrowserUser) -> None:
    page, before = lin.page, used(lin)
    scene = upright()
    scale = 5400 / max(scene.size)
    large = scene.resize((round(scene.width * scale), round(scene.height * scale)))
    noise = np.random.default_rng(5).integers(-20, 20, (large.height, large.width, 1))
    large = Image.fromarray(np.clip(np.asarray(large).astype(int) + noise, 0, 255).astype(np.uint8))
    content = saved(large, "JPEG", quality=92)
    assert len(content) > TWO_MB
    bodies: list[int] = []
    page.on(
        "request",
        lambda request: bodies.append(len(request.post_data_buffer or b"")) if "/try/" in request.url else None,
    )
    choose(page, "photo.jpg", content)
    page.wait_for_selector(f"#try-result:has-text('图片为 {large.width} × {large.height} 像素')")
    assert bodies == []
    page.click("#try-result button:has-text('缩小并识别')")
    assert "图书馆开放通知" in answered(page)
    assert len(bodies) == 1 and bodies[0] < TWO_MB + 4096
    assert used(lin) == before + 1
    assert ink_in_boxes(page.locator(".stage"))[1] > 0.8


def test_a_converted_image_is_recognised(lin: BrowserUser) -> None:
    choose(lin.page, "a.webp", saved(upright(), "WEBP", quality=95), "image/webp")
    lin.page.click("#try-result button:has-text('转换并识别')")
    assert "图书馆开放通知" in answered(lin.page)


def test_two_clicks_and_a_lost_answer_are_charged_once(lin: BrowserUser) -> None:
    page, before, sent = lin.page, used(lin), []
    page.on("request", lambda request: sent.append(request.url) if "/try/" in request.url else None)
    # Both clicks come before the page can draw: no user clicks faster.
    page.evaluate("[1, 2, 3].forEach(() => document.querySelector('[data-sample]').click())")
    answered(page)
    assert len(sent) == 1 and used(lin) == before + 1

    def lose(route) -> None:  # type: ignore[no-untyped-def]
        assert route.fetch().ok
        route.abort()

    page.route("**/try/general", lose)
    page.click("[data-sample]")
    page.wait_for_selector("#try-result:has-text('请求没有送达')", timeout=ANSWER_MS)
    page.unroute("**/try/general")
    page.click("#try-result button:has-text('重试')")
    assert "图书馆开放通知" in answered(page)
    assert used(lin) == before + 2
    lin.console_errors = [each for each in lin.console_errors if "ERR_FAILED" not in each]


def test_controls_are_disabled_during_a_call(lin: BrowserUser) -> None:
    from playwright.sync_api import expect

    page = lin.page
    page.evaluate(
        """() => {
          const controls = document.getElementById('try-controls');
          document.querySelector('[data-sample]').click();
          window.held = controls.disabled && document.getElementById('app').matches(':disabled');
        }"""
    )
    answered(page)
    assert page.evaluate("window.held") is True
    expect(page.locator("#app")).to_be_enabled()


def test_an_expired_session_keeps_the_image_and_goes_on_after_the_sign_in(walk: Walkthrough, lin: BrowserUser) -> None:
    page = lin.page
    lin.context.clear_cookies()
    choose(page, "a.jpg", sample("general"))
    page.wait_for_selector("#try-result [role=alert]:has-text('登录已过期或已改变')")
    assert page.url.endswith("/try?capability=general")
    page.evaluate("document.querySelector('#try-result [role=alert]').id = 'first'")
    page.click("#try-result button:has-text('已登录，继续')")  # not yet
    page.wait_for_selector("#try-result [role=alert]:not(#first):has-text('登录已过期或已改变')")
    with lin.context.expect_page() as opened:
        page.click("#try-result a:has-text('在新窗口登录')")
    other = opened.value
    other.fill("#login", CUSTOMER[0])
    other.fill("#password", CUSTOMER[1])
    other.click("form.form button")
    other.wait_for_selector("main h1")
    other.close()
    page.click("#try-result button:has-text('已登录，继续')")
    assert "图书馆开放通知" in answered(page)
    # A sign-in in another window replaces the session; the form token of this page is then of the old one.
    other = lin.context.new_page()
    other.goto(f"{walk.base}/console/keys")
    other.click("form[action$='/logout'] button")
    other.fill("#login", CUSTOMER[0])
    other.fill("#password", CUSTOMER[1])
    other.click("form.form button")
    other.wait_for_selector("main h1")
    other.close()
    page.click("[data-sample]")
    page.wait_for_selector("#try-result [role=alert]:has-text('登录已过期或已改变')")
    page.click("#try-result button:has-text('已登录，继续')")
    assert "图书馆开放通知" in answered(page)


def test_an_image_can_be_dropped_and_pasted(lin: BrowserUser) -> None:
    page = lin.page
    for event in ("drop", "paste"):
        page.evaluate(
            """async (kind) => {
              const image = await (await fetch(document.querySelector('[data-sample]').dataset.sample)).blob();
              const carried = new DataTransfer();
              carried.items.add(new File([image], 'a.jpg', { type: 'image/jpeg' }));
              const event = kind === 'drop'
                ? new DragEvent('drop', { dataTransfer: carried, bubbles: true, cancelable: true })
                : new ClipboardEvent('paste', { clipboardData: carried, bubbles: true });
              document.getElementById('drop').dispatchEvent(event);
            }""",
            event,
        )
        assert "图书馆开放通知" in answered(page), event
        page.evaluate("document.getElementById('try-result').replaceChildren()")


def test_a_phone_offers_its_camera_and_the_pages_fit(walk: Walkthrough, lin: BrowserUser) -> None:
    from tests.console.page_checks import shown_problems

    assert not lin.page.locator("label[for=camera]").is_visible()
    lin.page.click("[data-sample]")
    answered(lin.page)
    assert list(shown_problems(lin.page)) == []
    choose(lin.page, "a.gif", saved(upright(), "GIF"))
    lin.page.wait_for_selector("#try-result >> text=转换并识别")
    assert list(shown_problems(lin.page, thorough=False)) == []
    phone = walk.browser.new_context(viewport={"width": 375, "height": 812}, has_touch=True, is_mobile=True)
    phone.add_cookies(lin.context.cookies())
    page = phone.new_page()
    page.goto(f"{walk.base}/console/try")
    assert page.locator("label[for=camera]").is_visible()
    assert page.get_attribute("#camera", "capture") == "environment"
    phone.close()


def test_an_app_that_has_not_opened_the_capability_says_so_at_once(lin: BrowserUser) -> None:
    page = lin.go("/apps")
    page.click(".head [data-opens=new-app]")
    page.fill("#name", "尚未开通")
    page.click("#new-app .main-action")
    page.click("#created .main-action")
    page.wait_for_selector("#created", state="detached")
    page = lin.go("/try?capability=general")
    assert page.locator("#app option:checked").inner_text() == "门户网站"
    assert not page.locator("#not-opened").is_visible()
    page.select_option("#app", label="尚未开通 · 未开通")
    assert page.locator("#not-opened").is_visible()
    before = used(lin)
    page.click("[data-sample]")
    page.wait_for_selector("#try-result [role=alert]:has-text('没有发出调用')")
    assert used(lin) == before
    page.click("#try-result a:has-text('去开通')")
    page.wait_for_selector("h1:has-text('尚未开通')")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click(".head form[action$=delete] button")
    lin.sure()
    page.wait_for_url("**/apps?done=app-deleted")
