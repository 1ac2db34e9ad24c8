"""`inkgate attest`: makes an evidence pack of this installation, and verifies one."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from inkgate.service.accounts import repository
from inkgate.service.attest import accuracy, archive, contract_check, verification
from inkgate.service.attest import make as packs
from inkgate.service.attest.chaos.record import NAME as CHAOS
from inkgate.service.attest.chaos.run import LEAST_SECONDS, MOST_SECONDS, SECONDS
from inkgate.service.attest.contract_cases import Keys
from inkgate.service.attest.evidence import Part, collect, failed, json_file
from inkgate.service.attest.parts_of_host import sbom_part, settings_part
from inkgate.service.cli._common import JSON, CommandContext, run
from inkgate.service.cli.attest_chaos import Wanted, chaos_part
from inkgate.service.cli.audit import public_key_of
from inkgate.service.db import work
from inkgate.service.errors import Misuse
from inkgate.service.metering import ledger_reader
from inkgate.service.metering.policy import Policy
from inkgate.service.settings import Settings, mask, secret_values

app = typer.Typer(help="Evidence pack 证据包: make one, verify one.", invoke_without_command=True)
MODELS = "models"
MODELS_FILE = "models.json"
NO_CHAOS = Part(CHAOS, "not_asked", "no --chaos 没有要求")


@app.callback()
def attest(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(help="File to write; it must not exist.")] = None,
    base_url: Annotated[
        str, typer.Option(envvar="BASE_URL", help="Address of this installation, for the self-check of the contract.")
    ] = "",
    ak: Annotated[str, typer.Option(envvar="AK", help="Access key id for the self-check.")] = "",
    sk: Annotated[str, typer.Option(envvar="SK", help="Secret key for it.")] = "",
    appkey: Annotated[str, typer.Option(envvar="APPKEY", help="AppKey of the app that pays for it (10 units).")] = "",
    ca: Annotated[Path | None, typer.Option(help="PEM file of the authority of the address.")] = None,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Start a temporary service beside this one, and kill its processes.")
    ] = False,
    chaos_seconds: Annotated[
        float, typer.Option(min=LEAST_SECONDS, max=MOST_SECONDS, help="Seconds of traffic of --chaos.")
    ] = SECONDS,
    chaos_postgres: Annotated[
        str,
        typer.Option(
            envvar="CHAOS_POSTGRES",
            help="postgresql+asyncpg URL of a server on which --chaos may make a database, and drop it again.",
        ),
    ] = "",
    chaos_redis: Annotated[
        str,
        typer.Option(envvar="CHAOS_REDIS", help="redis URL for the answers of --chaos, under a prefix of their own."),
    ] = "",
) -> None:
    """Make a signed evidence pack: parts, settings, models, audit trail and ledger, accuracy on the samples, with
    --base-url the contract of the service, with --chaos a run whose processes are killed. Exit status 1 when a part
    failed; the pack is written all the same."""
    if context.invoked_subcommand is not None:
        return
    if out is None:
        raise Misuse("command.attest_no_file")
    given = [bool(each) for each in (base_url, ak, sk, appkey)]
    if any(given) and not all(given):
        raise Misuse("command.attest_keys_incomplete")
    _check_target(out)
    if ca is not None and not ca.is_file():
        raise Misuse("command.file_not_found", paths=str(ca))
    wanted = Wanted(chaos_seconds, chaos_postgres, chaos_redis) if chaos else None
    if wanted is None and (chaos_postgres or chaos_redis):
        raise Misuse("command.attest_chaos_not_asked")
    made = run(lambda context: _make(context, base_url, Keys(ak, sk, appkey), ca, wanted))
    _write(out, made.packed)
    for part in made.parts:
        print(f"{part.name:<9} {part.state.replace('_', ' '):<9} {part.reason}".rstrip())
    print(f"{out}: {len(made.packed):,} bytes, signed with the key of `inkgate audit key`")
    if any(part.state == "failed" for part in made.parts):
        sys.exit(1)


@app.command("verify")
def verify_(
    file: Annotated[Path, typer.Argument(help="The evidence pack.")],
    key: Annotated[str, typer.Option(help="The public key that must have signed, or a file that holds it.")] = "",
    as_json: bool = JSON,
) -> None:
    """Prove that a pack is whole and as it was signed; needs no database and no network. Exit status 1 if not."""
    if not file.is_file():
        raise Misuse("command.file_not_found", paths=(str(file),))
    with file.open("rb") as stream:
        packed = stream.read(archive.MAX_BYTES + 1)
    outcome = verification.verify(packed, public_key_of(key))
    if as_json:
        print(json.dumps(_document(outcome), ensure_ascii=False))
    else:
        print(f"{outcome.product}, made at {outcome.made_at}, signed with key {outcome.key_id}")
        if not outcome.trusted:
            print("the key is the one in the pack: compare it with `inkgate audit key`, or give it with --key")
        for part in outcome.parts:
            print(f"{part['name']:<9} {part['state'].replace('_', ' '):<9} {part['reason']}".rstrip())
        for finding in outcome.findings:
            print(f"broken: {finding}")
        if not outcome.findings:
            print("the pack holds")
    if outcome.findings:
        sys.exit(1)


async def _chaos(settings: Settings, wanted: Wanted | None, masked: Callable[[str], str]) -> Part:
    """The part of the chaos run, made before the others: a pack is signed after it."""
    if wanted is None:
        return NO_CHAOS
    print(f"chaos run of {wanted.seconds:g} s on a temporary service …", file=sys.stderr)
    try:
        return await chaos_part(settings, wanted)
    except Exception as error:  # any fault of a part is its result
        return failed(CHAOS, masked(f"{type(error).__name__}: {error}"))


async def _make(
    context: CommandContext, base_url: str, keys: Keys, ca: Path | None, wanted: Wanted | None
) -> packs.Made:
    settings, vault = context.settings, await context.vault()
    urls = (wanted.postgres, wanted.redis) if wanted is not None else ()
    hidden = (*secret_values(settings), keys.sk, *urls, *(urlsplit(url).password for url in urls))

    def masked(text: str) -> str:
        return mask(text, [each for each in hidden if each])

    chaos = await _chaos(settings, wanted, masked)
    parts = [collect("settings", lambda: settings_part(settings), masked), collect("sbom", sbom_part, masked)]
    parts.append(collect(MODELS, lambda: _models(settings), masked))
    parts += await _service_parts(context, base_url, keys, ca, masked)
    return await packs.make(context.begin, lambda: work.snapshot_session(context.engine), vault, [*parts, chaos])


async def _service_parts(
    context: CommandContext, base_url: str, keys: Keys, ca: Path | None, masked: Any
) -> list[Part]:
    """The parts that read images: by the service where its address was given, otherwise in this process."""
    settings = context.settings
    if not base_url:
        reason = "no --base-url, --ak, --sk and --appkey 没有给出服务地址与密钥"
        contract = Part(contract_check.NAME, "not_asked", reason)
        return [contract, collect(accuracy.NAME, lambda: accuracy.part(_read_here(settings), "inkgate attest"), masked)]
    begin = datetime.now(UTC)
    outcomes: list[contract_check.Outcome] = []
    keys = await _with_public_key(context, keys)

    def check() -> Part:
        policy = Policy(settings.billing.model_dump())
        outcomes.append(contract_check.run(base_url, keys, policy, settings.server.clock_window, ca))
        return Part(contract_check.NAME, "passed")

    first = collect(contract_check.NAME, check, masked)
    if not outcomes:
        return [first, Part(accuracy.NAME, "failed", "the service could not be called")]
    outcome = outcomes[0]
    async with work.read_session(context.engine) as session:
        used = await ledger_reader.units_used(session, outcome.request_ids, begin)
    return [
        collect(contract_check.NAME, lambda: contract_check.part(outcome, base_url, used), masked),
        collect(accuracy.NAME, lambda: accuracy.part(outcome.elements, base_url), masked),
    ]


async def _with_public_key(context: CommandContext, keys: Keys) -> Keys:
    """The keys with the public key of their app, for sealed bodies."""
    async with work.read_session(context.engine) as session:
        found = await repository.app_by_key(session, keys.appkey)
    return replace(keys, enckey=found.sm2_public_key) if found is not None else keys


def _read_here(settings: Settings) -> dict[str, Any]:
    """The elements of the samples, read by the engines in this process."""
    from inkgate.service.cli.ocr.reading import elements_of

    wanted = accuracy.truth()
    return elements_of({name: accuracy.sample(name) for name in wanted}, settings)


def _models(settings: Settings) -> Part:
    """Every model of the catalogue that is here, hashed and compared with the manifest."""
    from inkgate.engines.errors import ModelError
    from inkgate.engines.manifest import catalogue, find_model_file, verify_model_file

    listed, wrong = [], []
    for model in catalogue().values():
        row: dict[str, Any] = {"name": model.name, "role": model.role, "licence": model.licence}
        try:
            row["sha256"] = verify_model_file(model.name, find_model_file(model.name, settings.engine.model_dir))
        except ModelError as error:
            row["problem"] = "not supplied" if not model.carried and "no file" in str(error) else str(error)
            wrong += [model.name] if row["problem"] != "not supplied" else []
        listed.append(row)
    facts = {"models": len(listed), "verified": sum("sha256" in each for each in listed)}
    reason = f"missing or altered: {', '.join(wrong)}" if wrong else ""
    return Part(MODELS, "failed" if wrong else "passed", reason, facts, {MODELS_FILE: json_file(listed)})


def _check_target(out: Path) -> None:
    """Raises Misuse before anything is done where the file cannot be written."""
    if out.exists():
        raise Misuse("command.file_exists", path=str(out))
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise Misuse("command.folder_not_writable", path=str(out.parent))


def _write(out: Path, packed: bytes) -> None:
    """Write the whole file or none. Raises Misuse when it was made meanwhile."""
    draft = out.with_name(f".{out.name}.{os.getpid()}-{time.monotonic_ns()}")
    try:
        draft.write_bytes(packed)
        os.link(draft, out)  # fails if it exists, unlike rename
    except FileExistsError:
        raise Misuse("command.file_exists", path=str(out)) from None
    finally:
        draft.unlink(missing_ok=True)


def _document(outcome: verification.Outcome) -> dict[str, object]:
    return {
        "sound": not outcome.findings, "product": outcome.product, "made_at": outcome.made_at,
        "key_id": outcome.key_id, "key_given": outcome.trusted, "parts": outcome.parts, "findings": outcome.findings,
    }  # fmt: skip
