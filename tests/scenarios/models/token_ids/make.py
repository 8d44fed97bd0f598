#!/usr/bin/env python3
"""Makes token_ids.onnx beside this file: the ids of a text's tokens come back as numbers of one dimension each, so that a call
costs what its tokenizer costs and little more."""

import pathlib

import onnx
from onnx import TensorProto, helper, numpy_helper
import numpy as np


def main():
    axis = numpy_helper.from_array(np.array([2], dtype=np.int64), "last")
    nodes = [
        helper.make_node("Cast", ["ids"], ["numbers"], name="numbers", to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "last"], ["y"], name="dimension"),
    ]
    graph = helper.make_graph(
        nodes, "token_ids",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["texts", "tokens", 1])],
        initializer=[axis],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path = pathlib.Path(__file__).resolve().parent / "token_ids.onnx"
    path.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
