"""Logs: one JSON object per line with the bound fields; sensitive data is removed."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from inkgate.service.telemetry import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.configure("info", "json", out)
    yield out
    root.handlers[:], root.level = before, level


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_object_with_the_bound_fields(stream: io.StringIO) -> None:
    with logs.log_fields(request_id="r1"), logs.log_fields(call_id="c1"):
        logging.getLogger("inkgate.service.gateway").info("done\nwith %s", "it", extra={"units": 3})
    (line,) = lines(stream)
    assert line["message"] == "done\nwith it"
    assert (line["level"], line["logger"], line["units"]) == ("info", "inkgate.service.gateway", 3)
    assert (line["request_id"], line["call_id"]) == ("r1", "c1")
    assert str(line["time"]).endswith("Z")
    assert logs.context() == {}


async def test_fields_stay_in_their_task(stream: io.StringIO) -> None:
    async def call(rid: str) -> None:
        with logs.log_fields(request_id=rid):
            await asyncio.sleep(0)
            logging.getLogger("x").info(rid)

    await asyncio.gather(*(call(f"r{number}") for number in range(20)))
    assert all(line["request_id"] == line["message"] for line in lines(stream))


def test_secrets_images_and_recognised_text_are_not_logged(stream: io.StringIO) -> None:
    logging.getLogger("x").info(
        "connecting to postgresql://ink:hunter2@db/ink",
        extra={
            "sk": "hunter2",
            "appkey": "hunter2",
            "eop_authorization": "hunter2",
            "master_key": "hunter2",
            "url": "redis://:hunter2@host:6379/0",
            "nested": {"password": "hunter2", "ok": 1},
            "payload": b"\xff\xd8hunter2",
            "text": "张三 hunter2",
            "long": "x" * 5000,
        },
    )
    (line,) = lines(stream)
    assert "hunter2" not in stream.getvalue()
    assert line["payload"] == "<9 bytes>"
    assert line["nested"] == {"password": "***", "ok": 1}
    assert len(str(line["long"])) < 2100


def test_a_field_cannot_overwrite_the_message(stream: io.StringIO) -> None:
    with logs.log_fields(level="fake", message="fake"):
        logging.getLogger("x").warning("true")
    assert lines(stream)[0]["message"] == "true"
    assert lines(stream)[0]["level"] == "warning"


def test_an_exception_stays_on_its_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: broken" in str(line["exception"])


def test_the_text_format() -> None:
    record = logging.makeLogRecord({"msg": "ready", "name": "service", "levelname": "INFO", "port": 8080})
    assert logs.TextFormatter().format(record).endswith("info    service: ready port=8080")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_known_secret_is_masked_anywhere_in_the_line(form: logs.Format) -> None:
    secrets, out = ("wall-key-0123456789", 'with "quotes"\\'), io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logs.configure("info", form, out, secrets=secrets)
        logging.getLogger("x").info("GET /console/wall/%s", secrets[0], extra={"path": f"/{secrets[1]}"})
        try:
            raise ValueError(f"no such {secrets[0]} or {secrets[1]}")
        except ValueError:
            logging.getLogger("x").exception("failed")
    finally:
        root.handlers[:], root.level = before, level
    assert out.getvalue().count("***") >= 3
    assert "0123456789" not in out.getvalue() and "quotes" not in out.getvalue()
    if form == "json":
        assert all(json.loads(line) for line in out.getvalue().splitlines())
