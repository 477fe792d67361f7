"""The command line: names, options and exit codes. Each sub-command lives in a file of its own, imported when called.

Exit codes (``contract.md``): 0 done, 1 nothing to show, 2 wrong usage, 3 model missing or unusable, 4 engine failed,
5 input not readable, 130 interrupted. Errors are one line on stderr with a hint; tracebacks only with ``--debug``.
"""

from __future__ import annotations

import argparse
import io
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from devstral_ls import __version__
from devstral_ls.errors import DevstralError, EngineError, ModelError, SettingsError
from devstral_ls.platform.import_collection import importing

DONE, NOTHING, USAGE, MODEL, ENGINE, INPUT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command and return its exit code; errors become one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # instead of failing on a character the terminal cannot show
    options = _parser().parse_args(arguments)
    try:
        with importing():
            module = import_module(options.module)
        code: int = module.run(options)
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has closed it; without stderr Python cannot complain about that at exit.
        sys.stderr.close()
        return INTERRUPTED
    except DevstralError as error:
        return _fail(error, debug=options.debug)


def _fail(error: DevstralError, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    else:
        print(f"devstral-ls: {error.message}{f' — {error.hint}' if error.hint else ''}", file=sys.stderr)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ENGINE


class InputError(DevstralError):
    """A file from the command line that cannot be used, or a line or column that it does not have."""

    code = "input"


class UsageError(DevstralError):
    """A command-line argument of the wrong form."""

    code = "usage"


_CODES = (
    (ModelError, MODEL),
    (EngineError, ENGINE),
    (InputError, INPUT),
    (UsageError, USAGE),
    (SettingsError, USAGE),
)
"""The exit code of each kind of error; the first kind that fits."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="devstral-ls",
        description="Code suggestions and code actions from a local model. Without a command: the language server.",
    )
    parser.add_argument("--version", action="version", version=f"devstral-ls {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    _serve_options(parser)
    parser.set_defaults(module="devstral_ls.cli.serve")
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(name: str, about: str, module: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        # SUPPRESS: the option keeps its value when it stands before the command's name.
        sub.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        sub.set_defaults(module=f"devstral_ls.cli.{module}")
        return sub

    _serve_options(command("serve", "the language server (stdio unless --tcp)", "serve"))

    _complete_options(command("complete", "one inline suggestion, as the editor would get it", "complete"))
    _act_options(command("act", "one code action: a diff, an explanation, or findings", "act"))
    command("demo", "suggestions in bundled examples; downloads the starter model if none is installed", "demo")

    stats = command("stats", "suggestions on this machine: shown, accepted, kept, latency", "stats")
    form = stats.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--clear", action="store_true", help="delete the statistics")
    stats.add_argument("--days", type=_positive, metavar="N", help="only the last N days; default: all recorded days")

    doctor = command("doctor", "check this machine, ending with a real completion", "doctor")
    doctor.add_argument("--json", action="store_true")

    settings = command("settings", "every setting", "settings")
    which = settings.add_mutually_exclusive_group()
    which.add_argument("--schema", action="store_true", help="as a JSON schema")
    which.add_argument("--markdown", action="store_true", help="as a page (the default)")

    _model_commands(command("model", "models on this machine", "model"))
    _engine_commands(command("engine", "running engines of this user", "engine"))
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _serve_options(parser: argparse.ArgumentParser) -> None:
    transport = parser.add_mutually_exclusive_group()
    transport.add_argument("--stdio", action="store_true", help="speak on stdin and stdout (the default)")
    transport.add_argument("--tcp", metavar="HOST:PORT", help="listen there instead, for debugging")
    parser.add_argument(
        "--clientProcessId", dest="client_process_id", type=int, metavar="N", help="exit when this process does"
    )


def _complete_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("position", metavar="FILE:LINE[:COLUMN]", help="cursor, from 1; default column: end of line")
    parser.add_argument("--json", action="store_true", help="text, range, reason, timings and tokens as JSON")
    parser.add_argument("--model", metavar="M", help="catalog name or path of a GGUF file")


def _act_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        metavar="ACTION",
        help="fix, rewrite, simplify, extract, document, types, tests, review (experimental) or explain",
    )
    parser.add_argument("position", metavar="FILE:LINE[-LINE]", help="the cursor's line, or the selected lines, from 1")
    parser.add_argument("--instruction", default="", metavar="TEXT", help="rewrite: what to change")
    parser.add_argument(
        "--message", default="", metavar="TEXT", help="fix: the message of the diagnostic on the first line"
    )
    parser.add_argument("--write", action="store_true", help="also change the files")
    parser.add_argument("--json", action="store_true", help="diff, files, findings, notes, timings and tokens as JSON")
    parser.add_argument("--model", metavar="M", help="catalog name or path of a GGUF file")


def _model_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    listed = commands.add_parser("list", help="installed models, and what can be pulled")
    listed.add_argument("--json", action="store_true")
    pull = commands.add_parser("pull", help="download a model of the catalog")
    pull.add_argument("name")
    imported = commands.add_parser("import", help="copy or link a local GGUF file into the model folder")
    imported.add_argument("path")
    imported.add_argument("--name", help="its name from then on; default: from the file's name")
    inspect = commands.add_parser("inspect", help="the header of a GGUF file, and the engines that can run it")
    inspect.add_argument("model", metavar="PATH_OR_NAME")
    inspect.add_argument("--json", action="store_true")
    calibrate = commands.add_parser(
        "calibrate", help="benchmark a model on this machine: rates, prompt size, prompt format"
    )
    calibrate.add_argument("name", nargs="?", metavar="NAME", help="default: the model from the settings")
    calibrate.add_argument("--again", action="store_true", help="measure the rates again")
    calibrate.add_argument("--json", action="store_true")
    calibrate.set_defaults(module="devstral_ls.cli.calibrate")
    remove = commands.add_parser("remove", help="delete a model from the model folder")
    remove.add_argument("name")


def _engine_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    status = commands.add_parser("status", help="the running engines")
    status.add_argument("--json", action="store_true")
    commands.add_parser("stop", help="stop them; they start again when needed")
    commands.add_parser("logs", help="the last lines of their logs")
