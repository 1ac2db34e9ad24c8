"""Messages about the catalogue of products, orders, vouchers and refunds."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.messages.message import Kind, Message

MESSAGES: Mapping[str, Message] = {
    "product.not_found": Message(
        Kind.NOT_FOUND,
        "no product {product_id!r}",
        "没有产品“{product_id}”。",
    ),
    "product.not_on_sale": Message(
        Kind.NOT_FOUND,
        "no product {product_id!r} on sale",
        "没有在售产品“{product_id}”。",
    ),
    "product.invalid": Message(
        Kind.INVALID,
        "a product has an id of 1 to 32 printable characters, and at least one unit",
        "产品编号为 1-32 个可打印字符，规格至少 1 次。",
    ),
    "product.price_out_of_range": Message(
        Kind.INVALID,
        "a price is 0 to {most} yuan, with at most two decimals",
        "价格须为 0 至 {most} 元，最多两位小数。",
    ),
    "product.price_zero": Message(
        Kind.INVALID,
        "a price of 0 gives the product away; confirm it",
        "价格为 0 时客户可免费购买，请勾选“确认免费”。",
    ),
    "product.free": Message(
        Kind.INVALID,
        "{capability} is free; it has no packs to sell",
        "能力 {capability} 免费，无资源包可售。",
    ),
    "product.size_fixed": Message(
        Kind.CONFLICT,
        "product {product_id} is {units} units of {capability}; a new size needs a new id",
        "产品 {product_id} 为 {capability} {units} 次，新规格须用新的编号。",
    ),
    "product.too_many": Message(
        Kind.CONFLICT,
        "the catalogue has {most} products already; change one instead",
        "产品目录已有 {most} 个产品，请修改已有的产品。",
    ),
    "order.not_found": Message(
        Kind.NOT_FOUND,
        "no order {number}",
        "没有订单 {number}。",
    ),
    "order.decided": Message(
        Kind.CONFLICT,
        "order {number} is {state} already",
        "订单 {number} 已处理，无法重复操作。",
        english_only=("state",),
    ),
    "order.empty": Message(
        Kind.INVALID,
        "an order names at least one product",
        "请至少选择一个资源包。",
    ),
    "order.line_limit": Message(
        Kind.LIMIT,
        "an order names at most {most} products",
        "每个订单最多 {most} 种产品。",
    ),
    "order.quantity_out_of_range": Message(
        Kind.INVALID,
        "order 1 to {most} of a product",
        "每种规格可购买 1-{most} 个。",
    ),
    "order.voucher_required": Message(
        Kind.INVALID,
        "here an order needs a voucher that covers it whole",
        "本系统只接受卡券支付，且卡券须覆盖全部金额。",
    ),
    "order.unpaid": Message(
        Kind.CONFLICT,
        "order {number} has not been paid",
        "订单 {number} 尚未支付。",
    ),
    "order.unpaid_limit": Message(
        Kind.LIMIT,
        "an account has at most {most} unpaid orders; pay or cancel one first",
        "待支付订单最多 {most} 个，请先支付或取消已有的订单。",
    ),
    "order.payment_late": Message(
        Kind.CONFLICT,
        "an order is paid within {hours} hours; place a new one",
        "订单须在 {hours} 小时内支付，请重新下单。",
    ),
    "order.payment_unknown": Message(
        Kind.INVALID,
        "an order is paid by one of {choices}",
        "支付方式须为：{choices}。",
    ),
    "order.not_covered": Message(
        Kind.INVALID,
        "the voucher does not cover the order: {rest} yuan are left to pay",
        "卡券未覆盖全部金额，还须支付 {rest} 元。",
    ),
    "balance.insufficient": Message(
        Kind.CONFLICT,
        "the balance of {balance} yuan does not cover {needed} yuan",
        "账户余额 {balance} 元，不足 {needed} 元。",
    ),
    "balance.amount_invalid": Message(
        Kind.INVALID,
        "an amount is not 0, and at most {most} yuan",
        "金额不能为 0，且不超过 {most} 元。",
    ),
    "balance.too_large": Message(
        Kind.LIMIT,
        "a balance is at most {most} yuan",
        "账户余额不超过 {most} 元。",
    ),
    "balance.sub_account": Message(
        Kind.INVALID,
        "a sub-account has no balance; its main account pays",
        "子账号没有余额，费用由主账号支付。",
    ),
    "balance.note_too_long": Message(
        Kind.INVALID,
        "a note has at most {most} characters",
        "备注不超过 {most} 个字符。",
    ),
    "balance.note_unstorable": Message(
        Kind.INVALID,
        "a note has characters that cannot be stored",
        "备注含无法保存的字符。",
    ),
    "voucher.owned": Message(
        Kind.CONFLICT,
        "the voucher is yours already",
        "卡券已在您的账号中。",
    ),
    "voucher.name_invalid": Message(
        Kind.INVALID,
        "a voucher's name has at most {most} characters that can be stored",
        "卡券名称不超过 {most} 个字符，且不含无法保存的字符。",
    ),
    "voucher.not_found": Message(
        Kind.NOT_FOUND,
        "no such voucher",
        "卡券不存在。",
    ),
    "voucher.used": Message(
        Kind.CONFLICT,
        "the voucher has been used",
        "卡券已被使用。",
    ),
    "voucher.not_valid_now": Message(
        Kind.CONFLICT,
        "the voucher is not valid now",
        "卡券不在有效期内。",
    ),
    "voucher.other_product": Message(
        Kind.INVALID,
        "the voucher is for another product",
        "卡券不适用于所选产品。",
    ),
    "voucher.kind_unknown": Message(
        Kind.INVALID,
        "a voucher is one of {choices}",
        "卡券类型须为：{choices}。",
    ),
    "voucher.value_out_of_range": Message(
        Kind.INVALID,
        "a voucher is worth more than nothing, and at most 100 percent or {most} fen",
        "卡券面值须大于 0，且不超过 100% 或 {most} 分。",
    ),
    "voucher.product_mismatch": Message(
        Kind.INVALID,
        "a goods voucher names its product, the others none",
        "提货券须指定产品，其他卡券不得指定。",
    ),
    "voucher.end_invalid": Message(
        Kind.INVALID,
        "the end of a voucher is a date such as 2026-12-31",
        "截止日期须为日期，如 2026-12-31。",
    ),
    "voucher.ends_too_early": Message(
        Kind.INVALID,
        "a voucher ends after it is issued",
        "卡券的截止时间须晚于发放时间。",
    ),
    "refund.not_found": Message(
        Kind.NOT_FOUND,
        "no refund {refund_id}",
        "没有退订申请 {refund_id}。",
    ),
    "refund.decided": Message(
        Kind.CONFLICT,
        "the refund is {state} already",
        "该退订已处理。",
        english_only=("state",),
    ),
    "refund.pending": Message(
        Kind.CONFLICT,
        "a refund of this pack is pending already",
        "该资源包的退订正在审批。",
    ),
    "refund.pack_granted": Message(
        Kind.CONFLICT,
        "a granted pack was not paid for and is not refunded",
        "发放的资源包不支持退订。",
    ),
    "refund.pack_refunded": Message(
        Kind.CONFLICT,
        "the pack has been refunded",
        "该资源包已退订。",
    ),
    "refund.pack_used": Message(
        Kind.CONFLICT,
        "a pack that has been used is not refunded",
        "资源包已被使用，不支持退订。",
    ),
    "refund.too_late": Message(
        Kind.CONFLICT,
        "a pack is refunded within {days} days of its order",
        "已超过 {days} 天，不支持退订。",
    ),
    "refund.note_required": Message(
        Kind.INVALID,
        "say why the refund is rejected",
        "请填写驳回理由。",
    ),
    "refund.none_selected": Message(
        Kind.INVALID,
        "select the packs to refund",
        "请选择要退订的资源包。",
    ),
    "refund.batch_limit": Message(
        Kind.LIMIT,
        "at most {most} packs are refunded at a time",
        "每次最多退订 {most} 个资源包。",
    ),
    "refund.reason_too_long": Message(
        Kind.INVALID,
        "a reason has at most {most} characters",
        "内容不超过 {most} 个字符。",
    ),
    "refund.reason_unstorable": Message(
        Kind.INVALID,
        "a reason has characters that cannot be stored",
        "有内容含无法保存的字符。",
    ),
}
