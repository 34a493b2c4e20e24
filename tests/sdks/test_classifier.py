"""A classifier that runs here, with a small model that is made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from guardstream import Guard, Policy
from guardstream.gate import Context, GateError
from guardstream.gate.classifier import Classifier
from tests.support.optional import optional

onnx = optional("onnx")
TensorProto = optional("onnx", "TensorProto")
helper = optional("onnx.helper")
numpy_helper = optional("onnx.numpy_helper")

WORDS = {"[UNK]": 0, "fine": 1, "vile": 2, "rude": 3}
LABELS = {"0": "ok", "1": "vile", "2": "rude"}
HERE = Context(0, "text", 0, 0, "")

pytestmark = pytest.mark.anyio


def make(folder: Path, **config: Any) -> Path:
    """A model that looks up a row of three logits for each token, and adds the rows."""
    folder.mkdir(exist_ok=True)
    table = numpy.array([[0, 0, 0], [0.5, 0, 0], [0, 5, 0], [0, 0, 5]], dtype=numpy.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
            helper.make_node("ReduceSum", ["rows", "axis"], ["logits"], keepdims=0),
        ],
        "words",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(numpy.array([1], dtype=numpy.int64), "axis"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    text = json.dumps({"id2label": LABELS, **config})
    (folder / "config.json").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "before", "options", "rule"),
    [
        ("all is fine", "", {}, None),
        ("how vile", "", {}, "vile"),
        ("rude, rude, vile", "", {}, "rude"),
        ("how rude", "", {"labels": ["vile"]}, None),
        ("it is", "how vile ", {}, "vile"),
        ("vile rude", "", {"threshold": 0.6}, None),  # softmax: each is as likely as the other
        ("fine " * 30 + "vile" + " fine" * 30, "", {"max_tokens": 8, "overlap": 2}, "vile"),
        ("fine " * 30 + "vile" + " fine" * 30, "", {}, None),
    ],
)
async def test_a_label_that_counts_blocks(
    tmp_path: Path, text: str, before: str, options: dict[str, Any], rule: str | None
) -> None:
    classifier = Classifier(str(make(tmp_path)), **{"labels": ["vile", "rude"], **options})
    verdict = await classifier(text, Context(0, "text", 0, 0, before))
    assert (verdict.action, verdict.rule) == (("block", rule) if rule else ("allow", "gate"))


async def test_labels_are_scored_apart_where_several_may_hold(tmp_path: Path) -> None:
    folder = make(tmp_path, problem_type="multi_label_classification")
    classifier = Classifier(str(folder), ["vile", "rude"], threshold=0.9)
    assert (await classifier("vile rude", HERE)).action == "block"
    assert (await classifier("fine", HERE)).action == "allow"


async def test_a_policy_names_the_model(tmp_path: Path) -> None:
    folder = make(tmp_path / "model")
    options = json.dumps({"model": str(folder), "labels": ["vile"]})
    text = f"gate: [{{use: classifier, action: block, options: {options}}}]"
    guard = Guard(Policy.parse(text))

    async def answer() -> Any:
        for chunk in ("All is fine. ", "How vi", "le. Never shown."):
            yield chunk

    async with guard.wrap(answer()) as stream:
        assert [part async for part in stream] == ["All is fine. "]
    assert stream.finish == "content_filter"


def spoil(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("spoiled", "options", "message"),
    [
        (("config.json", "no JSON"), {}, r"config\.json is not JSON: export the model"),
        (("config.json", "{}"), {}, "has no id2label"),
        (("config.json", '{"id2label": {"1": "vile"}}'), {}, "has no id2label"),
        (("tokenizer.json", "{}"), {}, r"tokenizer\.json is not a tokenizer"),
        (("model.onnx", "none"), {}, r"model\.onnx is not a model"),
        (None, {"labels": ["bad"]}, r"are ok, vile, rude, not \['bad'\]"),
        (None, {"labels": []}, "are ok, vile, rude"),
        (None, {"threshold": 2}, "from 0 to 1"),
        (None, {"max_tokens": 8, "overlap": 8}, "'max_tokens' must exceed 'overlap'"),
    ],
)
async def test_what_is_no_model_is_refused_when_it_is_made(
    tmp_path: Path, spoiled: tuple[str, str] | None, options: dict[str, Any], message: str
) -> None:
    folder = make(tmp_path)
    if spoiled:
        spoil(folder, *spoiled)
    with pytest.raises(GateError, match=message):
        Classifier(str(folder), **{"labels": ["vile"], **options})


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        GateError, match=r"config\.json cannot be read: no such file or .*; 'model' is"
    ):
        Classifier(str(tmp_path / "none"), ["vile"])
