"""Allocation of a discount to the packs of an order, exact to the fen. Each pack stores the price paid for it; a refund
returns that price. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def allocate_discount(discount: int, prices: Sequence[int], goods: int | None = None) -> list[int]:
    """The share of `discount` of each pack, given the prices; all in fen.

    `goods` is the index of the pack that a goods voucher is for: it takes the discount first. The remainder, and all of
    any other discount, is allocated in proportion to the unpaid prices (largest remainder method; ties go to the
    earlier pack). 0 <= share <= price; the shares add up to `discount`.
    Raises ValueError for a discount below 0 or above the sum of the prices.
    """
    total = sum(prices)
    if not 0 <= discount <= total:
        raise ValueError(f"a discount of {discount} on {total}")
    shares = [0] * len(prices)
    if goods is not None:
        shares[goods] = min(discount, prices[goods])
    remainder = discount - sum(shares)
    if remainder == 0:
        return shares
    unpaid = [price - share for price, share in zip(prices, shares, strict=True)]
    unpaid_total = sum(unpaid)
    allocations = [divmod(remainder * each, unpaid_total) for each in unpaid]
    shares = [share + part for share, (part, _) in zip(shares, allocations, strict=True)]
    by_remainder = sorted(range(len(prices)), key=lambda index: (-allocations[index][1], index))
    for index in by_remainder[: discount - sum(shares)]:
        shares[index] += 1
    return shares
