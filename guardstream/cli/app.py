"""The commands and their options; what they do is in a module each.

Each command imports its own module: help, and completion at each Tab, wait for none of them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from guardstream.cli.bulk_commands import bulk
from guardstream.cli.format_commands import formats
from guardstream.cli.key_commands import keys
from guardstream.cli.options import (
    AfterArgument,
    BeforeArgument,
    CodeOption,
    JsonOption,
    PoliciesArgument,
    PolicyArgument,
    TimelineOption,
    to_a_file,
    to_a_new_file,
)
from guardstream.cli.output import abandon, check_apart, naming, note, prepare
from guardstream.cli.running import BAD_INPUT, Commands
from guardstream.cli.running import run as run_app
from guardstream.errors import GuardstreamError
from guardstream.version import __version__

app = typer.Typer(
    name="guardstream",
    cls=Commands,
    help="Guardrails for token streams.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(keys)
app.add_typer(bulk)
app.add_typer(formats)


def _version(wanted: bool) -> None:
    if wanted:
        from guardstream.scan.regex.forms import form

        typer.echo(f"guardstream {__version__}, search: {form()}")
        raise typer.Exit


@app.command()
def run(
    policy: PolicyArgument,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The text, UTF-8; - is standard input.")
    ] = "-",
    chunk: Annotated[
        int | None, typer.Option(min=1, help="Feed this many characters at a time.")
    ] = None,
    findings: Annotated[
        Path | None,
        typer.Option(callback=to_a_file, help="Write the findings to this file, as JSON lines."),
    ] = None,
    timeline: TimelineOption = None,
    allow_code: CodeOption = None,
) -> None:
    """Guard a text and print what may be shown: exit 0 clean or masked, 3 blocked, 2 bad input."""
    from guardstream.cli import run as run_command

    check_apart(findings, policy, file, timeline)
    check_apart(timeline, policy, file)
    raise typer.Exit(run_command.run(policy, file, chunk, findings, timeline, allow_code or []))


@app.command()
def init(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", callback=to_a_new_file, help="Where to write it."),
    ] = Path("policy.yaml"),
) -> None:
    """Write a first policy, with comments and tests, to a new file."""
    from guardstream.cli import init as init_command

    note(init_command.init(file))


@app.command()
def json(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="The documents, UTF-8; - is standard input."),
    ] = None,
    schema: Annotated[Path | None, typer.Option(help="A JSON Schema.")] = None,
    draft: Annotated[
        str | None,
        typer.Option(help="Its draft, such as draft-07, in place of the one it declares."),
    ] = None,
    schemas: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="SCHEMA",
            help="Another schema, which it refers to by identifier; may be repeated.",
        ),
    ] = None,
    formats: Annotated[bool, typer.Option("--formats", help="Assert `format`.")] = False,
    chunk: Annotated[
        int | None, typer.Option(min=1, help="Feed this many characters at a time.")
    ] = None,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Allow an object to repeat a key.")
    ] = False,
    repair: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="Repair almost-JSON and print it: `usual`, `all`, or kinds separated by commas.",
        ),
    ] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Each line is a document of its own.")
    ] = False,
    fail_fast: Annotated[
        bool,
        typer.Option("--fail-fast/--all", help="Stop at the first document that is not valid."),
    ] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print the totals in a last line.")
    ] = False,
) -> None:
    """Check JSON documents, one result line for each: exit 0 all valid, 3 not all, 2 bad input."""
    from guardstream.cli import json_verdicts as json_command

    options = json_command.Options(
        schema=json_command.schema_of(schema, draft, schemas or [], formats=formats),
        chunk=chunk,
        duplicates=duplicates,
        repair=json_command.kinds_of(repair),
        lines=lines,
    )
    files = files or ["-"]
    raise typer.Exit(json_command.run(options, files, fail_fast=fail_fast, summary=summary))


@app.command()
def demo(
    policy: Annotated[str, typer.Option(help="A policy file or pack.")] = "guardstream/chat",
    speed: Annotated[
        float,
        typer.Option(min=0, help="How many times faster than recorded; 0 does not wait at all."),
    ] = 1.0,
    timeline: TimelineOption = None,
    allow_code: CodeOption = None,
) -> None:
    """Replay a recorded stream and show what comes in, what is held, what is released."""
    from guardstream.cli import demo as demo_command

    check_apart(timeline, policy)
    demo_command.demo(policy, speed, timeline, allow_code or [])


@app.command()
def play(
    policy: Annotated[
        str | None,
        typer.Argument(
            metavar="POLICY",
            help="A policy file, a pack: guardstream/NAME, or a link that was shared.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port at 127.0.0.1; 0 takes a free one.")
    ] = 0,
    upstream: Annotated[
        str | None, typer.Option(help="An API like OpenAI's: https://api.openai.com/v1.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model there.")] = None,
    key_env: Annotated[
        str | None, typer.Option(help="The environment variable that holds its key.")
    ] = None,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Write policies and try them in a browser, until Ctrl-C."""
    from guardstream.cli import play as play_command

    play_command.play(
        policy, port=port, upstream=upstream, model=model, key_env=key_env, browser=browser
    )


@app.command()
def lint(
    policies: PoliciesArgument,
    strict: Annotated[bool, typer.Option(help="Exit 1 if there are warnings.")] = False,
    json: JsonOption = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0.")] = False,
) -> None:
    """List errors and warnings in policies: exit 0, 1 warnings with --strict, 2 errors."""
    from guardstream.cli import lint as lint_command

    if json and sarif:
        raise GuardstreamError("--json and --sarif exclude each other: give one")
    form: lint_command.Form = "sarif" if sarif else "json" if json else "lines"
    raise typer.Exit(lint_command.lint(policies, strict=strict, form=form))


@app.command(name="test")
def run_tests(
    policies: PoliciesArgument,
    inherited: Annotated[bool, typer.Option(help="Run the tests of inherited rules too.")] = False,
    coverage: Annotated[bool, typer.Option(help="Name the rules that lack tests.")] = False,
    junit: Annotated[
        Path | None, typer.Option(callback=to_a_file, help="Write the results there, as XML.")
    ] = None,
    json: JsonOption = False,
    allow_code: CodeOption = None,
) -> None:
    """Run the inline tests of policies in every chunking that could matter: exit 1 on failure."""
    from guardstream.cli import test as test_command
    from guardstream.policy.plugins import allowed

    check_apart(junit, *policies)
    status = test_command.test(
        policies,
        inherited=inherited,
        coverage=coverage,
        junit=junit,
        as_json=json,
        code=allowed(allow_code or []),
    )
    raise typer.Exit(status)


@app.command()
def explain(
    policy: PolicyArgument,
    text: Annotated[
        str | None, typer.Option(help="Explain why this text comes out as it does.")
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="The channel of the text; text by default.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option(metavar="ID", help="Print this rule in full, with its origin.")
    ] = None,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Print all as one policy, with each rule's origin.")
    ] = False,
    allow_code: CodeOption = None,
) -> None:
    """Print what a policy does: in short, in full, one rule, or why a text comes out as it does."""
    from guardstream.cli import explain as explain_command

    if (text is not None) + (rule is not None) + yaml > 1:
        raise GuardstreamError("--text, --rule and --yaml ask for different things: give one")
    if text is None and (channel is not None or allow_code):
        raise GuardstreamError("--channel and --allow-code have no effect without --text")
    if text is not None:
        channel = "text" if channel is None else channel
        output = explain_command.explain_text(policy, text, channel, allow_code or [])
    elif rule is not None:
        output = explain_command.rule(policy, rule)
    else:
        output = explain_command.whole(policy) if yaml else explain_command.table(policy)
    print(output, end="")


@app.command(name="eval")
def evaluate(
    policy: PolicyArgument,
    dataset: Annotated[
        Path | None,
        typer.Argument(metavar="DATASET", help="JSON lines: text, label or spans, and source."),
    ] = None,
    harmless: Annotated[
        Path | None,
        typer.Option(help="A folder of harmless texts, with a file or folder for each kind."),
    ] = None,
    monitor: Annotated[bool, typer.Option(help="Count findings of monitor rules too.")] = False,
    misses: Annotated[
        int | None,
        typer.Option(min=0, help="Print up to this many misses of each kind; 20 by default."),
    ] = None,
    json: JsonOption = False,
    allow_code: CodeOption = None,
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
    from guardstream.cli import evaluate as evaluate_command

    if misses is not None and (dataset is None or json):
        raise GuardstreamError(
            "--misses has no effect without a DATASET, or with --json, which has all misses"
        )
    options = evaluate_command.Options(
        policy=policy,
        dataset=dataset,
        harmless=harmless,
        monitor=monitor,
        bounds=evaluate_command.bounds_of(fail_under or []),
        code=allow_code or [],
    )
    raise typer.Exit(
        evaluate_command.evaluate(options, misses=20 if misses is None else misses, as_json=json)
    )


@app.command()
def diff(
    before: BeforeArgument,
    after: AfterArgument,
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATASET", help="JSON lines with texts; without it rules are compared."
        ),
    ] = None,
    show: Annotated[
        int | None,
        typer.Option(min=0, help="Print up to this many of the texts; 20 by default."),
    ] = None,
    json: JsonOption = False,
    allow_code: CodeOption = None,
) -> None:
    """Show which rules, or texts of a dataset, differ between two policies: exit 1 if any do."""
    from guardstream.cli import diff as diff_command

    if dataset is None:
        if show is not None or allow_code:
            raise GuardstreamError("--show and --allow-code have no effect without a DATASET")
        raise typer.Exit(diff_command.rules(before, after, as_json=json))
    most = 20 if show is None else show
    status = diff_command.diff(
        before, after, dataset, show=most, as_json=json, code=allow_code or []
    )
    raise typer.Exit(status)


@app.command(name="import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The configuration, or a list of words.")
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="gitleaks, kingfisher, trivy, trufflehog, presidio, bedrock, llm-guard, litellm, "
            "nemo or words.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(callback=to_a_file, help="Write the policy to this file.")
    ] = None,
) -> None:
    """Convert another tool's configuration to a policy; notes on what is left out go to stderr."""
    from guardstream.cli import importing

    check_apart(output, file)
    made, notes = importing.convert(file, kind)
    for line in notes:
        note(line)
    if output is None:
        print(made, end="")
    else:
        with naming(output):
            output.write_text(made, encoding="utf-8")


@app.command()
def report(
    audit: Annotated[list[str], typer.Argument(metavar="AUDIT", help="Audit logs.")],
    json: JsonOption = False,
    html: Annotated[
        Path | None,
        typer.Option(callback=to_a_file, help="Write an HTML page to this file instead."),
    ] = None,
) -> None:
    """Summarise audit logs: finish reasons, findings, blocks, times."""
    from guardstream.cli import report as report_command

    if json and html is not None:
        raise GuardstreamError("--json and --html exclude each other: give one")
    check_apart(html, *audit)
    report_command.report(audit, as_json=json, html=html)


@app.command(context_settings={"auto_envvar_prefix": "GUARDSTREAM_SERVE"})
def serve(
    context: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="POLICY",
            help="The policy for all paths; its section serve has further settings.",
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]POLICY", help="The same, or another policy by name."),
    ] = None,
    check: Annotated[
        bool | None,
        typer.Option("--check", help="Answer gateways with verdicts, and forward nothing."),
    ] = None,
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="Where requests go: https://api.openai.com.")
    ] = None,
    route: Annotated[
        list[str] | None, typer.Option(metavar="PATH=NAME", help="Another policy for this path.")
    ] = None,
    by_header: Annotated[
        bool | None,
        typer.Option("--by-header/--no-by-header", help="Clients may name a policy in a header."),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option(metavar="refuse|guard|pass", help="What to do with unknown paths."),
    ] = None,
    on_block: Annotated[
        str | None,
        typer.Option(
            metavar="finish|error",
            help="How a blocked answer ends: with a finish reason, or an error.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The address to listen on; 127.0.0.1 by default."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=0, max=65535, help="The port to listen on; 8080 by default."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The number of processes.")
    ] = None,
    reload: Annotated[
        bool | None,
        typer.Option("--reload/--no-reload", help="Reload policies when their files change."),
    ] = None,
    metrics: Annotated[
        bool | None,
        typer.Option("--metrics", help="Serve metrics for Prometheus at /metrics."),
    ] = None,
    audit: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Append a record of each stream to this file."),
    ] = None,
    audit_errors: Annotated[
        str | None,
        typer.Option(metavar="report|raise", help="What to do if the audit log cannot be written."),
    ] = None,
    max_connections: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="The most connections of a process; further ones get a 503."
        ),
    ] = None,
    header_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.1, help="How long the headers of a request may take."
        ),
    ] = None,
    body_timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, help="How long the body of a request may take."),
    ] = None,
    allow_code: CodeOption = None,
) -> None:
    """Run a proxy that guards model APIs: answers, prompts, files, and who may use them."""
    from guardstream.cli import serve as serve_command

    options = context.command.params
    read = [each.name or "" for each in options if getattr(each, "allow_from_autoenv", False)]
    serve_command.warn_of_environment(f"{context.auto_envvar_prefix}_", read)
    serve_command.serve(
        file,
        policy or [],
        routes=route or [],
        host=host,
        port=port,
        workers=workers,
        allow_code=allow_code or [],
        check=check,
        upstream=upstream,
        by_header=by_header,
        other=other,
        on_block=on_block,
        reload=reload,
        metrics=metrics,
        audit=audit,
        audit_errors=audit_errors,
        max_connections=max_connections,
        header_timeout=header_timeout,
        body_timeout=body_timeout,
    )


@app.command()
def extproc(
    policy: PolicyArgument,
    listen: Annotated[str, typer.Option(help="The address for Envoy's calls.")] = "127.0.0.1:9002",
    grace: Annotated[
        float | None,
        typer.Option(
            min=0, help="Seconds that open calls have to end when it is stopped; 30 by default."
        ),
    ] = None,
    allow_code: CodeOption = None,
) -> None:
    """Run an external processor for Envoy, set up by the policy's section serve."""
    from guardstream.cli import extproc as extproc_command

    extproc_command.extproc(policy, listen=listen, grace=grace, allow_code=allow_code or [])


@app.command()
def verify(
    answer: Annotated[
        Path, typer.Argument(metavar="ANSWER", help="The answer's body, as it came.")
    ],
    key: Annotated[
        Path, typer.Option(help="The signer's public key, in PEM, from a source you trust.")
    ],
    receipt: Annotated[
        str | None, typer.Option(help="The receipt; by default the one in the event stream.")
    ] = None,
    request: Annotated[
        Path | None, typer.Option(help="The request's body, to check that the receipt is for it.")
    ] = None,
    nonce: Annotated[
        str | None,
        typer.Option(help="The nonce that the request gave, in its header guardstream-nonce."),
    ] = None,
    max_age: Annotated[
        float | None, typer.Option(min=0, help="How old the receipt may be, in seconds.")
    ] = None,
) -> None:
    """Check an answer against its receipt: exit 0, or 1 and what differs."""
    from guardstream.cli import verify as verify_command

    status = verify_command.check(
        answer, key, receipt=receipt, request=request, nonce=nonce, max_age=max_age
    )
    raise typer.Exit(status)


@app.command(name="verify-audit")
def verify_audit(
    logs: Annotated[
        list[Path], typer.Argument(metavar="LOG", help="Audit logs, the oldest first.")
    ],
    key: Annotated[
        Path | None, typer.Option(help="The signer's public key, in PEM, from a source you trust.")
    ] = None,
) -> None:
    """Check that audit logs with chained lines are unchanged: exit 0, or 1 and what is wrong."""
    from guardstream.cli import verify as verify_command

    raise typer.Exit(verify_command.check_audit(logs, key))


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy files."""
    from guardstream.policy import schema as policy_schema

    print(policy_schema.text(), end="")


@app.command()
def debug(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="A pattern, as in a policy.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text to search.")] = "",
    group: Annotated[str | None, typer.Option(help="The masked group, by name or number.")] = None,
    dot: Annotated[
        bool, typer.Option("--dot", help="Print the pattern's NFA for Graphviz instead.")
    ] = False,
) -> None:
    """Show how a pattern is searched: its threads, accepts and held text after each character."""
    from guardstream.cli import debug as debug_command

    if dot and text:
        raise GuardstreamError("--dot prints the pattern alone: leave out the text, or --dot")
    debug_command.debug(pattern, text, group, as_graph=dot)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    _version: Annotated[
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
    if context.invoked_subcommand is None:
        note(context.get_help())
        raise typer.Exit(BAD_INPUT)


def main() -> None:
    """Run the command line."""
    prepare()
    status = run_app(app)
    abandon()
    sys.exit(status)
