"""The import on the operator's page: tried, done, refused row by row, in both languages; secrets are never shown."""

from __future__ import annotations

import httpx
import pytest

from inkgate.service.accounts import SqlDirectory
from inkgate.service.importing.reading import MAX_FILE_BYTES
from tests.console.console_fixture import BrowserClient, ConsoleFixture
from tests.unit.importing.files import as_csv, as_json, company

PAGE = "/operator/import"


async def send(visitor: BrowserClient, data: bytes, apply: str = "", **headers: str) -> httpx.Response:
    form = {"csrf": await visitor.token(PAGE), "apply": apply}
    return await visitor.post(PAGE, data=form, files={"file": ("keys.csv", data)}, headers=headers)


async def test_a_file_is_checked_and_then_imported(console: ConsoleFixture) -> None:
    chief, records = await console.signed_in("chief"), company()
    records[4]["seals"] = "yes"
    directory = SqlDirectory(console.engine, console.parts.vault, ttl=0.0)
    tried = await send(chief, as_csv(records))
    assert tried.status_code == 200 and "检查通过" in tried.text and "导入后生成" in tried.text
    assert await directory.app(records[4]["id"]) is None
    done = await send(chief, as_json(records), "1")
    assert done.status_code == 200 and "已导入" in done.text
    app = await directory.app(records[4]["id"])
    assert app is not None and app.name in done.text and "MFkwEwYHKoZI" in done.text
    assert not any(records[place]["secret"] in tried.text + done.text for place in (2, 3, 4))
    assert "扫描前台" in await chief.see(f"/operator/accounts/{app.account_id}")
    assert "console:chief" in await chief.see("/operator/audit")


async def test_each_row_to_correct_is_listed(console: ConsoleFixture) -> None:
    chief, records = await console.signed_in("chief"), company()
    records[2]["secret"], records[5]["capability"] = "x" * 32, "handwriting"
    refused = await send(chief, as_csv(records), "1")
    assert refused.status_code == 422 and "有 2 处问题，没有导入任何内容" in refused.text
    assert "容易猜中" in refused.text and "可选：general" in refused.text
    assert "x" * 32 not in refused.text and "handwriting" not in refused.text
    chief.cookies.set("inkgate_language", "en", path="/console")
    english = await send(chief, as_csv(records), "1")
    assert "2 problems; nothing was imported." in english.text and "Can be guessed" in english.text


async def test_with_scripts_the_answer_is_the_result_alone(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    answer = await send(chief, b"record\r\n", **{"hx-request": "true"})
    assert answer.status_code == 200 and "没有记录" in answer.text and "<html" not in answer.text


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "请选择"), (b"x" * (MAX_FILE_BYTES + 1), "1024 KiB"), (b"\xff", "UTF-8")]
)
async def test_a_file_that_cannot_be_read_is_one_line(console: ConsoleFixture, data: bytes, words: str) -> None:
    refused = await send(await console.signed_in("chief"), data, "1")
    assert refused.status_code == 422 and words in refused.text


async def test_customers_do_not_import(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    assert (await lin.get(PAGE)).status_code == 403
    token = await lin.token("/apps")
    refused = await lin.post(PAGE, data={"csrf": token, "apply": "1"}, files={"file": ("a.csv", as_csv(company()))})
    assert refused.status_code == 403


async def test_an_import_needs_the_form_token(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    refused = await chief.post(PAGE, data={"apply": "1"}, files={"file": ("a.csv", as_csv(company()))})
    assert refused.status_code == 403


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_the_template_is_a_download(console: ConsoleFixture, form: str) -> None:
    chief = await console.signed_in("chief")
    answer = await chief.get(f"{PAGE}/template.{form}")
    assert "sm2_private_key" in answer.text or form == "json"
    assert answer.headers["content-disposition"].endswith(f'inkgate-import.{form}"')
    assert (await chief.get(f"{PAGE}/template.exe")).status_code == 404
