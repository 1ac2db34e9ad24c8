"""How a discount is spread over the packs of its order, exact to the fen: each pack remembers what was paid for it,
and a refund gives that back. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def allocate_discount(discount: int, prices: Sequence[int], goods: int | None = None) -> list[int]:
    """What of `discount` falls to each pack, given their prices; all in fen.

    `goods` is the index of the pack that a goods voucher is for: the discount falls to it first. The rest, and all of
    any other discount, is spread in proportion to what is still to be paid; what rounding leaves goes fen by fen to the
    largest remainders, to the earlier pack where they are equal. 0 <= share <= price; the shares add up to `discount`.
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
