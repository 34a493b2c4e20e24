"""A check with Presidio's analyzer, such as for names and places; needs the extra `presidio`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from anyio import to_thread

from guardstream.gate.judging import GateError
from guardstream.gate.verdict import ALLOW, Context, Verdict


class Presidio:
    """Blocks a text with one of the entities; the finding names the one with the highest score."""

    def __init__(
        self,
        entities: Collection[str] = ("PERSON", "LOCATION"),
        language: str = "en",
        threshold: float = 0.5,
        analyzer: Any = None,
    ) -> None:
        """`analyzer` is an AnalyzerEngine; None creates one with Presidio's defaults."""
        if analyzer is None:
            try:
                from presidio_analyzer import (  # type: ignore[import-not-found, unused-ignore]
                    AnalyzerEngine,
                )
            except ImportError as error:
                raise GateError(
                    "presidio is not installed: pip install 'guardstream[presidio]'"
                ) from error
            try:
                analyzer = AnalyzerEngine()
            except (Exception, SystemExit) as error:  # spaCy's download exits
                raise GateError(
                    "presidio's analyzer has no model: run python -m spacy download "
                    "en_core_web_lg, or give an analyzer"
                ) from error
        self._analyzer = analyzer
        self._entities = list(entities)
        self._language = language
        self._threshold = threshold

    async def __call__(self, text: str, context: Context) -> Verdict:
        """Judge a text; the text before it is analysed with it as context."""
        found = await to_thread.run_sync(
            self._analyze, context.before + text, abandon_on_cancel=True
        )
        new = [each for each in found if each.end > len(context.before)]
        if not new:
            return ALLOW
        return Verdict("block", rule=max(new, key=lambda each: each.score).entity_type)

    def _analyze(self, text: str) -> list[Any]:
        return list(
            self._analyzer.analyze(
                text=text,
                entities=self._entities,
                language=self._language,
                score_threshold=self._threshold,
            )
        )
