#!/usr/bin/env python3
"""Writes `operators.onnx`: many operators on seeded weights, their results one after another in an output for each
data type, and `layout.txt`, which says which operator's result is where.

It is there to show that the native engine and the canister's Wasm give the same bits: `wasm.txt` holds what the
canister answered to `input.txt`. Needs the packages of examples/models/digits/requirements.txt.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).resolve().parent
RNG = np.random.default_rng(7)
IMAGE = [1, 6, 9, 11]

nodes, constants = [], []
# (value, data type, elements)
results = []


def constant(name, values, dtype=np.float32):
    constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
    return name


def weights(name, *shape):
    return constant(name, RNG.normal(0, 0.5, shape))


def add(operator, inputs, shape, kind=TensorProto.FLOAT, keep=True, **attributes):
    name = f"{operator.lower()}_{len(nodes)}"
    nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
    if keep:
        results.append((name, kind, int(np.prod(shape))))
    return name


N, C, H, W = IMAGE
x = "image"
positive = add("Add", [add("Abs", [x], IMAGE, keep=False), constant("tenth", [0.1])], IMAGE, keep=False)
unit = add("Tanh", [x], IMAGE)

for operator in ["Exp", "Sigmoid", "Erf", "Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Softplus", "Elu",
                 "HardSwish", "LeakyRelu", "Neg", "Floor", "Round", "Softsign", "Celu", "Selu", "HardSigmoid"]:
    add(operator, [x], IMAGE)
for operator in ["Log", "Sqrt", "Reciprocal"]:
    add(operator, [positive], IMAGE)
for operator in ["Asin", "Acos"]:
    add(operator, [add("Mul", [unit, constant(f"most_{operator}", [0.9])], IMAGE, keep=False)], IMAGE)
add("Pow", [positive, constant("power", [1.7])], IMAGE)
add("Pow", [x, constant("square", [2.0])], IMAGE)
add("Max", [x, unit], IMAGE)
add("Min", [x, unit], IMAGE)
add("Clip", [x, constant("low", -0.3), constant("high", 0.4)], IMAGE)

for axis in range(1, 4):
    add("Softmax", [x], IMAGE, axis=axis)
    add("LogSoftmax", [x], IMAGE, axis=axis)
for operator in ["ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceProd", "ReduceSumSquare", "ReduceLogSumExp"]:
    add(operator, [x], [N, C, H, 1], axes=[3])
    add(operator, [x], [N, C, 1, 1], axes=[2, 3])
    add(operator, [x], [N, 1, H, W], axes=[1])
add("ReduceSum", [x, constant("last", [3], np.int64)], [N, C, H, 1])
add("ReduceSum", [x, constant("inner", [2, 3], np.int64)], [N, C, 1, 1])
add("CumSum", [x, constant("along", 3, np.int64)], IMAGE)
add("LayerNormalization", [x, weights("scale", W), weights("shift", W)], IMAGE, axis=-1, epsilon=1e-5)
add("InstanceNormalization", [x, weights("iscale", C), weights("ishift", C)], IMAGE)
add("BatchNormalization", [x, weights("bs", C), weights("bb", C), weights("bm", C),
                           constant("bv", np.abs(RNG.normal(1, 0.2, C)))], IMAGE)
add("LRN", [x], IMAGE, size=3)

add("Conv", [x, weights("c33", 8, C, 3, 3), weights("cb", 8)], [N, 8, H, W], pads=[1, 1, 1, 1])
add("Conv", [x, weights("c33s", 8, C, 3, 3)], [N, 8, 4, 5], strides=[2, 2])
add("Conv", [x, weights("c11", 16, C, 1, 1)], [N, 16, H, W])
add("Conv", [x, weights("cdw", C, 1, 3, 3)], IMAGE, pads=[1, 1, 1, 1], group=C)
add("Conv", [x, weights("cg", 6, 3, 5, 1)], [N, 6, 5, W], group=2)
add("Conv", [x, weights("cdil", 4, C, 3, 3)], [N, 4, 5, 7], dilations=[2, 2])
add("ConvTranspose", [x, weights("ct", C, 4, 3, 3)], [N, 4, 11, 13])
add("MaxPool", [x], [N, C, 4, 5], kernel_shape=[2, 2], strides=[2, 2])
add("AveragePool", [x], [N, C, 7, 9], kernel_shape=[3, 3])
add("GlobalAveragePool", [x], [N, C, 1, 1])

add("MatMul", [x, weights("mm", W, 13)], [N, C, H, 13])
add("MatMul", [x, weights("mv", W, 1)], [N, C, H, 1])
add("MatMul", [x, add("Transpose", [x], [], keep=False, perm=[0, 1, 3, 2])], [N, C, H, H])
flat = add("Reshape", [x, constant("flat", [C, H * W], np.int64)], [C, H * W], keep=False)
add("Gemm", [flat, weights("gw", 7, H * W), weights("gb", 7)], [C, 7], transB=1, alpha=0.5)
sequence = add("Reshape", [x, constant("steps", [H, C, W], np.int64)], [H, C, W], keep=False)
nodes.append(helper.make_node("LSTM", [sequence, weights("lw", 1, 20, W), weights("lr", 1, 20, 5), weights("lb", 1, 40)],
                              ["lstm_all", "lstm_last"], name="lstm", hidden_size=5))
results.append(("lstm_all", TensorProto.FLOAT, H * C * 5))
add("Resize", [x, "", constant("sizes", [1.0, 1.0, 2.0, 2.0])], [N, C, 18, 22], mode="linear")

double = add("Cast", [x], IMAGE, keep=False, to=TensorProto.DOUBLE)
for operator in ["Exp", "Sin", "Tanh", "Sqrt"]:
    source = double if operator != "Sqrt" else add("Cast", [positive], IMAGE, keep=False, to=TensorProto.DOUBLE)
    add(operator, [source], IMAGE, TensorProto.DOUBLE)
add("MatMul", [double, constant("mm64", RNG.normal(0, 0.5, (W, 4)), np.float64)], [N, C, H, 4], TensorProto.DOUBLE)
half = add("Cast", [x], IMAGE, keep=False, to=TensorProto.FLOAT16)
for operator in ["Exp", "Tanh", "Sigmoid"]:
    add(operator, [half], IMAGE, TensorProto.FLOAT16)
add("Softmax", [half], IMAGE, TensorProto.FLOAT16, axis=3)
add("ReduceSum", [half, "last"], [N, C, H, 1], TensorProto.FLOAT16)
add("MatMul", [half, constant("mm16", RNG.normal(0, 0.5, (W, 5)), np.float16)], [N, C, H, 5], TensorProto.FLOAT16)


KINDS = {"fp32": TensorProto.FLOAT, "fp64": TensorProto.DOUBLE, "fp16": TensorProto.FLOAT16}


def gather(output, kind):
    """Joins the results of a data type to one output. Copying changes no bit."""
    own = [(name, elements) for name, result_kind, elements in results if result_kind == kind]
    line = constant(f"{output}_line", [-1], np.int64)
    lines = [add("Reshape", [name, line], [], keep=False) for name, _ in own]
    nodes.append(helper.make_node("Concat", lines, [output], name=output, axis=0))
    info = helper.make_tensor_value_info(output, kind, [sum(elements for _, elements in own)])
    return info, [f"{output} {name} {elements}" for name, elements in own]


def main():
    gathered = [gather(output, kind) for output, kind in KINDS.items()]
    graph = helper.make_graph(
        nodes,
        "operators",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, IMAGE)],
        [info for info, _ in gathered],
        initializer=constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    (FOLDER / "operators.onnx").write_bytes(model.SerializeToString(deterministic=True))
    image = RNG.normal(0, 1.5, N * C * H * W).astype(np.float32)
    words = [f"{word:08x}" for word in image.view(np.uint32)]
    lines = [" ".join(words[start : start + 12]) for start in range(0, len(words), 12)]
    (FOLDER / "input.txt").write_text("\n".join(lines) + "\n")
    layout = [line for _, lines in gathered for line in lines]
    (FOLDER / "layout.txt").write_text("\n".join(layout) + "\n")
    print(len(layout), "operators")


if __name__ == "__main__":
    main()
