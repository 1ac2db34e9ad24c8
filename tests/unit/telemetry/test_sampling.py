"""SamplerRunner: samplers run on their own clock and outlive their failures; certificates are read from files."""

from __future__ import annotations

import asyncio
import datetime
import logging
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.sampling import Sampler, SamplerRunner, certificate_sampler
from tests.unit.telemetry.test_metrics import value
from tests.waiting import wait_until


async def test_a_failing_sampler_continues_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[str] = []

    async def flaky() -> None:
        tries.append("flaky")
        raise ConnectionRefusedError

    async def hangs() -> None:
        tries.append("hangs")
        await asyncio.sleep(60)

    runner = SamplerRunner([Sampler("flaky", flaky, 0.005), Sampler("hangs", hangs, 0.005, timeout=0.01)])
    with caplog.at_level(logging.WARNING):
        await runner.start()
        await wait_until(lambda: tries.count("flaky") >= 3 and tries.count("hangs") >= 3)
        await runner.close()
    assert [record.sampler for record in caplog.records].count("flaky") == 1
    made = len(tries)
    await asyncio.sleep(0.03)
    assert len(tries) == made


def certificate(path: Path, ends: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ocr.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - datetime.timedelta(days=30))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


async def test_certificates_export_their_expiry_and_broken_ones_count_as_expired(tmp_path: Path) -> None:
    ends = datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)
    good, broken = tmp_path / "tls.crt", tmp_path / "broken.crt"
    certificate(good, ends)
    broken.write_text("not a certificate")
    metrics = Metrics("gateway", "1")
    await certificate_sampler(metrics, [good, broken, tmp_path / "absent.crt"]).read()
    name = "inkgate_certificate_expiry_timestamp_seconds"
    assert value(metrics, name, file=str(good)) == ends.timestamp()
    assert value(metrics, name, file=str(broken)) == 0
    assert value(metrics, name, file=str(tmp_path / "absent.crt")) == 0
