"""CSV downloads. Each starts with a byte-order mark, from which spreadsheets recognise UTF-8."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing

from starlette.responses import Response, StreamingResponse

from inkgate.service.csv_export import CsvWriter

MEDIA_TYPE = "text/csv; charset=utf-8"
MARK = "\ufeff"
PIECE = 256 * 1024  # characters per chunk of a stream


def csv_answer(name: str, head: Sequence[str], lines: Iterable[Iterable[object]]) -> Response:
    """A CSV file called `name`, built in memory."""
    text = io.StringIO(newline="")
    sheet = CsvWriter(text)
    for line in (head, *lines):
        sheet.row(line)
    return Response(MARK + text.getvalue(), media_type=MEDIA_TYPE, headers=saved_as(name))


def csv_stream(name: str, head: Sequence[str], lines: AsyncGenerator[Iterable[object], None]) -> Response:
    """A CSV file of any size: the lines are read while the response is sent."""
    return StreamingResponse(_pieces(head, lines), media_type=MEDIA_TYPE, headers=saved_as(name))


async def _pieces(head: Sequence[str], lines: AsyncGenerator[Iterable[object], None]) -> AsyncIterator[str]:
    text = io.StringIO(MARK, newline="")
    text.seek(0, io.SEEK_END)
    sheet = CsvWriter(text)
    sheet.row(head)
    async with aclosing(lines):
        async for line in lines:
            sheet.row(line)
            if text.tell() > PIECE:
                yield text.getvalue()
                text.seek(0)
                text.truncate()
                await asyncio.sleep(0)  # lets the event loop serve other requests
    yield text.getvalue()


def saved_as(name: str) -> dict[str, str]:
    """The header that gives a download its name."""
    return {"content-disposition": f'attachment; filename="{name}"'}
