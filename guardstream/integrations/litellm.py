"""A guardrail of LiteLLM's proxy: prompts, streams and whole answers are guarded by policies.

    guardrails:
      - guardrail_name: guardstream
        litellm_params:
          guardrail: guardstream.integrations.litellm.Guardrail
          mode: [pre_call, post_call]
          default_on: true
          policy: policy.yaml

https://docs.litellm.ai/docs/proxy/guardrails/custom_guardrail. What a rule finds is in LiteLLM's
log of guardrails, without the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guardstream.events import Finding, FinishReason, counted
from guardstream.guard import Guard
from guardstream.http.body import aguard_body
from guardstream.http.request import RefusedError, checked_fields

try:
    from fastapi import HTTPException
    from litellm import (
        EmbeddingResponse,
        ModelResponse,
        TextCompletionResponse,
    )
    from litellm.integrations.custom_guardrail import CustomGuardrail
    from litellm.types.guardrails import GuardrailEventHooks
    from litellm.types.llms.openai import ResponsesAPIResponse
except ModuleNotFoundError as error:  # pragma: no cover
    raise ImportError(f"the guardrail needs {error.name}: pip install 'litellm[proxy]'") from error

if TYPE_CHECKING:
    from guardstream.stream.result import Result

__all__ = ["Guardrail"]

_REQUESTS = {
    **dict.fromkeys(("completion", "acompletion"), "openai_chat"),
    **dict.fromkeys(("text_completion", "atext_completion"), "openai_completions"),
    **dict.fromkeys(("responses", "aresponses"), "openai_responses"),
    **dict.fromkeys(("embeddings", "embedding", "aembedding"), "openai_embeddings"),
    **dict.fromkeys(("image_generation", "aimage_generation"), "openai_images"),
    **dict.fromkeys(("moderation", "amoderation"), "openai_moderations"),
    **dict.fromkeys(("speech", "aspeech", "audio_speech"), "openai_speech"),
    "anthropic_messages": "anthropic",
}
"""The formats of requests, by LiteLLM's types of calls; in others every string is the user's."""

_ANSWERS: Mapping[type, str] = {
    ModelResponse: "openai_chat",
    TextCompletionResponse: "openai_completions",
    ResponsesAPIResponse: "openai_responses",
    dict: "anthropic",
}
"""The formats of whole answers, by their classes."""


class Guardrail(CustomGuardrail):  # type: ignore[misc]
    """A guardrail for `litellm_params: {guardrail: guardstream.integrations.litellm.Guardrail}`.

    - `policy`: the path of a policy, or a pack.
    - `allow_code`: the program's own code that policies may use, as for `Guard.load`.

    Other arguments are LiteLLM's. A key or a request that names another guardrail has that one's
    policy. A prompt that a rule blocks is answered with 400; an answer ends where a rule blocks
    it. Raises PolicyError for an invalid policy.
    """

    def __init__(
        self,
        policy: str = "guardstream/chat",
        allow_code: Sequence[str] = (),
        **given: Any,
    ) -> None:
        super().__init__(**given)
        self._guard = Guard.load(policy, allow_code=allow_code)

    async def async_pre_call_hook(
        self,
        user_api_key_dict: Any,  # noqa: ARG002
        cache: Any,  # noqa: ARG002
        data: dict[str, Any],
        call_type: str,
    ) -> dict[str, Any]:
        """Judge a request by the section `input` of the policy; HTTPException if it is refused."""
        if not self.should_run_guardrail(data=data, event_type=GuardrailEventHooks.pre_call):
            return data
        guard = (await self._guard.apinned()).with_rules_only()
        if guard.policy.input is None:
            return data
        fields = {name: data[name] for name in _sent(data)}
        found: list[Finding] = []
        try:
            checked = checked_fields(guard, _REQUESTS.get(call_type, ""), fields, found)
        except RefusedError as error:
            self._log(data, found, "content_filter")
            raise _refusal(error) from error
        if found:
            self._log(data, found, "stop")
        if checked is fields:
            return data
        return {name: value for name, value in data.items() if name not in fields} | checked

    async def async_post_call_success_hook(
        self,
        data: dict[str, Any],
        user_api_key_dict: Any,  # noqa: ARG002
        response: Any,
    ) -> Any:
        """Guard a whole answer. TypeError for one of a kind that cannot be guarded."""
        event = GuardrailEventHooks.post_call
        if isinstance(response, EmbeddingResponse) or not self.should_run_guardrail(data, event):
            return response
        format = next((_ANSWERS[kind] for kind in _ANSWERS if isinstance(response, kind)), None)
        if format is None:
            raise TypeError(f"an answer of the type {type(response).__qualname__!r} is not guarded")
        whole = response if format == "anthropic" else response.model_dump(mode="json")
        body, result = await aguard_body(self._guard, format, whole)
        self._log_result(data, result)
        if body is whole:
            return response
        return body if format == "anthropic" else type(response)(**body)

    async def async_post_call_streaming_iterator_hook(
        self,
        user_api_key_dict: Any,  # noqa: ARG002
        response: Any,
        request_data: dict[str, Any],
    ) -> AsyncGenerator[Any]:
        """Guard a stream, whatever its API; it is closed when the client leaves."""
        if not self.should_run_guardrail(request_data, GuardrailEventHooks.post_call):
            async for chunk in response:
                yield chunk
            return
        async with self._guard.wrap(response) as stream:
            try:
                async for chunk in stream:
                    yield chunk
            finally:
                self._log_result(request_data, stream.result)

    def _log_result(self, data: dict[str, Any], result: Result) -> None:
        self._log(data, result.findings, result.finish)

    def _log(
        self, data: dict[str, Any], findings: Iterable[Finding], finish: FinishReason | None
    ) -> None:
        """Add what was found to LiteLLM's log, without the text."""
        found = list(counted(findings))
        told = [{"rule": each.rule, "action": each.action, "kind": each.kind} for each in found]
        masked = Counter(each.rule for each in found if each.action == "mask")
        blocked = finish in ("content_filter", "error")
        self.add_standard_logging_guardrail_information_to_request_data(
            guardrail_json_response={"finish": finish, "findings": told},
            request_data=data,
            guardrail_status="guardrail_intervened" if blocked else "success",
            masked_entity_count=dict(masked),
            guardrail_provider="guardstream",
        )


def _sent(data: Mapping[str, Any]) -> Iterable[str]:
    """Return the fields of a request that its client has sent; LiteLLM adds others."""
    body = (data.get("proxy_server_request") or {}).get("body")
    own = (name for name in data if not name.startswith("litellm_"))
    names = body if isinstance(body, Mapping) else own
    return [name for name in names if name in data and name not in _OWN]


_OWN = frozenset({"metadata", "litellm_metadata", "proxy_server_request", "secret_fields"})
"""What LiteLLM itself writes of a request: the model does not read it."""


def _refusal(error: RefusedError) -> Exception:
    about = {"message": error.message, "code": error.code, "rule": error.rule}
    refused: Exception = HTTPException(error.status, {"error": about})
    return refused
