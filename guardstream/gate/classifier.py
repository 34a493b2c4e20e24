"""A check with a local classifier; the extra `onnx` has the runtime.

The folder of the model is the output of `optimum-cli export onnx --task text-classification` for a
Transformers model: https://huggingface.co/docs/optimum-onnx/onnx/usage_guides/export_a_model
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from anyio import to_thread

from guardstream.gate.judging import GateError
from guardstream.gate.verdict import ALLOW, Context, Verdict

_INPUTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""The inputs of such models, and the attributes of a tokenizer's encoding that they take."""


class Classifier:
    """Blocks a text with one of the labels; the finding names the one with the highest score.

    A text longer than the model's maximum is read in pieces that share `overlap` tokens; the
    highest score of a piece counts.
    """

    def __init__(
        self,
        model: str,
        labels: Collection[str],
        threshold: float = 0.5,
        max_tokens: int = 512,
        overlap: int = 64,
    ) -> None:
        """Load a model that scores each of its labels.

        - `model`: a folder with `model.onnx`, `tokenizer.json`, and `config.json`, whose `id2label`
          names the model's outputs. They become probabilities by softmax, or each by the logistic
          function if `problem_type` is `multi_label_classification`.
        - `labels`: the labels that block.
        - `threshold`: the minimum score that blocks, from 0 to 1.
        - `max_tokens`, `overlap`: how many tokens are read at once, and how many of them are read
          again with the next piece.

        Raises GateError for a file that is missing or invalid.
        """
        if not 0 <= threshold <= 1:
            raise GateError(f"'threshold' needs a score from 0 to 1, not {threshold}")
        if not 0 <= overlap < max_tokens - 2:
            raise GateError("'max_tokens' must exceed 'overlap', and two tokens around each text")
        folder = Path(model)
        config = _config(folder)
        self._names = _names(config, folder)
        self._counted = [index for index, name in self._names.items() if name in labels]
        missing = sorted(set(labels) - set(self._names.values()))
        if missing or not self._counted:
            known = ", ".join(self._names.values())
            raise GateError(f"labels of {folder / 'config.json'} are {known}, not {missing}")
        several = config.get("problem_type") == "multi_label_classification"
        self._apart = several or len(self._names) == 1
        self._threshold = threshold
        self._tokenizer = _tokenizer(folder, max_tokens, overlap)
        self._session = _session(folder)
        self._inputs = [each.name for each in self._session.get_inputs()]
        unknown = sorted(set(self._inputs) - set(_INPUTS))
        if unknown:
            known = ", ".join(_INPUTS)
            raise GateError(f"inputs of {folder / 'model.onnx'} are {unknown}; known are {known}")

    async def __call__(self, text: str, context: Context) -> Verdict:
        """Judge a text and the text before it; GateError for outputs that are not scores."""
        scores = await to_thread.run_sync(self._scores, context.before + text)
        best = max(self._counted, key=lambda index: scores[index])
        if scores[best] < self._threshold:
            return ALLOW
        return Verdict("block", rule=self._names[best])

    def _scores(self, text: str) -> list[float]:
        """Return the highest score of each label."""
        import numpy

        whole = self._tokenizer.encode(text)
        highest = numpy.zeros(len(self._names))
        for piece in (whole, *whole.overflowing):
            rows = {
                name: numpy.array([getattr(piece, _INPUTS[name])], dtype=numpy.int64)
                for name in self._inputs
            }
            logits = numpy.asarray(self._session.run(None, rows)[0], dtype=numpy.float64)
            if logits.shape != (1, len(self._names)) or not numpy.isfinite(logits).all():
                raise GateError("the model gave no score for each label")
            powers = numpy.exp(logits[0] - logits[0].max())
            scores = 1 / (1 + numpy.exp(-logits[0])) if self._apart else powers / powers.sum()
            highest = numpy.maximum(highest, scores)
        return [float(score) for score in highest]


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise GateError(
            f"{path} cannot be read: {reason}; 'model' is the folder of an exported model"
        ) from error
    except ValueError as error:
        raise GateError(f"{path} is not JSON: export the model again") from error
    return found if isinstance(found, dict) else {}


def _names(config: dict[str, Any], folder: Path) -> dict[int, str]:
    names = config.get("id2label")
    try:
        found = {int(index): str(name) for index, name in names.items()}  # type: ignore[union-attr]
    except (AttributeError, ValueError):
        found = {}
    if not found or sorted(found) != list(range(len(found))):
        raise GateError(f"{folder / 'config.json'} has no id2label, a name for each output from 0")
    return found


def _tokenizer(folder: Path, max_tokens: int, overlap: int) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise GateError("tokenizers is not installed: pip install 'guardstream[onnx]'") from error
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises Exception itself
        raise GateError(f"{path} is not a tokenizer: {type(error).__name__}") from error
    tokenizer.enable_truncation(max_tokens, stride=overlap)
    tokenizer.no_padding()
    return tokenizer


def _session(folder: Path) -> Any:
    try:
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise GateError("onnxruntime is not installed: pip install 'guardstream[onnx]'") from error
    path = folder / "model.onnx"
    if not path.is_file():
        raise GateError(f"{path} does not exist")
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise GateError(f"{path} is not a model: {type(error).__name__}") from error
