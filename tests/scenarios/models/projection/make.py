#!/usr/bin/env python3
"""Makes projection.onnx beside this file: for each row x of a call the matrix P = x x' is multiplied with itself, twice, and its
rows are summed. Where x has length 1, P P = P, so the result is x times the sum of its elements, whatever the cost: two
products of 1024 x 1024 matrices, 2.1 billion multiply-adds a row."""

import pathlib

import onnx
from onnx import TensorProto, helper, numpy_helper
import numpy as np

WIDTH = 1024


def main():
    axis = lambda name, value: numpy_helper.from_array(np.array([value], dtype=np.int64), name)
    nodes = [
        helper.make_node("Unsqueeze", ["x", "last"], ["column"], name="column"),
        helper.make_node("Unsqueeze", ["x", "middle"], ["row"], name="row"),
        helper.make_node("MatMul", ["column", "row"], ["projection"], name="projection"),
        helper.make_node("MatMul", ["projection", "projection"], ["squared"], name="squared"),
        helper.make_node("MatMul", ["squared", "squared"], ["again"], name="again"),
        helper.make_node("ReduceSum", ["again", "last"], ["y"], name="sum", keepdims=0),
    ]
    graph = helper.make_graph(
        nodes, "projection",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", WIDTH])],
        initializer=[axis("last", 2), axis("middle", 1)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path = pathlib.Path(__file__).resolve().parent / "projection.onnx"
    path.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
