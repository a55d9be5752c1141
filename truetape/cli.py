"""The `truetape` command. Each module of truetape.commands is one noun and registers itself by what it defines:
`app` (a typer.Typer, for a noun with verbs) or `command` (a function, for a noun alone).
"""

import importlib
import logging
import os
import pkgutil
import re
import sys
from typing import Any

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.text import Text
from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.main import get_command_name

from truetape import commands
from truetape.dev.home import read_environment
from truetape.errors import TruetapeError
from truetape.settings import Settings

PIPE_COLUMNS = "200"
"""Width of what is not written to a terminal: a table cut to 80 columns would lose what tells its rows apart."""
_NEGATIVE = re.compile(r"-\.?[0-9][0-9.]*")
_HELP = "Trade execution and clearing on one replayable log."


class Command(TyperCommand):
    """A command that takes `-5` for an argument, not for an option: its own check then says what is wrong with it. What
    stands in brackets in a help is text, such as a default: rich would take it for a style and leave it out."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for parameter in self.params:
            if isinstance(parameter, TyperArgument | TyperOption) and parameter.help:
                parameter.help = escape(parameter.help)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let what looks like no option of this command through only where a negative number is among the words."""
        ctx.ignore_unknown_options = any(map(_NEGATIVE.fullmatch, args))
        return super().parse_args(ctx, args)


def build() -> typer.Typer:
    """The command with every noun that truetape.commands holds."""
    app = typer.Typer(help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False, callback=_before_each_noun)
    for found in sorted(pkgutil.iter_modules(commands.__path__), key=lambda module: module.name):
        noun = importlib.import_module(f"{commands.__name__}.{found.name}")
        name = found.name.replace("_", "-")
        if hasattr(noun, "app"):
            _accept_negative(noun.app)
            app.add_typer(noun.app, name=name, help=f"{noun.app.info.help.removesuffix('.')}: {_verbs(noun.app)}.")
        else:
            app.command(name=name, cls=Command)(noun.command)
    return app


def _accept_negative(group: typer.Typer) -> None:
    for verb in group.registered_commands:
        verb.cls = Command


def _verbs(group: typer.Typer) -> str:
    """What a group can do, by the names that work."""
    return ", ".join(
        verb.name or get_command_name(getattr(verb.callback, "__name__", "")) for verb in group.registered_commands
    )


def _before_each_noun(context: typer.Context) -> None:
    if context.invoked_subcommand != "dev":  # It handles home folders itself, also others than ours.
        adopt_native_stack()


def adopt_native_stack() -> None:
    """Take addresses and secrets from the home folder's `env`, where the environment itself sets none.

    So every command finds the native stack; with TRUETAPE_KAFKA set, it talks to that system alone.
    """
    if "TRUETAPE_KAFKA" not in os.environ:
        for name, value in read_environment(Settings().home / "env").items():
            os.environ.setdefault(name, value)


def main() -> None:
    """Run the command; a TruetapeError becomes one message on stderr and exit status 1.

    Warnings go to stderr: stdout is the command's own, often one JSON object.
    """
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    if not sys.stdout.isatty():
        os.environ["COLUMNS"] = PIPE_COLUMNS
    try:
        build()(prog_name="truetape")
    except TruetapeError as error:
        _end(type(error).__name__, str(error))
    except ValidationError as error:
        wrong = [f"TRUETAPE_{'__'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors()]
        _end("SetupError", "; ".join(wrong) + " (`truetape settings` explains each; see docs/configuration.md)")
    except KeyboardInterrupt:
        sys.exit(130)


def _end(name: str, message: str) -> None:
    text = Text(name, style="bold red").append(f": {message}", style="not bold default")
    Console(stderr=True, soft_wrap=True).print(text)
    sys.exit(1)


if __name__ == "__main__":
    main()
