"""Opens ONNX models: weights and arithmetic, no code of theirs is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from svc_tts.errors import EngineBroken

_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32,
          "tensor(float16)": np.float16, "tensor(double)": np.float64}  # fmt: skip


class Graph:
    """A loaded model. Raises EngineBroken if the file is none."""

    def __init__(self, file: Path, *, threads: int, name: str):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, threads)
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no common class below Exception
            raise EngineBroken(f"The voice model '{name}' cannot be loaded.") from error
        self._name = name
        self.inputs: dict[str, Any] = {one.name: _TYPES.get(one.type) for one in self._session.get_inputs()}

    def run(self, **values: Any) -> np.ndarray[Any, Any]:
        """Return the first output for inputs by name, each brought to the type that the model wants."""
        told = {name: np.asarray(value, dtype=self.inputs[name]) for name, value in values.items()}
        try:
            return np.asarray(self._session.run(None, told)[0])
        except Exception as error:
            raise EngineBroken(f"The voice model '{self._name}' could not speak this text.") from error
