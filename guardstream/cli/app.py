"""The commands and their options; what they do is in a module each."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from guardstream.cli import debug as debug_command
from guardstream.cli import demo as demo_command
from guardstream.cli import diff as diff_command
from guardstream.cli import evaluate as evaluate_command
from guardstream.cli import explain as explain_command
from guardstream.cli import importing
from guardstream.cli import json_verdicts as json_command
from guardstream.cli import lint as lint_command
from guardstream.cli import report as report_command
from guardstream.cli import run as run_command
from guardstream.cli import serve as serve_command
from guardstream.cli import test as test_command
from guardstream.errors import GuardstreamError
from guardstream.policy import schema as policy_schema
from guardstream.scan.regex.forms import form

BAD_INPUT = 2

app = typer.Typer(
    name="guardstream",
    help="Guardrails for token streams.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"guardstream {metadata.version('guardstream')}, search: {form()}")
        raise typer.Exit


@app.command()
def run(
    policy: Annotated[str, typer.Argument(help="A policy file, or a pack: guardstream/NAME.")],
    file: Annotated[str, typer.Argument(help="The text, UTF-8; - is standard input.")] = "-",
    chunk: Annotated[
        int | None, typer.Option(min=1, help="Feed so many characters at a time.")
    ] = None,
    findings: Annotated[
        Path | None, typer.Option(help="Write the findings there, as JSON lines.")
    ] = None,
) -> None:
    """Guard a text and print what may be shown: exit 0 clean or masked, 3 blocked, 2 bad input."""
    raise typer.Exit(run_command.run(policy, file, chunk, findings))


@app.command()
def json(
    files: Annotated[
        list[str] | None, typer.Argument(help="The documents, UTF-8; - is standard input.")
    ] = None,
    schema: Annotated[Path | None, typer.Option(help="A JSON Schema.")] = None,
    draft: Annotated[
        str | None, typer.Option(help="Its draft, if not what it declares, such as draft-07.")
    ] = None,
    formats: Annotated[bool, typer.Option("--formats", help="Assert `format`.")] = False,
    chunk: Annotated[
        int | None, typer.Option(min=1, help="Feed so many characters at a time.")
    ] = None,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Allow an object to name a key twice.")
    ] = False,
    repair: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="Mend almost-JSON and print it: `usual`, `all`, or kinds with commas between.",
        ),
    ] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Each line is a document of its own.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast/--all", help="Stop at the first that is not valid.")
    ] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Say in a last line how many there were.")
    ] = False,
) -> None:
    """Say of each file, in a JSON line, whether it is valid: exit 0 all, 3 not all, 2 bad input."""
    ask = json_command.Ask(
        schema=json_command.schema_of(schema, draft, formats=formats),
        chunk=chunk,
        duplicates=duplicates,
        repair=json_command.kinds_of(repair),
        lines=lines,
    )
    files = files or ["-"]
    raise typer.Exit(json_command.run(ask, files, fail_fast=fail_fast, summary=summary))


@app.command()
def demo(
    policy: Annotated[str, typer.Option(help="A policy file or pack.")] = "guardstream/chat",
    speed: Annotated[
        float, typer.Option(min=0, help="Times faster than recorded; 0 does not wait at all.")
    ] = 1.0,
) -> None:
    """Replay a recorded stream and show what comes in, what is held, what is released."""
    demo_command.demo(policy, speed)


PolicyArgument = Annotated[str, typer.Argument(help="A policy file, or a pack: guardstream/NAME.")]
PoliciesArgument = Annotated[list[str], typer.Argument(help="Policy files, or packs.")]
DatasetArgument = Annotated[Path, typer.Argument(help="JSON lines: text, and label or spans.")]


@app.command()
def lint(
    policies: PoliciesArgument,
    strict: Annotated[bool, typer.Option(help="Exit 1 if there are warnings.")] = False,
) -> None:
    """Say what is wrong and what is doubtful in policies: exit 0, 1 with --strict, 2 wrong."""
    raise typer.Exit(lint_command.lint(policies, strict=strict))


@app.command(name="test")
def run_tests(
    policies: PoliciesArgument,
    inherited: Annotated[bool, typer.Option(help="Run the tests of inherited rules too.")] = False,
    coverage: Annotated[bool, typer.Option(help="Name the rules that lack tests.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write the results there, as XML.")] = None,
) -> None:
    """Run the inline tests of policies in every chunking that could matter: exit 1 on failure."""
    status = test_command.test(policies, inherited=inherited, coverage=coverage, junit=junit)
    raise typer.Exit(status)


@app.command()
def explain(
    policy: PolicyArgument,
    text: Annotated[
        str | None, typer.Option(help="Say why this text comes out as it does.")
    ] = None,
    channel: Annotated[str, typer.Option(help="The channel of the text.")] = "text",
) -> None:
    """Print a policy whole, with each rule's origin, or why a text comes out as it does."""
    if text is None:
        said = explain_command.explain(policy)
    else:
        said = explain_command.explain_text(policy, text, channel)
    print(said, end="")


@app.command(name="eval")
def evaluate(
    policy: PolicyArgument,
    dataset: Annotated[
        Path | None, typer.Argument(help="JSON lines: text, label or spans, and source.")
    ] = None,
    harmless: Annotated[
        Path | None, typer.Option(help="A folder of harmless texts, a file or folder for a kind.")
    ] = None,
    monitor: Annotated[bool, typer.Option(help="Count findings of monitor rules too.")] = False,
    misses: Annotated[int, typer.Option(min=0, help="Print so many misses of each kind.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="Exit 1 if a source has less recall or precision, or more flagged negatives, in "
            "percent, or a kind more findings in 100 KB: recall, precision, negatives, harmless.",
        ),
    ] = None,
) -> None:
    """Measure recall and precision by source and rule, and findings in harmless text by kind."""
    ask = evaluate_command.Ask(
        policy=policy,
        dataset=dataset,
        harmless=harmless,
        monitor=monitor,
        bounds=evaluate_command.bounds_of(fail_under or []),
    )
    raise typer.Exit(evaluate_command.evaluate(ask, misses=misses, as_json=json))


@app.command()
def diff(
    before: PolicyArgument,
    after: PolicyArgument,
    dataset: DatasetArgument,
    show: Annotated[int, typer.Option(min=0, help="Print so many of the texts.")] = 20,
) -> None:
    """Say what would change on a dataset from one policy to another: exit 1 if anything does."""
    raise typer.Exit(diff_command.diff(before, after, dataset, show=show))


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="The configuration, or a list of words.")],
    kind: Annotated[
        str | None, typer.Option("--from", help="gitleaks, presidio, bedrock or words.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the policy there.")] = None,
) -> None:
    """Make a policy of another tool's configuration; what is left out is said on stderr."""
    made, notes = importing.convert(file, kind)
    for note in notes:
        print(note, file=sys.stderr)
    if output is None:
        print(made, end="")
    else:
        output.write_text(made, encoding="utf-8")


@app.command()
def report(
    audit: Annotated[list[str], typer.Argument(help="Audit logs.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what audit logs hold in sum: ends, findings, blocks, times."""
    report_command.report(audit, as_json=json)


@app.command()
def serve(
    policy: Annotated[
        list[str],
        typer.Option(help="A policy file or pack, or NAME=POLICY for others by name."),
    ],
    upstream: Annotated[str, typer.Option(help="Where requests go: https://api.openai.com.")],
    route: Annotated[
        list[str] | None, typer.Option(help="PATH=NAME: another policy for this path.")
    ] = None,
    by_header: Annotated[
        bool, typer.Option("--by-header", help="Clients may name a policy in a header.")
    ] = False,
    other: Annotated[
        str, typer.Option(help="What becomes of paths that are not guarded: refuse or pass.")
    ] = "refuse",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    workers: Annotated[int, typer.Option(min=1, help="How many processes.")] = 1,
    reload: Annotated[
        bool, typer.Option("--reload", help="Take policies anew when their files change.")
    ] = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Serve metrics for Prometheus at /metrics.")
    ] = False,
    audit: Annotated[
        str | None, typer.Option(help="Append a record of each stream to this file.")
    ] = None,
    audit_errors: Annotated[
        str, typer.Option(help="What an audit log that cannot be written does: report or raise.")
    ] = "report",
    max_connections: Annotated[
        int, typer.Option(min=1, help="Connections of a process; more get a 503.")
    ] = 1000,
    header_timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for the headers of a request.")
    ] = 10.0,
    body_timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for the body of a request.")
    ] = 60.0,
) -> None:
    """Run a proxy that guards the APIs of OpenAI and Anthropic, answers and prompts."""
    serve_command.serve(
        policy,
        upstream,
        routes=route or [],
        by_header=by_header,
        other=other,
        host=host,
        port=port,
        workers=workers,
        reload=reload,
        metrics=metrics,
        audit=audit,
        audit_errors=audit_errors,
        max_connections=max_connections,
        header_timeout=header_timeout,
        body_timeout=body_timeout,
    )


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy files."""
    print(policy_schema.text(), end="")


@app.command()
def debug(
    pattern: Annotated[str, typer.Argument(help="A pattern, as in a policy.")],
    text: Annotated[str, typer.Argument(help="The text to search.")] = "",
    group: Annotated[str | None, typer.Option(help="The masked group, by name or number.")] = None,
    dot: Annotated[
        bool, typer.Option("--dot", help="Print the pattern's NFA for Graphviz instead.")
    ] = False,
) -> None:
    """Show how a pattern is searched: after each character its threads, what is held, accepts."""
    raise typer.Exit(debug_command.debug(pattern, text, group, dot=dot))


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version, and whether the search runs natively or in Python.",
        ),
    ] = False,
) -> None:
    """Guardrails for token streams."""


def main() -> None:
    """Run the command line; errors that a user can mend are one line each, without a traceback."""
    try:
        app()
    except GuardstreamError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename or 'guardstream'}: {error.strerror}", file=sys.stderr)
    sys.exit(BAD_INPUT)
