"""Guards answers of paths that the proxy does not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from guardstream.errors import GuardstreamError
from guardstream.guard import Guard
from guardstream.http import other_answers
from guardstream.http.body import Beside
from guardstream.http.other_answers import Guarded
from guardstream.http.request import RefusedError
from guardstream.serve.endings import guarded_message
from guardstream.serve.proxy.answers import UpstreamError, judged_strings


def guarded(guard: Guard, kind: str, body: bytes, attributes: Mapping[str, str]) -> Guarded:
    """Guard a whole answer by its content; `kind` is its media type. Files that are not text pass.

    UpstreamError if it cannot be guarded, or if a rule blocks it and the answer has no place for
    that.
    """
    try:
        return other_answers.guarded(guard, kind, body, attributes, files=True)
    except RefusedError as error:
        raise UpstreamError(error.status, error.code, error.message, rule=error.rule) from error
    except GuardstreamError as error:
        raise UpstreamError(502, "unguarded_answer", guarded_message(guard, error)) from error


async def judged(guard: Guard, rules: Callable[[], Guarded], beside: Beside) -> Guarded:
    """Run `rules` through `beside`, and await the checks of the guard's gates, if it has any.

    They judge each string by itself. Also UpstreamError for an answer that they block.
    """
    answer = await beside(rules)
    if not guard.gates or not answer.body or not answer.is_read:
        return answer
    try:
        return answer._replace(body=await judged_strings(guard, answer.body))
    except GuardstreamError as error:
        raise UpstreamError(502, "unguarded_answer", guarded_message(guard, error)) from error
