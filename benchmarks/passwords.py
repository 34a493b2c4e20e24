"""Passwords of any printable characters in eight notations, and lines of these that hold none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from random import Random
from string import ascii_letters, digits, punctuation
from typing import Final

PRINTABLE: Final = digits + ascii_letters + punctuation
"""The 94 graphic characters of ASCII (ANSI INCITS 4)."""

Notation = Callable[[str], tuple[str, str, str]]
"""What stands before a password, how it is written, and what follows."""


def code_span(text: str) -> tuple[str, str, str]:
    """`text` as CommonMark shows code (6.1), with two backticks where it has one."""
    marks = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"- **User:** `shop`\n- **Password:** {marks}{space}", text, f"{space}{marks}\n"


NOTATIONS: Final[Mapping[str, Notation]] = {
    "settings": lambda text: ("DB_USER=shop\nDB_PASSWORD=", text, "\nDB_PORT=5432\n"),
    "a shell": lambda text: ("export PGPASSWORD='", text.replace("'", "'\\''"), "'\n"),
    "YAML": lambda text: ("db:\n  user: shop\n  password: '", text.replace("'", "''"), "'\n"),
    "JSON": lambda text: ('{"user": "shop", "password": "', json.dumps(text)[1:-1], '"}'),
    "Python": lambda text: (f"password = {repr(text)[0]}", repr(text)[1:-1], f"{repr(text)[0]}\n"),
    "Markdown": code_span,
    "a label": lambda text: ("Username: shop\nPassword: ", text, "\n\nChange it soon.\n"),
    "a block": lambda text: ("Here is a new password:\n\n```\n", text, "\n```\n"),
}

NAMES: Final = (
    "db",
    "admin2",
    "smtp",
    "redis01",
    "wifi",
    "user",
    "vault",
    "backup7",
    "ldap",
    "app",
)

INNOCENT: Final = (
    "DB_PASSWORD=${{{name}_PASSWORD_{n}}}",
    "DB_PASSWORD=$(cat /run/secrets/{name}_{n})",
    'export PGPASSWORD="$(pass show {name}/{n})"',
    "docker run -e DB_PASSWORD=${name}_{n} acme/app --port 80",
    "password: '{{{{ lookup(\"{name}\", {n}) }}}}'",
    "password: !vault |",
    '{{"{name}": "x", "password": "<your password, {n}+ characters>"}}',
    '{{"password": {{"type": "string", "minLength": {n}}}, "title": "{name}"}}',
    '{{"password": "Must have {n} characters & a digit ({name})!"}}',
    '{{"password": "^(?=.*[A-Z])(?=.*\\\\d).{{{n},}}$"}}',
    "password = os.environ['{name}_{n}']",
    "password = {name}.get_password(user[{n}])",
    "password = models.CharField(max_length={n}, help_text='{name}')",
    "password=hashlib.sha256({name}.encode()).hexdigest()[:{n}],",
    "const password = req.body.{name}.password{n};",
    "await page.fill('#{name}', config.users[{n}].password)",
    "- **Password:** at least {n} characters, for {name}",
    "- **Password:** `<{name}-password-{n}>`",
    "Password: ********** ({name}, {n})",
    "Password: see {name}/{n}",
    "Set the password:\n\n```\npasswd {name}{n}\n```",
    "Reset the password:\n\n    ./manage.py changepassword {name}{n}",
    "Use this password:\n\n- {n} characters\n- not `{name}`",
    'The password "expires in {n} days" on {name}.',
    "| Password | `${{{name}_{n}}}` |",
)
"""Lines in the same notations with what stands for a value, describes or computes one."""


def drawn(count: int) -> Iterator[tuple[str, str, str]]:
    """Yield `count` texts a notation with a password of 14 characters, in three parts."""
    random = Random(94)
    for notation in NOTATIONS.values():
        for _ in range(count):
            yield notation("".join(random.choices(PRINTABLE, k=14)))


def innocent(count: int) -> Iterator[str]:
    """Yield `count` lines with names and numbers drawn."""
    random = Random(95)
    for at in range(count):
        yield INNOCENT[at % len(INNOCENT)].format(
            name=random.choice(NAMES), n=random.randint(6, 99)
        )
