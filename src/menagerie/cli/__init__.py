"""The command `menagerie`. Each command is a module here, imported only when it is asked for."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from menagerie.cli.arguments import language_of, parse
from menagerie.cli.exits import CommandError, Exit
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import text


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit status, a value of `Exit`; never raises for what a person may do wrong."""
    words = list(sys.argv[1:] if argv is None else argv)
    language = language_of(words, os.environ)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        arguments = parse(words, language)
        status: int = import_module(f"menagerie.cli.{arguments.command}").run(arguments, language)
        sys.stdout.flush()
    except SystemExit as end:  # argparse: after --help and --version, or a wrong command line
        return Exit.DONE if not end.code else Exit.USAGE
    except CommandError as failure:
        print("\n".join(failure.lines), file=sys.stderr)
        return failure.status
    except MenagerieError as failure:
        print(failure.message(language), file=sys.stderr)
        if failure.code is ErrorCode.PERSONA_UNKNOWN:
            print(text("cli.personas.listed_by", language), file=sys.stderr)
        return Exit.FAILED
    except (
        BrokenPipeError
    ):  # the reader of a pipe has gone; what is still buffered must not raise again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return status
