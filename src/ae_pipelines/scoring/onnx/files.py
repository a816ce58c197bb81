"""Modules as ONNX files, and the outputs of such files."""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

import ae_pipelines
from ae_pipelines.base.errors import InputError
from ae_pipelines.scoring.onnx.onnx_contract import Value

OPSET = 20
BATCH = "batch"
ROWS_AT_ONCE = 128
NOISY = ("torch.onnx", "torch.export", "torch._guards", "onnxscript", "onnx_ir")
"""Loggers that report on the exporter's own progress."""


def onnx_of(
    module: nn.Module, example: tuple[Tensor, ...], takes: Sequence[str], gives: Sequence[str], name: str
) -> onnx.ModelProto:
    """`module` with named inputs and outputs and any batch size; the example has several rows.

    Raises `InputError` if an operation has no counterpart in ONNX, or if the batch size cannot vary.
    """
    rows = torch.export.Dim(BATCH)
    try:
        with _quietly(), torch.no_grad():
            # strict: without it, len() of a tensor would fix the batch size
            program = torch.export.export(
                module.eval(), example, dynamic_shapes=tuple({0: rows} for _ in example), strict=True
            )
            exported = torch.onnx.export(
                program, (), dynamo=True, input_names=takes, output_names=gives, opset_version=OPSET, verbose=False
            )
    except RuntimeError as error:
        raise InputError(
            f"{name}.onnx cannot be made: {_reason(error)}. Choose a method, net or model without it, or leave the "
            "stage export out"
        ) from error
    model = cast(torch.onnx.ONNXProgram, exported).model_proto
    _clean(model, name)
    return model


def _clean(model: onnx.ModelProto, name: str) -> None:
    """Removes the locations of source code, so that the same model gives the same file wherever it is made."""
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    model.producer_name, model.producer_version = "ae_pipelines", ae_pipelines.__version__
    model.graph.name, model.graph.doc_string, model.doc_string = name, "", ""
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH


def note(model: onnx.ModelProto, **properties: Any) -> None:
    """Write these, as JSON unless they are text, into the model's own metadata."""
    for key, value in properties.items():
        text = value if isinstance(value, str) else json.dumps(value)
        model.metadata_props.add(key=key, value=text)


def values(of: Sequence[onnx.ValueInfoProto]) -> tuple[Value, ...]:
    """Inputs or outputs as the contract lists them."""
    return tuple(Value(name=value.name, dtype=_dtype(value), shape=_shape(value)) for value in of)


def _dtype(value: onnx.ValueInfoProto) -> str:
    return str(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


def _shape(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    return tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim)


def answers(content: bytes, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A file's outputs by name; run on one row, on seven and on the rest, so that every batch size is shown to work."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    rows = len(next(iter(given.values())))
    ends = [0, *(end for end in (1, 8, *range(ROWS_AT_ONCE, rows, ROWS_AT_ONCE)) if end < rows), rows]
    parts = [
        session.run(names, {key: array[start:end] for key, array in given.items()}) for start, end in pairwise(ends)
    ]
    return {name: np.concatenate(columns) for name, columns in zip(names, zip(*parts, strict=True), strict=True)}


@contextmanager
def _quietly() -> Iterator[None]:
    """Silences what the exporter says about itself (what is not installed, what will change); errors are raised."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for module in ("torch", "onnxscript", "onnx_ir", "copyreg"):
            warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _reason(error: BaseException) -> str:
    """The first line of the original error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
