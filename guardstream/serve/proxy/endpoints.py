"""The endpoints that the proxy knows, and how their requests and answers are guarded.

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

from guardstream.formats.errors import Errors
from guardstream.formats.errors import errors_of as errors_in

Answer: TypeAlias = Literal[
    "model", "strings", "data", "results", "file", "transcript", "images", "speech", "unknown"
]
"""What an endpoint answers, which decides how the answer is guarded:

- `model`: a model's answer, whole or streamed, in the format `format`.
- `strings`: JSON in which every string may be a model's text.
- `data`: JSON without any text of a model.
- `results`: lines of JSON, each with a whole answer, such as the results of a batch.
- `file`: a stored file.
- `transcript`: the text of a recording, as JSON, text or subtitles.
- `images`: images, with the prompts as the model has revised them.
- `speech`: sound.
- `unknown`: anything, because the path is not known.
"""

OPENAI, RESPONSES = errors_in("openai_chat"), errors_in("openai_responses")
ANTHROPIC, GOOGLE = errors_in("anthropic"), errors_in("gemini")
OLLAMA, COHERE = errors_in("ollama"), errors_in("cohere")


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of an API.

    - `path`: a template. `{id}` is a name without slashes, `{model}` may have slashes.
    - `answer`: what it answers.
    - `request`: the format of its requests, as in `guardstream.http.request_fields`, or what they
      are: "form" for a form with files, "batch" for a list of Anthropic's requests, "unknown" if
      only the body shows it. If it is empty, bodies are not forwarded.
    - `format`: the format of the model's answer.
    - `errors`: how its API reports errors.
    - `auth`: the header that has the key.
    - `creates_object`: its answer names a stored object that can be requested later.
    - `has_object_id`: `{id}` in its path is such an object.
    - `lists_objects`: its answer lists such objects.
    - `upstream_prefix`: put before the path when the request is forwarded.
    - `documented_path`: the path in the API's documentation, if it is not `path`.
    """

    method: str
    path: str
    answer: Answer
    request: str = ""
    format: str = ""
    errors: Errors = OPENAI
    auth: str = "authorization"
    creates_object: bool = False
    has_object_id: bool = False
    lists_objects: bool = False
    upstream_prefix: str = ""
    documented_path: str = ""

    @property
    def route_paths(self) -> Sequence[str]:
        """The paths by which a route may name it.

        A stored object has the route of the endpoint that created it, too.
        """
        documented = self.documented_path or self.path
        creator = documented.partition("/{id}")[0] if self.has_object_id else documented
        return tuple(dict.fromkeys((self.path, documented, creator)))

    @property
    def asks_model(self) -> bool:
        """Whether a request only asks a model for an answer, which comes at once."""
        return (
            self.method == "POST"
            and bool(self.request)
            and (self.answer == "model" or not self.creates_object)
        )

    @property
    def streams_lines(self) -> bool:
        """Whether its API streams lines alone, as Ollama's does.

        Events or a text at such a path are another server's: the AI SDK asks `/api/chat` by
        default.
        """
        return self.format == "ollama"

    @property
    def events(self) -> str | None:
        """The format of its events, if the path tells it; otherwise their first chunk does."""
        return None if self.streams_lines else self.format or None

    @property
    def guarded(self) -> bool:
        """Whether a policy applies to its requests or answers."""
        return self.answer != "data" or bool(self.request)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """A pattern for its paths."""
        return _compiled(self.path)


_SEGMENT = r"[\w:=@+~-][\w.:=@+~-]*"
_WILDCARDS = {
    "id": rf"(?P<id>{_SEGMENT})",
    "model": rf"(?P<model>{_SEGMENT}(?:/{_SEGMENT})*)",
    "name": r"(?P<model>[\w@+~-][\w.@+~-]*)",
    "version": r"v1(?:(?:alpha|beta)\d*)?",
    **dict.fromkeys(("project", "region", "owner"), _SEGMENT),
}
"""Patterns for the parts of a template. A segment never begins with a dot."""


_LENIENT_WILDCARDS = dict.fromkeys(_WILDCARDS, ".+")
_LENIENT_SUFFIX_WILDCARDS = {**_LENIENT_WILDCARDS, "version": "[^/]+"}
"""What an upstream may accept for these parts, anywhere in a path or at its end.

At the end, a version is one segment, because a suffix may begin with it.
"""


def _compiled(template: str, wild: Mapping[str, str] = _WILDCARDS) -> re.Pattern[str]:
    """Return a pattern for the paths of a template, with the pattern in `wild` for each name."""
    parts = re.split(r"\{(\w+)\}", template)
    pieces = (wild[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return re.compile("".join(pieces), re.ASCII | re.DOTALL)


_OPENAI = (
    Endpoint(
        "POST", "chat/completions", "model", "openai_chat", "openai_chat", creates_object=True
    ),
    Endpoint("GET", "chat/completions/{id}", "model", "", "openai_chat", has_object_id=True),
    Endpoint("DELETE", "chat/completions/{id}", "data", has_object_id=True),
    Endpoint("POST", "completions", "model", "openai_completions", "openai_completions"),
    Endpoint(
        "POST",
        "responses",
        "model",
        "openai_responses",
        "openai_responses",
        RESPONSES,
        creates_object=True,
    ),
    Endpoint(
        "GET", "responses/{id}", "model", "", "openai_responses", RESPONSES, has_object_id=True
    ),
    Endpoint("DELETE", "responses/{id}", "data", has_object_id=True),
    Endpoint("POST", "responses/{id}/cancel", "model", "", "openai_responses", has_object_id=True),
    Endpoint("GET", "responses/{id}/input_items", "strings", has_object_id=True),
    Endpoint("POST", "responses/input_tokens", "data", "openai_responses"),
    Endpoint(
        "POST", "responses/compact", "model", "openai_responses", "openai_responses", RESPONSES
    ),
    Endpoint("GET", "models", "data"),
    Endpoint("GET", "models/{model}", "data"),
    Endpoint("POST", "embeddings", "data", "openai_embeddings"),
    Endpoint("POST", "moderations", "data", "openai_moderations"),
    Endpoint("POST", "files", "data", "form", creates_object=True),
    Endpoint("GET", "files", "data", lists_objects=True),
    Endpoint("GET", "files/{id}", "data", has_object_id=True),
    Endpoint("DELETE", "files/{id}", "data", has_object_id=True),
    Endpoint("GET", "files/{id}/content", "file", has_object_id=True),
    Endpoint("POST", "batches", "data", "openai_batches", creates_object=True),
    Endpoint("GET", "batches", "data", lists_objects=True),
    Endpoint("GET", "batches/{id}", "data", has_object_id=True),
    Endpoint("POST", "batches/{id}/cancel", "data", has_object_id=True),
    Endpoint("POST", "images/generations", "images", "openai_images", "openai_media"),
    Endpoint("POST", "images/edits", "images", "form", "openai_media"),
    Endpoint("POST", "images/variations", "images", "form", "openai_media"),
    Endpoint("POST", "audio/transcriptions", "transcript", "form", "openai_media"),
    Endpoint("POST", "audio/translations", "transcript", "form", "openai_media"),
    Endpoint("POST", "audio/speech", "speech", "openai_speech", "openai_media"),
)
"""The endpoints of OpenAI and compatible APIs, below `/v1/` and other base paths."""

_BASES = ("/v1/", "/", "/openai/v1/", "/openai/", "/v1beta/openai/")
"""The base paths of OpenAI's API: its own; none; Azure's and Bedrock's; Azure's with `api-version`;
Google's."""

_INFERENCE = ("chat/", "completions", "embeddings", "images/", "audio/")
"""The beginnings of the paths that Azure has below a deployment."""

_ANTHROPIC = (
    Endpoint("POST", "messages", "model", "anthropic", "anthropic"),
    Endpoint("POST", "messages/count_tokens", "data", "anthropic"),
    Endpoint("POST", "messages/batches", "data", "batch", "anthropic", creates_object=True),
    Endpoint("GET", "messages/batches", "data", lists_objects=True),
    Endpoint("GET", "messages/batches/{id}", "data", has_object_id=True),
    Endpoint("DELETE", "messages/batches/{id}", "data", has_object_id=True),
    Endpoint("POST", "messages/batches/{id}/cancel", "data", has_object_id=True),
    Endpoint("GET", "messages/batches/{id}/results", "results", has_object_id=True),
)

_GOOGLE = (
    Endpoint("POST", "{name}:generateContent", "model", "gemini", "gemini"),
    Endpoint("POST", "{name}:streamGenerateContent", "model", "gemini", "gemini"),
    Endpoint("POST", "{name}:countTokens", "data", "gemini_counting"),
    Endpoint("POST", "{name}:embedContent", "data", "gemini_embeddings"),
    Endpoint("POST", "{name}:batchEmbedContents", "data", "gemini_embeddings"),
)

_OLLAMA = (
    Endpoint("POST", "/api/chat", "model", "ollama", "ollama"),
    Endpoint("POST", "/api/generate", "model", "ollama", "ollama"),
    Endpoint("POST", "/api/embed", "data", "openai_embeddings"),
    Endpoint("POST", "/api/embeddings", "data", "ollama_embeddings"),
    Endpoint("POST", "/api/show", "data", "ollama_model"),
    Endpoint("GET", "/api/tags", "data"),
    Endpoint("GET", "/api/ps", "data"),
    Endpoint("GET", "/api/version", "data"),
)


def _upstream_prefix(base: str) -> str:
    """Return the version that is missing in the paths of a client whose base URL has none."""
    return "/v1" if base == "/" else ""


_SHARED_PATHS = ("/v1/models", "/v1/files")
"""Paths that the APIs of OpenAI and Anthropic share."""

_VERTEX = "/{version}/projects/{project}/locations/{region}/publishers/{owner}/models/"


def _openai() -> Iterator[Endpoint]:
    for each in _OPENAI:
        documented = f"/v1/{each.path}"
        for base in _BASES:
            auth = "api-key" if base == "/openai/" else each.auth
            yield replace(
                each,
                path=base + each.path,
                auth=auth,
                upstream_prefix=_upstream_prefix(base),
                documented_path=documented,
            )
        if each.method == "POST" and each.path.startswith(_INFERENCE):
            path = f"/openai/deployments/{{name}}/{each.path}"
            yield replace(each, path=path, auth="api-key", documented_path=documented)


def _anthropic() -> Iterator[Endpoint]:
    for each in _ANTHROPIC:
        documented = f"/v1/{each.path}"
        made = replace(each, errors=ANTHROPIC, auth="x-api-key", documented_path=documented)
        for base in ("/v1/", "/"):
            yield replace(made, path=base + each.path, upstream_prefix=_upstream_prefix(base))


def _google() -> Iterator[Endpoint]:
    for each in _GOOGLE:
        made = replace(each, errors=GOOGLE, auth="x-goog-api-key")
        for kind in ("models", "tunedModels"):
            yield replace(made, path=f"/{{version}}/{kind}/{each.path}")
        yield replace(made, path=_VERTEX + each.path, auth="authorization")
    for path in ("/v1beta/models", "/v1alpha/models"):
        for end in ("", "/{name}"):
            yield Endpoint("GET", path + end, "data", errors=GOOGLE, auth="x-goog-api-key")


ENDPOINTS: Sequence[Endpoint] = (
    *_openai(),
    *_anthropic(),
    *_google(),
    *(replace(each, errors=OLLAMA) for each in _OLLAMA),
    Endpoint("POST", "/v2/chat", "model", "cohere", "cohere", errors=COHERE),
)
"""All endpoints. The first match counts."""

UNKNOWN = Endpoint("", "", "data")
"""The endpoint of a path that is not in the table."""

_UNKNOWN_GUARDED = Endpoint("", "", "unknown", "unknown")
"""The endpoint of such a path if the proxy guards it (`other: guard`)."""

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
"""The methods that are forwarded to an unknown path; others are meant for a proxy."""

_AUTH = {ANTHROPIC: "x-api-key", GOOGLE: "x-goog-api-key"}


def errors_of(path: str, headers: Iterable[tuple[bytes, bytes]]) -> Errors:
    """Return how the API of an unknown endpoint reports errors."""
    if any(name == b"anthropic-version" for name, _ in headers):
        return ANTHROPIC
    begins = {"/api/": OLLAMA, "/v1beta/": GOOGLE, "/v1alpha/": GOOGLE}
    return next((each for start, each in begins.items() if path.startswith(start)), OPENAI)


class EndpointMatch(NamedTuple):
    """The endpoint of a request, and the names in its path."""

    endpoint: Endpoint
    names: Mapping[str, str]


_NO_MATCH = EndpointMatch(UNKNOWN, {})


@dataclass(frozen=True)
class EndpointTable:
    """The endpoints of one proxy. Those added by routes come first."""

    added: Sequence[Endpoint] = ()
    _plain: Mapping[tuple[str, str], Endpoint] = field(init=False)
    _named: Sequence[Endpoint] = field(init=False)

    def __post_init__(self) -> None:
        every = (*self.added, *ENDPOINTS)
        plain = {(each.method, each.path): each for each in reversed(every) if "{" not in each.path}
        object.__setattr__(self, "_plain", plain)
        object.__setattr__(self, "_named", [each for each in every if "{" in each.path])

    def for_client(
        self, found: EndpointMatch, headers: Iterable[tuple[bytes, bytes]]
    ) -> EndpointMatch:
        """Return Anthropic's endpoint for a shared path if the client is Anthropic's."""
        endpoint = found.endpoint
        if endpoint.documented_path.startswith(_SHARED_PATHS) and any(
            n == b"anthropic-version" for n, _ in headers
        ):
            return found._replace(endpoint=replace(endpoint, errors=ANTHROPIC, auth="x-api-key"))
        return found

    def find(self, method: str, path: str) -> EndpointMatch:
        """Return the endpoint of a request by its method, in capitals, and its decoded path."""
        plain = self._plain.get((method, path))
        if plain is not None:
            return EndpointMatch(plain, {})
        for each in self._named:
            found = each.pattern.fullmatch(path) if each.method == method else None
            if found is not None:
                return EndpointMatch(each, found.groupdict())
        return _NO_MATCH

    def methods(self, path: str) -> Sequence[str]:
        """Return the methods of a known path, in order."""
        known = (each for each in _METHODS if self.find(each, path).endpoint is not UNKNOWN)
        return sorted(known)

    def asks_model(self, method: str, path: str) -> bool:
        """Return whether a request asks a model, also one to a path with another base."""
        known = self.find(method, path).endpoint.asks_model
        return known or self.find_by_suffix(method, path).endpoint is not UNKNOWN

    def find_by_suffix(self, method: str, path: str) -> EndpointMatch:
        """Return the endpoint of a path with another base, such as `/api/v1/chat/completions`.

        Only endpoints that ask a model are found, not those about stored objects.
        """
        found = self._suffix_match(path, method)
        if not found.endpoint.asks_model:
            return _NO_MATCH
        return found._replace(endpoint=replace(found.endpoint, upstream_prefix=""))

    def for_unknown_path(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> EndpointMatch:
        """Return an endpoint for an unknown path, which is guarded by its content.

        The route of a known path with the same ending applies to it. Returns UNKNOWN if an upstream
        might read it as another path, for which another route applies.
        """
        like = self._suffix_match(path).endpoint
        if method not in _METHODS or (like is UNKNOWN and self.may_be_disguised(path)):
            return _NO_MATCH
        errors = errors_of(path, headers)
        auth = _AUTH.get(errors, _UNKNOWN_GUARDED.auth)
        documented = like.documented_path or like.path
        endpoint = replace(_UNKNOWN_GUARDED, path=path, errors=errors, auth=auth)
        return EndpointMatch(replace(endpoint, documented_path=documented), {})

    def _suffix_match(self, path: str, method: str | None = None) -> EndpointMatch:
        """Return the endpoint whose path is exactly the end of `path`; UNKNOWN if there is none.

        Also returns UNKNOWN if a longer end is the path of an endpoint in another spelling.
        """
        if not _PLAIN.fullmatch(path):
            return _NO_MATCH
        among = [each for each in (*self.added, *ENDPOINTS) if method in (None, each.method)]
        lower = {_lower(each.path) for each in among}
        names = path[1:].split("/")
        for end in _ends(names):
            if any(each.fullmatch(end.casefold()) for each in lower):
                found = ((each, each.pattern.fullmatch(end)) for each in among)
                exact = next(((each, m) for each, m in found if m is not None), None)
                return EndpointMatch(exact[0], exact[1].groupdict()) if exact else _NO_MATCH
        return _NO_MATCH

    def may_be_disguised(self, path: str) -> bool:
        """Return whether an upstream might read an unknown path as that of a known endpoint.

        This includes a path with another base (`/api/v1/chat/completions`), and one that does not
        begin with a slash, which may name another host.
        """
        if not path.isprintable() or path[:1] != "/":
            return True
        # Some servers drop parameters before they decode a path, some after that.
        return any(self._is_disguised(_decoded(each)) for each in {path, _dropped(path)})

    def _is_disguised(self, path: str) -> bool:
        plain = unicodedata.normalize("NFKC", path)
        named = [_PARAMETERS.split(segment)[0].strip() for segment in _SEPARATOR.split(plain)]
        if not plain.isprintable() or not {".", ".."}.isdisjoint(named):
            return True
        if "\N{REPLACEMENT CHARACTER}" in plain:  # not UTF-8, but an upstream may decode it
            return True
        names = [name for name in (each.strip(_TRAILING).casefold() for each in named) if name]
        return any(each.fullmatch(end) for end in _ends(names) for each in self._lower)

    @cached_property
    def _lower(self) -> Sequence[re.Pattern[str]]:
        paths = dict.fromkeys(each.path for each in (*self.added, *ENDPOINTS))
        return [_compiled(path.lower(), _LENIENT_WILDCARDS) for path in paths]


def route_paths() -> Iterable[str]:
    """Return the paths of known endpoints by which a route may name them."""
    return dict.fromkeys(path for each in ENDPOINTS for path in each.route_paths)


def is_route_path(path: str) -> bool:
    """Return whether a route for a path applies to requests of a known endpoint."""
    table = EndpointTable()
    by_suffix = table.find_by_suffix("POST", path).endpoint is not UNKNOWN
    return bool(table.methods(path)) or by_suffix or path in route_paths()


def _dropped(path: str) -> str:
    """Return a path without the parameters of its segments (`;name=value`)."""
    return "/".join(name.partition(";")[0] for name in path.split("/"))


def _decoded(path: str) -> str:
    """Return a path without percent-escapes, even nested ones."""
    while (once := unquote(path)) != path:
        path = once
    return path


def _ends(names: Sequence[str]) -> list[str]:
    """Return the ends of a path, the longest first. The last name alone would be ambiguous."""
    return ["/" + "/".join(names[at:]) for at in range(max(1, len(names) - 1))]


@cache
def _lower(template: str) -> re.Pattern[str]:
    """Return a pattern for the paths that a case-insensitive upstream takes for a template's."""
    return _compiled(template.lower(), _LENIENT_SUFFIX_WILDCARDS)


_PLAIN = re.compile(rf"(?:/{_SEGMENT})+", re.ASCII)
"""A path that all servers read in the same way."""


_SEPARATOR = re.compile(r"[/\\]")
_TRAILING = " .%"
"""Characters that some servers drop at the end of a segment."""

_PARAMETERS = re.compile("[;?#]")
