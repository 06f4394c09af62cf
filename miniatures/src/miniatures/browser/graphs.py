"""Writes a module as an ONNX file and rounds its weights to eight bits. Knows names and shapes, no model."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from miniatures.browser.attention import Past

OPSET = 20


def cache_names(layers: int, prefix: str) -> list[str]:
    """Return the names of a cache's tensors in the order of the graph."""
    return [f"{prefix}.{layer}.{part}" for layer in range(layers) for part in ("key", "value")]


def empty_cache(layers: int, heads: int, size: int, length: int = 0) -> list[Past]:
    """Return a cache of `length` words, all nought."""
    nought = torch.zeros(1, heads, length, size)
    return [(nought.clone(), nought.clone()) for _ in range(layers)]


def write(
    path: Path,
    module: nn.Module,
    inputs: Mapping[str, Any],
    *,
    outputs: Sequence[str],
    free: Mapping[str, Mapping[int, str]],
) -> None:
    """Write `module` to `path` with its matrices in eight bits, one scale for each column.

    Args:
        inputs: by the graph's names; the last may be a cache, whose tensors are named `past_key_values.N.key`.
        free: the axes of inputs that may have any length, by name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    names, shapes = _named(inputs, free)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        whole, prepared = Path(folder) / "whole.onnx", Path(folder) / "prepared.onnx"
        with torch.no_grad():
            torch.onnx.export(
                module.eval(), tuple(inputs.values()), whole, input_names=names, output_names=list(outputs),
                opset_version=OPSET, dynamic_shapes=shapes, external_data=False, verbose=False, dynamo=True,
            )  # fmt: skip
        quant_pre_process(whole, prepared, skip_symbolic_shape=True)
        quantize_dynamic(prepared, path, per_channel=True, weight_type=QuantType.QInt8)
    _tidy(path)


def _named(
    inputs: Mapping[str, Any], free: Mapping[str, Mapping[int, str]]
) -> tuple[list[str], tuple[Any, ...]]:
    names: list[str] = []
    shapes: list[Any] = []
    for name, value in inputs.items():
        axes = dict.fromkeys(free.get(name, {}), torch.export.Dim.DYNAMIC)
        if isinstance(value, list):
            names += cache_names(len(value), name)
            shapes.append([(dict(axes), dict(axes)) for _ in value])
        else:
            names.append(name)
            shapes.append(axes)
    return names, tuple(shapes)


def _tidy(path: Path) -> None:
    """Drop what says where and by whom the file was made, so that the same model gives the same bytes."""
    model = onnx.load(path)
    model.doc_string = model.graph.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)
