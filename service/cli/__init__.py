"""The `inkgate` command. One module per subcommand, imported on use: importing SQLAlchemy and FastAPI takes a second
each, and `inkgate sign` needs neither.

Every error is one line on stderr with the remedy. Exit status 2 for misuse and invalid settings, 1 for failure.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from inkgate.service import __version__
from inkgate.service.errors import ConfigurationError, InkGateError, Misuse

COMMANDS = {
    "serve": ("inkgate.service.cli.serve:serve", "Run gateway and workers on this machine until Ctrl-C."),
    "gateway": ("inkgate.service.cli.gateway:gateway", "Answer calls; images go to workers through Redis."),
    "console": ("inkgate.service.cli.console:console", "Serve the console in a process of its own."),
    "worker": ("inkgate.service.cli.worker:worker", "Pull images from Redis and read them, in supervised processes."),
    "demo": ("inkgate.service.cli.demo:demo", "Start a throw-away service and read sample images."),
    "sandbox": (
        "inkgate.service.cli.sandbox:sandbox",
        "Serve from a temporary folder, for client developers and tests.",
    ),
    "ocr": ("inkgate.service.cli.ocr.command:ocr", "Read images offline and print the text."),
    "sign": ("inkgate.service.cli.sign:sign_body", "Print a curl command that sends a body, signed now."),
    "account": ("inkgate.service.cli.account:app", "Accounts 账号, sub-accounts and access keys."),
    "user": ("inkgate.service.cli.user:app", "Users 用户 of the console: roles, sessions, disable, reset."),
    "app": ("inkgate.service.cli.apps:app", "Apps 应用 and what they have opened."),
    "pack": ("inkgate.service.cli.pack:app", "Resource packs 资源包."),
    "order": ("inkgate.service.cli.order:app", "Catalogue, orders 订单, vouchers 卡券 and refunds 退订."),
    "takeover": (
        "inkgate.service.cli.takeover:app",
        "Takeover 接管 from the cloud: mirror, switch, compare.",
    ),
    "notices": ("inkgate.service.cli.notices:app", "Notices 通知: what was sent, channels, tests."),
    "usage": ("inkgate.service.cli.usage:usage", "Calls by app, capability and outcome."),
    "ledger": ("inkgate.service.cli.ledger:app", "The ledger 账本: verify, export, housekeeping."),
    "audit": ("inkgate.service.cli.audit:app", "The audit trail 操作审计: show, export, verify."),
    "attest": ("inkgate.service.cli.attest:app", "Evidence pack 证据包: make one, verify one."),
    "admin": ("inkgate.service.cli.admin:app", "Tokens of the admin API."),
    "keys": ("inkgate.service.cli.keys:app", "The master key that seals stored secrets."),
    "migrate": ("inkgate.service.cli.migrate:migrate", "Bring the database to the schema of this release."),
    "models": ("inkgate.service.cli.models:app", "Models 模型 of the engines: list, verify, fetch."),
    "regions": ("inkgate.service.cli.regions:app", "Regions 省份 of callers: build the table of networks."),
    "doctor": ("inkgate.service.cli.doctor:doctor", "Check a service and say what to do about what is wrong."),
}
"""Name → (module:attribute, summary in the list of commands)."""


class Commands(TyperGroup):
    """Resolves commands from COMMANDS. Listing them imports none of their modules."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        where, summary = COMMANDS[cmd_name]
        if self._listing:
            return typer.core.TyperCommand(cmd_name, help=summary)
        module, _, attribute = where.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        single = typer.Typer(add_completion=False)
        single.command(cmd_name)(found)
        return typer.main.get_command(single)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


app = typer.Typer(
    name="inkgate",
    cls=Commands,
    help="InkGate 印刷文字识别: a self-hosted drop-in for the public OCR endpoint.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"inkgate {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Options that stand before the command."""


def _disable_core_dumps() -> None:
    """Disable core dumps of this process, which would contain keys and images."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _require_utf8(words: list[str]) -> None:
    """Rejects arguments that are not UTF-8: Python decodes them to unpaired surrogates, which no database accepts.

    Raises Misuse.
    """
    for word in words:
        if any("\ud800" <= each <= "\udfff" for each in word):
            raise Misuse("command.not_utf8", word=repr(word.encode("utf-8", "surrogateescape")))


def main() -> None:
    """Run a command; print InkGate errors as one line."""
    _disable_core_dumps()
    try:
        _require_utf8(sys.argv[1:])
        app()
    except InkGateError as error:
        line = Text.assemble(("inkgate:", "red"), f" {error}")  # no markup: names and paths may contain brackets
        Console(stderr=True, soft_wrap=True).print(line)
        sys.exit(2 if isinstance(error, ConfigurationError | Misuse) else 1)
