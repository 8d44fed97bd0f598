#!/usr/bin/env python3
"""Writes the node tests that the package `onnx` ships (onnx.backend.test) to target/onnx-nodes: for each case a folder with
`model.onnx` and its first data set, `input_<i>.pb` and `output_<i>.pb`, and `cases.txt` with a line for each case: name,
operator, relative and absolute tolerance, and `tensors`, or what else it takes or gives."""

import pathlib
import shutil
import sys
import warnings

import numpy as np
from onnx import TensorProto, numpy_helper

TARGET = pathlib.Path(__file__).resolve().parents[4] / "target" / "onnx-nodes"


def main():
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    # Some cases draw numbers; they shall be the same each time.
    np.random.seed(0)
    from onnx.backend.test.case.node import collect_testcases

    cases = collect_testcases(None)
    shutil.rmtree(TARGET, ignore_errors=True)
    lines = []
    for case in sorted(cases, key=lambda case: case.name):
        folder = TARGET / case.name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        inputs, outputs = case.data_sets[0]
        kind = "tensors"
        for prefix, values, infos in [("input", inputs, case.model.graph.input), ("output", outputs, case.model.graph.output)]:
            for index, (value, info) in enumerate(zip(values, infos)):
                if not info.type.HasField("tensor_type"):
                    kind = info.type.WhichOneof("value").removesuffix("_type")
                    continue
                proto = value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value), info.name)
                proto.name = info.name
                (folder / f"{prefix}_{index}.pb").write_bytes(proto.SerializeToString())
        nodes = [node.op_type for node in case.model.graph.node]
        operator = nodes[0] if len(nodes) == 1 else "(several)"
        lines.append(f"{case.name} {operator} {case.rtol} {case.atol} {kind}")
    (TARGET / "cases.txt").write_text("\n".join(lines) + "\n")
    print(len(lines), "cases in", TARGET, file=sys.stderr)


if __name__ == "__main__":
    main()
