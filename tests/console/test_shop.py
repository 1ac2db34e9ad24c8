"""Pages of the shop: purchase, payment, vouchers, balance, refunds, prices, first steps; on both databases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import repository as accounts_repository
from inkgate.service.accounts import service as accounts
from inkgate.service.console.agreement import load_agreement
from inkgate.service.console.first_steps import first_steps
from inkgate.service.console.pages import expenses, refunds
from inkgate.service.console.render import environment, per_thousand, units
from inkgate.service.console.scope import scope_of
from inkgate.service.db import work
from inkgate.service.db.hashes import hash_token
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import ConfigurationError
from inkgate.service.metering.service import packs_of
from inkgate.service.orders import balance, payments, repository
from inkgate.service.orders.refunds import reject_refund, request_refund
from inkgate.service.orders.vouchers import issue_voucher
from inkgate.service.users.shown_secrets import NEW_VISIBLE
from tests.console.console_fixture import BrowserClient, ConsoleFixture
from tests.console.test_pages import bought, call, traffic


async def ordered(lin: BrowserClient, **quantities: str) -> str:
    """The number of an order that was placed in the console and is not paid."""
    fields = {name.replace("_", "-"): value for name, value in quantities.items()}
    placed = await lin.submit("/buy/general/order", page="/buy/general", agreed="1", **fields)
    found = re.fullmatch(r"/console/orders/([0-9]{20})/pay", placed.headers["location"])
    assert found
    return found[1]


async def bought_packs(console: ConsoleFixture) -> list[str]:
    async with work.read_session(console.engine) as session:
        return [each.id for each in await packs_of(session, console.account_id) if each.order_id]


async def test_the_first_page_of_a_purchase_has_one_pack_and_its_cost(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    page = await lin.see("/buy/general")
    assert page.count('value="1"') == 1 and ">¥450.00</strong>" in page
    assert "10万次" in page and "1,000万次" in page and "参考价格，具体扣费请以账单为准。" in page
    assert 'href="/console/pricing"' in page and "了解计费详情" in page
    confirmed = (await lin.submitted("/buy/general", page="/buy/general", **{"general-100k": "2"})).text
    assert ">¥900.00</strong>" in confirmed and 'href="/console/agreement"' in confirmed and "包周期" in confirmed


async def test_an_order_is_paid_with_the_balance_in_steps(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    async with console.begin() as unit:
        await balance.change_balance(unit, console.account_id, 89_999)
    number = await ordered(lin, general_100k="2")
    page = f"/orders/{number}/pay"
    assert "可用 ¥899.99" in await lin.see(page) and "¥900.00" in await lin.see(page)
    refused = await lin.submit(page, page=page, method="balance")
    assert refused.status_code == 422 and "不足 900.00 元" in refused.text
    assert (await lin.submit(page, page=page, method="gift")).status_code == 422
    async with console.begin() as unit:
        await balance.change_balance(unit, console.account_id, 1)
    done = await lin.submit(page, page=page, method="balance")
    assert done.headers["location"] == f"/console/orders/{number}?paid=1"
    shown = await lin.see(f"/orders/{number}?paid=1")
    assert "支付成功" in shown and "账户余额" in shown and "¥4.50" in shown  # 每千次
    again = await lin.submit(page, page="/keys", method="balance")
    assert again.status_code == 422 and "已处理" in again.text
    assert len(await bought_packs(console)) == 2
    costs = await lin.see("/expenses")
    assert "-¥900.00" in costs and f"/orders/{number}" in costs


async def test_another_account_and_a_sub_account_cannot_pay(console: ConsoleFixture) -> None:
    lin, east = await console.signed_in("lin"), await console.signed_in("east")
    number = await ordered(lin, general_100k="1")
    assert (await east.get(f"/orders/{number}/pay")).status_code == 404
    assert (await east.submit(f"/orders/{number}/pay", page="/keys", method="offline")).status_code == 404
    async with work.read_session(console.engine) as session:
        order = await repository.order(session, number)
    assert order is not None and order.state == "unpaid"


async def test_an_order_that_is_too_old_is_shown_as_lapsed(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    number = await ordered(lin, general_100k="1")
    assert "去支付" in await lin.see("/orders?state=unpaid")
    console.clock.advance(hours=24, seconds=1)
    lin = await console.signed_in("lin")
    listed = await lin.see("/orders")
    assert "已失效" in listed and "去支付" not in listed
    assert "立即支付" not in await lin.see(f"/orders/{number}/pay")
    assert "24 小时内支付" in (await lin.submit(f"/orders/{number}/pay", page="/keys", method="offline")).text


async def test_an_issued_voucher_is_added_chosen_and_listed_by_state(console: ConsoleFixture) -> None:
    lin, chief = await console.signed_in("lin"), await console.signed_in("chief")
    answer = await chief.submit(
        "/operator/vouchers", page="/operator/vouchers", kind="credit", value="450.00", name="开业"
    )
    assert answer.status_code == 303 and answer.headers["location"] == "/console/operator/vouchers"
    code = re.search(r'data-copy="([\w-]{20})"', await chief.see("/operator/vouchers"))
    assert code
    assert code[1] not in await (await console.signed_in("chief")).see("/operator/vouchers")  # another session
    console.clock.advance(seconds=NEW_VISIBLE.total_seconds() + 1)
    assert code[1] not in await chief.see("/operator/vouchers")
    assert (await lin.submit("/vouchers", page="/vouchers", code="guess")).status_code == 422
    assert (await lin.submit("/vouchers", page="/vouchers", code=code[1])).status_code == 303
    number = hash_token(code[1])[:12]
    assert number in await lin.see("/vouchers?state=valid") and number not in await lin.see("/vouchers?state=used")
    order = await ordered(lin, general_100k="1")
    page = f"/orders/{order}/pay"
    assert 'data-discount="45000"' in await lin.see(page)
    await lin.submit(page, page=page, method="voucher", own=number)
    shown = await lin.see(f"/orders/{order}")
    assert number in shown and "卡券" in shown and "-¥450.00" in shown
    assert number in await lin.see("/vouchers?state=used") and number not in await lin.see("/vouchers?state=valid")
    assert number not in await (await console.signed_in("east")).see("/vouchers")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "credit", "value": "0"}, "面值须大于 0"),
        ({"kind": "credit", "value": "1.005"}, "面值须大于 0"),
        ({"kind": "percent", "value": "101"}, "面值须大于 0"),
        ({"kind": "percent", "value": "²"}, "面值须大于 0"),
        ({"kind": "goods"}, "提货券须指定产品"),
        ({"kind": "goods", "product": "none"}, "没有产品"),
        ({"kind": "gift", "value": "1"}, "卡券类型须为"),
        ({"kind": "credit", "value": "1", "account": "无此账号"}, "没有账号 无此账号"),
        ({"kind": "credit", "value": "1", "ends": "2026-02-30"}, "截止日期须为日期"),
        ({"kind": "credit", "value": "1", "ends": "2026-03-19"}, "须晚于发放时间"),
        ({"kind": "credit", "value": "1", "name": "长" * 41}, "名称不超过 40"),
    ],
)
async def test_a_wrong_voucher_is_answered_exactly(
    console: ConsoleFixture, fields: dict[str, str], message: str
) -> None:
    chief = await console.signed_in("chief")
    answer = await chief.submit("/operator/vouchers", page="/operator/vouchers", **fields)
    assert answer.status_code == 422 and message in answer.text
    async with work.read_session(console.engine) as session:
        assert await repository.vouchers(session) == []


async def test_an_operator_tops_up_and_withdraws(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")

    async def changed(**fields: str) -> str:
        return (await chief.submit("/operator/balances", page="/operator/balances", **fields)).text

    assert "没有账号" in await changed(account="无此账号", amount="1")
    for amount in ("0", "-5", "1.234", "x", "20000000000"):
        assert "金额不能为 0" in await changed(account="青禾", amount=amount)
    await changed(account="青禾", amount="1,000.50", note="流水 42")
    assert "不足 2000.00 元" in await changed(account="青禾", amount="2000", direction="withdraw")
    await changed(account="青禾", amount="0.50", direction="withdraw")
    page = await chief.see("/operator/balances?account=青禾")
    assert "¥1,000.00" in page and "流水 42" in page and "-¥0.50" in page and "<td>chief</td>" in page


async def test_refunds_are_requested_together_with_a_result_for_each(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1, idcard_100k=1, plate_100k=1)
    await traffic(console, call(console))
    lin, chief = await console.signed_in("lin"), await console.signed_in("chief")
    packs = await bought_packs(console)
    token = await lin.token("/refunds")
    none = await lin.post("/refunds", data={"csrf": token})
    assert none.status_code == 422 and "请选择要退订的资源包" in none.text
    many = await lin.post("/refunds", data={"csrf": token, "pack": [str(each) for each in range(51)]})
    assert many.status_code == 422 and "每次最多退订 50 个" in many.text
    foreign = await lin.post("/refunds", data={"csrf": token, "pack": [packs[1], console.account_id]})
    assert foreign.status_code == 404
    reason = {"why": "买错规格或数量", "reason": "应为车牌"}
    answer = await lin.post("/refunds", data={"csrf": token, "pack": packs, **reason})
    assert answer.status_code == 422 and "批量操作结果" in answer.text
    assert answer.text.count(">已提交</span>") == 2 and answer.text.count("已被使用") == 1
    async with work.read_session(console.engine) as session:
        asked = await repository.refunds(session, console.account_id)
    assert {each.reason for each in asked} == {"买错规格或数量 · 应为车牌"} and len(asked) == 2
    withdrawn = await lin.submit(f"/refunds/{asked[0].id}/withdraw", page="/refunds")
    assert withdrawn.headers["location"].endswith("done=refund-withdrawn")
    assert "已处理" in (await lin.submit(f"/refunds/{asked[0].id}/withdraw", page="/refunds")).text
    decide = f"/operator/refunds/{asked[1].id}/reject"
    assert "请填写驳回理由" in (await chief.submit(decide, page="/operator/refunds")).text
    assert (await chief.submit(decide, page="/operator/refunds", note="已过促销期")).status_code == 303
    shown = await lin.see("/refunds")
    assert "驳回理由：已过促销期" in shown and "已撤回" in shown


async def test_a_request_can_be_withdrawn_by_its_account_only(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1)
    async with console.begin() as unit:
        refund = await request_refund(unit, (await packs_of(unit.session, console.account_id))[0].id)
    east = await console.signed_in("east")
    assert (await east.submit(f"/refunds/{refund.id}/withdraw", page="/refunds")).status_code == 404
    async with console.begin() as unit:
        assert (await reject_refund(unit, refund.id, "no")).note == "no"


async def test_packs_are_found_by_product_order_and_id(console: ConsoleFixture) -> None:
    await bought(console, general_100k=1, idcard_100k=1)
    await traffic(console, call(console))
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        account = await accounts_repository.account(session, console.account_id)
        assert account is not None
        scope = await scope_of(unit, account)

        async def found(q: str = "", *, only_open: bool = False) -> set[str]:
            model = await refunds.view(unit, scope, refunds.Search(q, only_open))
            return {each.pack.capability for each in model.candidates}

        both = await refunds.view(unit, scope, refunds.Search())
        (idcard,) = [each for each in both.candidates if each.pack.capability == "idcard"]
        assert await found("身份证") == await found("Identity") == await found(idcard.pack.id) == {"idcard"}
        assert await found(idcard.order) >= {"idcard"}
        assert await found(only_open=True) == {"idcard"}
        assert await found("无") == await found("0" * 20) == set()
        assert (idcard.refundable_fen, idcard.expires) == (135_000, 365)


async def test_packs_are_listed_page_by_page(console: ConsoleFixture) -> None:
    await bought(console, general_100k=refunds.PER_PAGE + 1)
    lin = await console.signed_in("lin")
    first, second = await lin.see("/refunds"), await lin.see("/refunds?page=2")
    assert first.count('name="pack"') == refunds.PER_PAGE and second.count('name="pack"') == 1


async def test_a_price_of_zero_is_confirmed_and_a_large_one_is_answered_rightly(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    path, page = "/operator/products/general-10m", "/operator/products"
    assert 'value="22,000.00"' in await chief.see(page)
    asked = await chief.submit(path, page=page, price="0", on_sale="1")
    assert asked.status_code == 422 and 'name="free"' in asked.text and "可免费购买" in asked.text
    for price in ("10000000001", "99999999999999", "-1", "1.005", ""):
        wrong = await chief.submit(path, page=page, price=price, on_sale="1")
        assert wrong.status_code == 422 and "0 至 10000000000 元" in wrong.text, price
    async with work.read_session(console.engine) as session:
        product = await repository.product(session, "general-10m")
        assert product is not None and product.price_fen == 2_200_000
    assert (await chief.submit(path, page=page, price="0", free="1", on_sale="1")).status_code == 303
    assert (await chief.submit(path, page=page, price="10,000,000,000", on_sale="1")).status_code == 303


async def test_expenses_are_by_month_and_product_with_reminders(console: ConsoleFixture) -> None:
    await bought(console, general_100k=2, plate_100k=1)
    async with console.begin() as unit:
        pack = (await packs_of(unit.session, console.account_id, "plate"))[0]
        await request_refund(unit, pack.id, decision="automatic")
        await payments.place_unpaid(unit, console.account_id, {"general-1m": 1})
        await issue_voucher(unit, "percent", 20, account_id=console.account_id)
        await issue_voucher(unit, "goods", product_id="general-1m", account_id=console.account_id)
        await issue_voucher(unit, "goods", product_id="general-1m", account_id=console.other_id)
    async with work.read_session(console.engine) as session:
        model = await expenses.view(UnitOfWork(session, "test", console.clock), console.account_id)
    assert [each.month for each in model.months] == [f"2025-{each}" for each in ("10", "11", "12")] + [
        f"2026-{each}" for each in ("01", "02", "03")
    ]
    assert (model.months[-1].paid, model.months[-1].back) == (225_000, 135_000)
    assert all((each.paid, each.back) == (0, 0) for each in model.months[:-1])
    assert model.products == [("general", 90_000, 200_000)]
    assert (model.unpaid, model.renew, model.balance) == (1, 0, 0)
    assert model.vouchers == {"percent": 1, "goods": 1, "soon": 0}
    console.clock.advance(days=340)
    async with work.read_session(console.engine) as session:
        later = await expenses.view(UnitOfWork(session, "test", console.clock), console.account_id)
    assert (later.unpaid, later.renew) == (0, 2) and later.vouchers["soon"] == 0


async def test_sub_accounts_see_who_buys(console: ConsoleFixture) -> None:
    async with console.begin() as unit:
        sub = await accounts.create_account(unit, "二部", parent_id=console.account_id)
        lin = await unit.session.get(type(sub), console.account_id)
        assert lin is not None
        hashed = await console.parts.passwords.hash("a quiet afternoon")
        from inkgate.service.users import service as users

        await users.create_user(unit, "branch", hashed, account_id=sub.id)
    branch = await console.signed_in("branch")
    assert "资源包由主账号购买，子账号共用。" in await branch.see("/capabilities")
    for path in ("/expenses", "/vouchers", "/buy/general"):
        assert (await branch.get(path)).status_code == 403, path
    menu = await branch.see("/orders")
    assert "/expenses" not in menu and "/vouchers" not in menu


async def test_the_first_steps_follow_the_account(console: ConsoleFixture) -> None:
    async def steps() -> dict[str, bool] | None:
        async with work.read_session(console.engine) as session:
            unit = UnitOfWork(session, "test", console.clock)
            account = await accounts_repository.account(session, console.account_id)
            assert account is not None
            found = await first_steps(unit, account, await scope_of(unit, account))
            links[:] = [(each.path, each.app) for each in found or () if each.name == "app"]
            return None if found is None else {each.name: each.done for each in found}

    links: list[tuple[str, str]] = []
    assert await steps() == {"buy": False, "app": False, "key": False, "try": False}
    assert links == [(f"/apps/{console.app_id}#open", "portal_app")]  # it is there: what is left is to open something
    await bought(console, general_100k=1)
    async with console.begin() as unit:
        await accounts.open_capability(unit, console.app_id, "general")
        await accounts.create_access_key(unit, console.parts.vault, console.account_id)
    assert await steps() == {"buy": True, "app": True, "key": True, "try": False}
    assert links == [("/apps", "")]
    await traffic(console, call(console))
    assert await steps() is None


def test_the_first_steps_are_drawn_with_what_is_left_to_do() -> None:
    from inkgate.service.console.first_steps import Step
    from inkgate.service.console.translations import Translator

    template = environment().get_template("_first_steps.html")
    may = {"may": lambda name: name != "keys.change", "may_reveal": False}
    values = {"_": Translator("en"), "root": "/console", **may}
    shown = template.render(
        first_steps=[
            Step("buy", "/capabilities", True),
            Step("app", "/apps", False),
            Step("key", "/keys", False),
            Step("try", "/try", False),
        ],
        **values,
    )
    assert shown.count("<li") == 4 and shown.count("Done") == 1
    assert re.findall(r'href="([^"]+)"', shown) == ["/console/apps", "/console/try"]
    with_app = template.render(first_steps=[Step("app", "/apps/1#open", False, "默认应用")], **values)
    assert 'href="/console/apps/1#open"' in with_app and "There is an app “默认应用”" in with_app
    assert template.render(first_steps=None, **values).strip() == ""


@pytest.fixture
def agreement_file(tmp_path: Path) -> Path:
    return tmp_path / "agreement.txt"


async def test_the_agreement_of_the_operator_is_shown(engine: AsyncEngine, agreement_file: Path) -> None:
    agreement_file.write_text("第一条 <甲方>\n\n第二条", "utf-8")
    console = await ConsoleFixture.build(engine)
    lin = await console.signed_in("lin")
    assert "不可转让给其他账号" in await lin.see("/agreement")
    console.app.routes[-1].app.state.parts = type(console.parts)(  # type: ignore[attr-defined]
        console.parts.settings, engine, console.parts.vault, console.parts.passwords, console.clock,
        agreement=load_agreement(agreement_file),
    )  # fmt: skip
    page = await lin.see("/agreement")
    assert "第一条 &lt;甲方&gt;" in page and "第二条" in page and "不可转让给其他账号" not in page
    assert "付费资源包价格表" in await lin.see("/pricing")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b" \n\n ", b"x" * (256 * 1024 + 1)])
def test_an_agreement_that_cannot_be_shown_stops_the_start(agreement_file: Path, content: bytes | None) -> None:
    if content is not None:
        agreement_file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="INKGATE_ORDERS__AGREEMENT_FILE"):
        load_agreement(agreement_file)


def test_sizes_and_prices_per_thousand_are_written_as_in_the_manual() -> None:
    assert [units(each, "zh") for each in (100_000, 10_000_000, 5, 12_345)] == [
        "10万次",
        "1,000万次",
        "5次",
        "12,345次",
    ]
    assert (units(1, "en"), units(100_000, "en")) == ("1 call", "100,000 calls")
    assert [per_thousand(*each) for each in ((45_000, 100_000), (700, 3_000), (0, 5))] == ["¥4.50", "¥2.3333", "¥0.00"]
