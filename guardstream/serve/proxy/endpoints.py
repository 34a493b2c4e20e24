"""The endpoints that the proxy knows: what of their requests and of their answers is guarded.

Sources: https://platform.openai.com/docs/api-reference, https://docs.anthropic.com/en/api,
https://learn.microsoft.com/azure/ai-foundry/openai/reference (deployments, and `/openai/v1`),
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html,
https://ai.google.dev/api, https://github.com/ollama/ollama/blob/main/docs/api.md,
https://docs.cohere.com/v2/reference/chat.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import unquote

from guardstream.providers.errors import (
    ANTHROPIC,
    COHERE,
    GOOGLE,
    OLLAMA,
    OPENAI,
    RESPONSES,
    Errors,
)

Answer: TypeAlias = Literal[
    "said", "strings", "plain", "results", "file", "transcript", "images", "speech", "any"
]
"""What comes back: what a model says, whole or streamed; JSON in which every string may be said by
one; JSON in which nothing is; lines of whole answers; a file; what was heard; images; speech; or
anything, as nobody knows the path."""


@dataclass(frozen=True)
class Endpoint:
    """One endpoint. `path` may have `{id}`, a name without slashes, and `{model}`, one with them.

    `sends` names the format in which a request speaks to a model, or what it is: `form` is a form
    with files, `batch` a list of Anthropic's requests, `any` whatever it turns out to be; none has
    a body that is not sent on.
    `provider` is the format of what a model says, `auth` the header that has the key.
    `stores` an object that can be asked for by its id, is `about` the stored object `{id}`, `lists`
    such objects. `below` is what stands before the path where it is sent, `known` the path that
    documents name it by, where that is another one.
    """

    method: str
    path: str
    answer: Answer
    sends: str = ""
    provider: str = ""
    errors: Errors = OPENAI
    auth: str = "authorization"
    stores: bool = False
    about: bool = False
    lists: bool = False
    below: str = ""
    known: str = ""

    @property
    def places(self) -> Sequence[str]:
        """What a route may name it by; a stored object is guarded as what made it."""
        known = self.known or self.path
        maker = known.partition("/{id}")[0] if self.about else known
        return tuple(dict.fromkeys((self.path, known, maker)))

    @property
    def asks_model(self) -> bool:
        """Whether a model answers the request at once, and nothing but that is asked for."""
        return self.method == "POST" and bool(self.sends) and (
            self.answer == "said" or not self.stores
        )  # fmt: skip

    @property
    def guarded(self) -> bool:
        """Whether a policy judges anything of it."""
        return self.answer != "plain" or bool(self.sends)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What its path looks like."""
        return _compiled(self.path)


_SEGMENT = r"[\w:=@+~-][\w.:=@+~-]*"
_WILD = {
    "id": rf"(?P<id>{_SEGMENT})",
    "model": rf"(?P<model>{_SEGMENT}(?:/{_SEGMENT})*)",
    "name": r"(?P<model>[\w@+~-][\w.@+~-]*)",
    "version": r"v1(?:(?:alpha|beta)\d*)?",
    **dict.fromkeys(("project", "region", "owner"), _SEGMENT),
}
"""What stands for the parts of a template; a segment never begins with a dot."""


_ANYTHING = dict.fromkeys(_WILD, ".+")
_ANY_NAMES = {**_ANYTHING, "version": "[^/]+"}
"""What an upstream may take for them; a version is one segment, so that it may begin a path."""


def _compiled(template: str, wild: Mapping[str, str] = _WILD) -> re.Pattern[str]:
    """Return what paths of a template look like, with what is `wild` in place of names."""
    parts = re.split(r"\{(\w+)\}", template)
    made = (wild[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return re.compile("".join(made), re.ASCII | re.DOTALL)


_OPENAI = (
    Endpoint("POST", "chat/completions", "said", "openai_chat", "openai_chat", stores=True),
    Endpoint("GET", "chat/completions/{id}", "said", "", "openai_chat", about=True),
    Endpoint("DELETE", "chat/completions/{id}", "plain", about=True),
    Endpoint("POST", "completions", "said", "openai_completions", "openai_completions"),
    Endpoint(
        "POST", "responses", "said", "openai_responses", "openai_responses", RESPONSES, stores=True
    ),
    Endpoint("GET", "responses/{id}", "said", "", "openai_responses", RESPONSES, about=True),
    Endpoint("DELETE", "responses/{id}", "plain", about=True),
    Endpoint("POST", "responses/{id}/cancel", "said", "", "openai_responses", about=True),
    Endpoint("GET", "responses/{id}/input_items", "strings", about=True),
    Endpoint("POST", "responses/input_tokens", "plain", "openai_responses"),
    Endpoint("GET", "models", "plain"),
    Endpoint("GET", "models/{model}", "plain"),
    Endpoint("POST", "embeddings", "plain", "openai_embeddings"),
    Endpoint("POST", "moderations", "plain", "openai_moderations"),
    Endpoint("POST", "files", "plain", "form", stores=True),
    Endpoint("GET", "files", "plain", lists=True),
    Endpoint("GET", "files/{id}", "plain", about=True),
    Endpoint("DELETE", "files/{id}", "plain", about=True),
    Endpoint("GET", "files/{id}/content", "file", about=True),
    Endpoint("POST", "batches", "plain", "openai_batches", stores=True),
    Endpoint("GET", "batches", "plain", lists=True),
    Endpoint("GET", "batches/{id}", "plain", about=True),
    Endpoint("POST", "batches/{id}/cancel", "plain", about=True),
    Endpoint("POST", "images/generations", "images", "openai_images", "openai_media"),
    Endpoint("POST", "images/edits", "images", "form", "openai_media"),
    Endpoint("POST", "images/variations", "images", "form", "openai_media"),
    Endpoint("POST", "audio/transcriptions", "transcript", "form", "openai_media"),
    Endpoint("POST", "audio/translations", "transcript", "form", "openai_media"),
    Endpoint("POST", "audio/speech", "speech", "openai_speech", "openai_media"),
)
"""OpenAI's, and of those who are compatible with it: below `/v1/` and other bases."""

_BASES = ("/v1/", "/", "/openai/v1/", "/openai/", "/v1beta/openai/")
"""OpenAI's own, none, Azure's and Bedrock's, Azure's with `api-version`, Google's."""

_INFERENCE = ("chat/", "completions", "embeddings", "images/", "audio/")
"""What Azure has below a deployment."""

_ANTHROPIC = (
    Endpoint("POST", "messages", "said", "anthropic", "anthropic"),
    Endpoint("POST", "messages/count_tokens", "plain", "anthropic"),
    Endpoint("POST", "messages/batches", "plain", "batch", "anthropic", stores=True),
    Endpoint("GET", "messages/batches", "plain", lists=True),
    Endpoint("GET", "messages/batches/{id}", "plain", about=True),
    Endpoint("DELETE", "messages/batches/{id}", "plain", about=True),
    Endpoint("POST", "messages/batches/{id}/cancel", "plain", about=True),
    Endpoint("GET", "messages/batches/{id}/results", "results", about=True),
)

_GOOGLE = (
    Endpoint("POST", "{name}:generateContent", "said", "gemini", "gemini"),
    Endpoint("POST", "{name}:streamGenerateContent", "said", "gemini", "gemini"),
    Endpoint("POST", "{name}:countTokens", "plain", "gemini_counting"),
    Endpoint("POST", "{name}:embedContent", "plain", "gemini_embeddings"),
    Endpoint("POST", "{name}:batchEmbedContents", "plain", "gemini_embeddings"),
)

_OLLAMA = (
    Endpoint("POST", "/api/chat", "said", "ollama", "ollama"),
    Endpoint("POST", "/api/generate", "said", "ollama", "ollama"),
    Endpoint("POST", "/api/embed", "plain", "openai_embeddings"),
    Endpoint("POST", "/api/embeddings", "plain", "ollama_embeddings"),
    Endpoint("POST", "/api/show", "plain", "ollama_model"),
    Endpoint("GET", "/api/tags", "plain"),
    Endpoint("GET", "/api/ps", "plain"),
    Endpoint("GET", "/api/version", "plain"),
)


def _below(base: str) -> str:
    """What a client leaves out whose base URL has no version."""
    return "/v1" if base == "/" else ""


_OF_BOTH = ("/v1/models", "/v1/files")
"""Paths that OpenAI and Anthropic have alike."""

_VERTEX = "/{version}/projects/{project}/locations/{region}/publishers/{owner}/models/"


def _openai() -> Iterator[Endpoint]:
    for each in _OPENAI:
        known = f"/v1/{each.path}"
        for base in _BASES:
            auth = "api-key" if base == "/openai/" else each.auth
            yield replace(each, path=base + each.path, auth=auth, below=_below(base), known=known)
        if each.method == "POST" and each.path.startswith(_INFERENCE):
            path = f"/openai/deployments/{{name}}/{each.path}"
            yield replace(each, path=path, auth="api-key", known=known)


def _anthropic() -> Iterator[Endpoint]:
    for each in _ANTHROPIC:
        known = f"/v1/{each.path}"
        made = replace(each, errors=ANTHROPIC, auth="x-api-key", known=known)
        for base in ("/v1/", "/"):
            yield replace(made, path=base + each.path, below=_below(base))


def _google() -> Iterator[Endpoint]:
    for each in _GOOGLE:
        made = replace(each, errors=GOOGLE, auth="x-goog-api-key")
        for kind in ("models", "tunedModels"):
            yield replace(made, path=f"/{{version}}/{kind}/{each.path}")
        yield replace(made, path=_VERTEX + each.path, auth="authorization")
    for path in ("/v1beta/models", "/v1alpha/models"):
        for end in ("", "/{name}"):
            yield Endpoint("GET", path + end, "plain", errors=GOOGLE, auth="x-goog-api-key")


ENDPOINTS: Sequence[Endpoint] = (
    *_openai(),
    *_anthropic(),
    *_google(),
    *(replace(each, errors=OLLAMA) for each in _OLLAMA),
    Endpoint("POST", "/v2/chat", "said", "cohere", "cohere", errors=COHERE),
)
"""All endpoints, the first that fits is taken."""

UNKNOWN = Endpoint("", "", "plain")
"""Stands for what the table does not have."""

_ANY = Endpoint("", "", "any", "any")
"""Stands for it where it is guarded all the same."""

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
"""What may be asked of a path that nobody knows: others ask something of the proxy itself."""

_AUTH = {ANTHROPIC: "x-api-key", GOOGLE: "x-goog-api-key"}


def errors_of(path: str, headers: Iterable[tuple[bytes, bytes]]) -> Errors:
    """Return how an API says an error whose endpoint is not known."""
    if any(name == b"anthropic-version" for name, _ in headers):
        return ANTHROPIC
    begins = {"/api/": OLLAMA, "/v1beta/": GOOGLE, "/v1alpha/": GOOGLE}
    return next((each for start, each in begins.items() if path.startswith(start)), OPENAI)


class Found(NamedTuple):
    """The endpoint of a request, and what its path names."""

    endpoint: Endpoint
    names: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """The endpoints of one proxy: those that routes add come first."""

    added: Sequence[Endpoint] = ()
    _plain: Mapping[tuple[str, str], Endpoint] = field(init=False)
    _named: Sequence[Endpoint] = field(init=False)

    def __post_init__(self) -> None:
        every = (*self.added, *ENDPOINTS)
        plain = {(each.method, each.path): each for each in reversed(every) if "{" not in each.path}
        object.__setattr__(self, "_plain", plain)
        object.__setattr__(self, "_named", [each for each in every if "{" in each.path])

    def of_client(self, found: Found, headers: Iterable[tuple[bytes, bytes]]) -> Found:
        """Return the endpoint as Anthropic has it, if its client comes to a path of both."""
        endpoint = found.endpoint
        if endpoint.known.startswith(_OF_BOTH) and any(
            n == b"anthropic-version" for n, _ in headers
        ):
            return found._replace(endpoint=replace(endpoint, errors=ANTHROPIC, auth="x-api-key"))
        return found

    def find(self, method: str, path: str) -> Found:
        """Return the endpoint of a request by its method, in capitals, and its decoded path."""
        plain = self._plain.get((method, path))
        if plain is not None:
            return Found(plain, {})
        for each in self._named:
            found = each.pattern.fullmatch(path) if each.method == method else None
            if found is not None:
                return Found(each, found.groupdict())
        return Found(UNKNOWN, {})

    def ending(self, method: str, path: str) -> Found:
        """Return the endpoint below another base that a request is for, such as that of
        `/api/v1/chat/completions`: a model's alone, and nothing that is stored.
        """
        found = self._like(path, method)
        if not found.endpoint.asks_model:
            return Found(UNKNOWN, {})
        return found._replace(endpoint=replace(found.endpoint, below=""))

    def other(self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> Found:
        """Return what stands for a path that is not known, to guard it.

        It has the route of the path that it ends like. UNKNOWN if an upstream may take it for
        another path, whose route would not hold.
        """
        like = self._like(path).endpoint
        if method not in _METHODS or (like is UNKNOWN and self.disguised(path)):
            return Found(UNKNOWN, {})
        errors = errors_of(path, headers)
        auth = _AUTH.get(errors, _ANY.auth)
        known = like.known or like.path
        return Found(replace(_ANY, path=path, errors=errors, auth=auth, known=known), {})

    def _like(self, path: str, method: str | None = None) -> Found:
        """Return the endpoint that a path ends in, letter for letter; UNKNOWN if it ends in none.

        It is UNKNOWN, too, where more of the path is like an endpoint in another spelling.
        """
        if not _PLAIN.fullmatch(path):
            return Found(UNKNOWN, {})
        among = [each for each in (*self.added, *ENDPOINTS) if method in (None, each.method)]
        lower = {_lower(each.path) for each in among}
        names = path[1:].split("/")
        for end in _ends(names):
            if any(each.fullmatch(end.casefold()) for each in lower):
                found = ((each, each.pattern.fullmatch(end)) for each in among)
                exact = next(((each, m) for each, m in found if m is not None), None)
                return Found(exact[0], exact[1].groupdict()) if exact else Found(UNKNOWN, {})
        return Found(UNKNOWN, {})

    def disguised(self, path: str) -> bool:
        """Tell whether an upstream may take an unknown path for one of an endpoint.

        Or for another host's, where it does not begin with a slash. One that ends as an endpoint's
        does, and only begins otherwise (`/api/v1/chat/completions`), is taken for it, too.
        """
        if not path.isprintable() or path[:1] != "/":
            return True
        # Some servers drop parameters before they decode a path, some after that.
        return any(self._is_disguised(_decoded(each)) for each in {path, _dropped(path)})

    def _is_disguised(self, path: str) -> bool:
        plain = unicodedata.normalize("NFKC", path)
        named = [_PARAMETERS.split(segment)[0].strip() for segment in _APART.split(plain)]
        if not plain.isprintable() or not {".", ".."}.isdisjoint(named):
            return True
        if "\N{REPLACEMENT CHARACTER}" in plain:  # it was not in UTF-8, and others may read it
            return True
        names = [name for name in (each.strip(_NO_NAME).casefold() for each in named) if name]
        return any(each.fullmatch(end) for end in _ends(names) for each in self._lower)

    @cached_property
    def _lower(self) -> Sequence[re.Pattern[str]]:
        paths = dict.fromkeys(each.path for each in (*self.added, *ENDPOINTS))
        return [_compiled(path.lower(), _ANYTHING) for path in paths]


def _dropped(path: str) -> str:
    """Return a path without the parameters of its names."""
    return "/".join(name.partition(";")[0] for name in path.split("/"))


def _decoded(path: str) -> str:
    """Return a path without any escapes, also those that were escaped once more."""
    while (once := unquote(path)) != path:
        path = once
    return path


def _ends(names: Sequence[str]) -> list[str]:
    """Return the ends of a path, the longest first: the last name alone tells nothing."""
    return ["/" + "/".join(names[at:]) for at in range(max(1, len(names) - 1))]


@cache
def _lower(template: str) -> re.Pattern[str]:
    """Return what an upstream that minds no case may take for a path of a template."""
    return _compiled(template.lower(), _ANY_NAMES)


_PLAIN = re.compile(rf"(?:/{_SEGMENT})+", re.ASCII)
"""A path that can be read in one way only."""


_APART = re.compile(r"[/\\]")
_NO_NAME = " .%"
"""What some servers leave out at the end of a name."""

_PARAMETERS = re.compile("[;?#]")
