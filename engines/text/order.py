"""Reading order of a page: columns of prose before rows, rows from the top; vertical writing from the right.

Lines are placed in the page's own coordinates (`page_frame`), so that a tilted page, or one seen from the side, reads
as a level one. Columns come from a recursive XY-cut (Nagy and Seth 1984) with one difference: a vertical cut is made
only between columns of prose, since tables and forms, which have gaps as wide, are read in rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median

from inkgate.engines.text.page_frame import Box, boxes_of, direction, is_vertical
from inkgate.engines.types import Line

_MIN_COLUMN_FILL = 0.6  # lines of prose fill at least this share of their column, as a median
_MIN_PROSE_ROWS = 4  # a column of prose has at least so many rows
_MIN_PROSE_HEIGHTS = 3.5  # least median width of the lines of a column of prose, in line heights
_MIN_WORD_LINES = 0.75  # share of the lines of prose that hold a letter; columns of dates and amounts have none
_MIN_GUTTER_HEIGHTS = 0.5  # of the median line height: the least gap between columns
_MAX_CROSSING_SHARE = 0.25  # of the lines may cross a gutter (headlines)
_MAX_CROSSING_DEPTH = 0.5  # of the number of lines one above the other in the longest column
_MIN_BAND_GAP_HEIGHTS = 0.8  # of the median line height: the least gap between two parts one above the other
_MIN_TITLE_HEIGHT = 1.2  # of the median line height: a lone line this high above columns is their title
_MAX_OFF_CENTRE = 0.08  # of the page's width: a lone line nearer to the middle is a title or a page number
_MAX_TITLES = 4  # lone lines above columns, and as many below
_MAX_CUTS = 24  # nested cuts, a bound on the recursion
_UPSIDE_DOWN_RADIANS = 0.75 * math.pi  # from this direction on, either way, a line is upside down
_SHEARS = (0.0, 0.03, -0.03, 0.06, -0.06, 0.09, -0.09, 0.12, -0.12)  # slants of gutters, dx/dy: columns converge too


def reading_order(lines: Sequence[Line]) -> list[Line]:
    """The lines of one upright page in the order in which they are read. Upside-down lines come last, as turned."""
    upside_down = [line for line in lines if abs(direction(line)) > _UPSIDE_DOWN_RADIANS]
    if upside_down:
        upright = [line for line in lines if abs(direction(line)) <= _UPSIDE_DOWN_RADIANS]
        return reading_order(upright) + [_turned(line) for line in reading_order([*map(_turned, upside_down)])]
    if len(lines) < 2:
        return list(lines)
    if _is_vertical_page(lines):
        return _vertical_columns(boxes_of(lines, level=True))
    return [box.line for box in _xy_cut(boxes_of(lines), _MAX_CUTS)]


def _turned(line: Line) -> Line:
    """The line as it lies on the page turned by 180 degrees about the origin. Its own inverse."""
    a, b, c, d = ((-x, -y) for x, y in line.quad)
    return Line((a, b, c, d), line.text, line.score)


def _xy_cut(boxes: list[Box], cuts: int) -> list[Box]:
    """Columns of prose one after the other, else parts from the top, else rows."""
    if cuts and len(boxes) > 2 * _MIN_PROSE_ROWS:
        sheared, gutters = _best_gutters(boxes)
        if gutters:
            head, body, foot = _split_titles(sheared)
            return [box.unsheared() for box in (*head, *_in_columns(body, gutters), *foot)]
        upper, lower = _parts(boxes)
        if lower:
            return _xy_cut(upper, cuts - 1) + _xy_cut(lower, cuts - 1)
    return _rows(boxes)


def _split_titles(boxes: list[Box]) -> tuple[list[Box], list[Box], list[Box]]:
    """Lone lines above all columns, the columns, and lone lines below them."""
    ranked = sorted(boxes, key=lambda box: box.middle)
    height = median(box.height for box in boxes)
    left, right = min(box.left for box in boxes), max(box.right for box in boxes)

    def is_title(box: Box) -> bool:
        off = abs(box.left + box.right - left - right) / 2
        return box.height >= _MIN_TITLE_HEIGHT * height or off <= _MAX_OFF_CENTRE * (right - left)

    first, last = 0, len(ranked)
    gap = _MIN_BAND_GAP_HEIGHTS * height
    while first < _MAX_TITLES and is_title(ranked[first]):
        if min(box.top for box in ranked[first + 1 :]) - ranked[first].bottom < gap:
            break
        first += 1
    while len(ranked) - last < _MAX_TITLES and is_title(ranked[last - 1]):
        if ranked[last - 1].top - max(box.bottom for box in ranked[: last - 1]) < gap:
            break
        last -= 1
    return ranked[:first], ranked[first:last], ranked[last:]


def _in_columns(boxes: list[Box], gutters: list[float]) -> list[Box]:
    """The boxes column by column; one that crosses gutters ends the columns above it and begins those below."""
    if not gutters:
        return _rows(boxes)
    crossings = [[box for box in boxes if box.left < gutter < box.right] for gutter in gutters]
    at = min(range(len(gutters)), key=lambda place: len(crossings[place]))
    gutter, crossing = gutters[at], crossings[at]
    ordered: list[Box] = []
    above = -math.inf
    for cross in [*sorted(crossing, key=lambda box: box.middle), None]:
        below = cross.middle if cross else math.inf
        band = [box for box in boxes if box not in crossing and above < box.middle <= below]
        ordered += _in_columns([box for box in band if box.right <= gutter], gutters[:at])
        ordered += _in_columns([box for box in band if box.left >= gutter], gutters[at + 1 :])
        if cross:
            ordered.append(cross)
        above = below
    return ordered


def _best_gutters(boxes: list[Box]) -> tuple[list[Box], list[float]]:
    """The boxes under the shear with most gutters, of several that with fewest lines across them; and the gutters."""
    found: list[tuple[int, int, int, list[Box], list[float]]] = []
    for shear in _SHEARS:
        sheared = [box.sheared(shear) for box in boxes]
        gutters = _gutters(sheared)
        crossing = sum(box.left < gutter < box.right for box in sheared for gutter in gutters)
        found.append((-len(gutters), crossing, len(found), sheared, gutters))
    *_, sheared, gutters = min(found, key=lambda each: each[:3])
    return sheared, gutters


def _gutters(boxes: list[Box]) -> list[float]:
    """Where columns of prose are parted, from the left; empty where the boxes are not in such columns."""
    gutters = _gaps(boxes, _MIN_GUTTER_HEIGHTS * median(box.height for box in boxes))
    while gutters:
        edges = [-math.inf, *gutters, math.inf]
        prose = [
            _is_prose([box for box in boxes if left <= box.left and box.right <= right])
            for left, right in pairwise(edges)
        ]
        kept = [gutter for at, gutter in enumerate(gutters) if prose[at] and prose[at + 1]]
        if len(kept) == len(gutters):
            return gutters
        gutters = kept
    return []


def _gaps(boxes: list[Box], width: float) -> list[float]:
    """The right ends, less half of `width`, of intervals of at least this width that few boxes cover."""
    edges = sorted([(box.left, 1) for box in boxes] + [(box.right, -1) for box in boxes])
    depth = max(accumulate(step for _, step in edges))
    limit = min(_MAX_CROSSING_SHARE * len(boxes), _MAX_CROSSING_DEPTH * depth)
    covering, since, gaps = 0, -math.inf, []
    for place, step in edges:
        before, covering = covering, covering + step
        if before <= limit < covering and since > -math.inf and place - since >= width:
            gaps.append(place - width / 2)
        elif covering <= limit < before:
            since = place
    return gaps


def _is_prose(boxes: list[Box]) -> bool:
    """Whether the lines fill the width they span, one to a row, and are mostly words."""
    if len(boxes) < _MIN_PROSE_ROWS:
        return False
    span = max(box.right for box in boxes) - min(box.left for box in boxes)
    width = median(box.width for box in boxes)
    words = sum(any(map(str.isalpha, box.line.text)) for box in boxes)
    return (
        width >= _MIN_COLUMN_FILL * span
        and width >= _MIN_PROSE_HEIGHTS * median(box.height for box in boxes)
        and words >= _MIN_WORD_LINES * len(boxes)
    )


def _parts(boxes: list[Box]) -> tuple[list[Box], list[Box]]:
    """The boxes above and below the widest gap between rows; the second is empty where no gap is wide enough."""
    ranked = sorted(boxes, key=lambda box: box.top)
    bottom, widest, cut = ranked[0].bottom, 0.0, 0
    for at, box in enumerate(ranked[1:], 1):
        if box.top - bottom > widest:
            widest, cut = box.top - bottom, at
        bottom = max(bottom, box.bottom)
    if widest < _MIN_BAND_GAP_HEIGHTS * median(box.height for box in boxes):
        return boxes, []
    return ranked[:cut], ranked[cut:]


def _rows(boxes: list[Box]) -> list[Box]:
    """Rows from the top, each from the left; a row's middles differ by less than half the lesser height."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box.middle):
        last = rows[-1][-1] if rows else None
        if last and abs(box.middle - last.middle) < 0.5 * min(box.height, last.height):
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row, key=lambda box: box.left)]


def _vertical_columns(boxes: list[Box]) -> list[Line]:
    """Columns from the right, each from the top; horizontal lines of a vertical page are ordered among them."""
    columns: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: -(box.left + box.right)):
        last = columns[-1][-1] if columns else None
        apart = abs(box.left + box.right - last.left - last.right) / 2 if last else 0.0
        if last and apart < 0.5 * min(box.width, last.width):
            columns[-1].append(box)
        else:
            columns.append([box])
    return [box.line for column in columns for box in sorted(column, key=lambda box: box.top)]


def _is_vertical_page(lines: Sequence[Line]) -> bool:
    """Whether most characters stand in tall lines."""
    tall = sum(len(line.text) for line in lines if is_vertical(line))
    return tall > sum(len(line.text) for line in lines) / 2
