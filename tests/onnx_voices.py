"""Voices of the real ONNX formats with random weights and a few kilobytes: same inputs and outputs, no meaning."""

from __future__ import annotations

import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper

WIDE = 256
"""Samples that a tiny voice makes for each id at normal speed."""
KOKORO_IDS = {
    name: place
    for place, name in enumerate('$;:,.!?—… "()“”abcdefghijklmnopqrstuvwxyzʤʧɹɲəɛɔæɡŋʊˈˌ\u0303AIOWY')
}
PIPER_IDS = {
    name: [place] for place, name in enumerate("_^$ !,.?abcdefghijklmnopqrstuvwxyzɲəɛɔæɡŋʊʃʒɾˈˌ\u0303ː")
}


def kokoro() -> dict[str, bytes]:
    """A repository as `onnx-community/Kokoro-82M-v1.0-ONNX`, with two voices that can speak here and one that cannot."""
    inputs = [("input_ids", TensorProto.INT64, [1, "n"]), ("style", TensorProto.FLOAT, [1, 256]),
              ("speed", TensorProto.FLOAT, [1])]  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["made"]),
        helper.make_node("ReduceMean", ["style"], ["mean"], keepdims=0),
        helper.make_node("Add", ["made", "mean"], ["moved"]),
        *_cut("moved", "speed", slower=False),
    ]
    graph = _model("waveform", inputs, nodes, len(KOKORO_IDS), "one")
    styles = np.random.default_rng(1).normal(size=(3, 510, 256)).astype("<f4") + np.array(
        [[[-1]], [[0]], [[1]]]
    )
    voices = dict(zip(("pf_dora", "af_heart", "jf_alpha"), styles.astype("<f4"), strict=True))
    return {
        "config.json": b'{"model_type": "style_text_to_speech_2"}',
        "tokenizer.json": json.dumps({"model": {"vocab": KOKORO_IDS}}).encode(),
        "onnx/model.onnx": graph, "onnx/model_quantized.onnx": graph,
        **{f"voices/{name}.bin": style.tobytes() for name, style in voices.items()},
    }  # fmt: skip


def piper(speakers: int = 1, **told: object) -> tuple[bytes, bytes]:
    """The two files of a voice: graph and settings."""
    inputs = [("input", TensorProto.INT64, [1, "n"]), ("input_lengths", TensorProto.INT64, [1]),
              ("scales", TensorProto.FLOAT, [3])]  # fmt: skip
    nodes = [helper.make_node("Gather", ["table", "input"], ["made"])]
    last = "made"
    if speakers > 1:
        inputs.append(("sid", TensorProto.INT64, [1]))
        nodes += [helper.make_node("Cast", ["sid"], ["who"], to=TensorProto.FLOAT),
                  helper.make_node("Add", ["made", "who"], ["moved"])]  # fmt: skip
        last = "moved"
    nodes += [helper.make_node("Gather", ["scales", "second"], ["long"]), *_cut(last, "long", slower=True)]
    settings = {
        "audio": {"sample_rate": 22050}, "espeak": {"voice": "pt-br"}, "language": {"code": "pt_BR"},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8}, "phoneme_type": "espeak",
        "phoneme_id_map": PIPER_IDS, "num_speakers": speakers,
        "speaker_id_map": {f"s{i}": i for i in range(speakers)} if speakers > 1 else {}, **told,
    }  # fmt: skip
    return _model("output", inputs, nodes, len(PIPER_IDS), "four"), json.dumps(settings).encode()


def _cut(made: str, by: str, *, slower: bool) -> list:
    """Nodes that keep half of the samples at normal speed, more or less of them at another."""
    return [
        helper.make_node("Tanh", [made], ["soft"]),
        helper.make_node("Reshape", ["soft", "one"], ["all"]),
        helper.make_node("Size", ["all"], ["count"]),
        helper.make_node("Cast", ["count"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["number", "half"], ["usual"]),
        helper.make_node("Mul" if slower else "Div", ["usual", by], ["kept"]),
        helper.make_node("Cast", ["kept"], ["ends"], to=TensorProto.INT64),
        helper.make_node("Slice", ["all", "zero", "ends"], ["sound"]),
    ]


def _model(output: str, inputs: list, nodes: list, ids: int, shape: str) -> bytes:
    rows = np.random.default_rng(0).normal(size=(ids, 2 * WIDE)).astype(np.float32)
    constants = {
        "table": rows, "half": np.array([0.5], np.float32), "zero": np.array([0], np.int64),
        "second": np.array([1], np.int64), "one": np.array([-1], np.int64), "four": np.array([1, 1, 1, -1], np.int64),
    }  # fmt: skip
    nodes.append(helper.make_node("Reshape", ["sound", shape], [output]))
    graph = helper.make_graph(
        nodes, "voice", [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
