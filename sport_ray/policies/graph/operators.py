"""The operators that a graph may have: functions of their inputs alone, the same every time.

Left out on purpose: what draws random numbers, what loops or branches over sub-graphs, what
remembers (recurrent cells), what is quantised, what handles text, sequences or sparse tensors, and
what gives a shape that is known only when it runs.
"""

from __future__ import annotations

OPSETS = (11, 26)
"""Of ONNX's own domain, from and to; older ones mean other things by the same names."""

ARITHMETIC = "Abs Add Ceil Clip Cos Div Erf Exp Floor Log Max Mean Min Mul Neg Pow Reciprocal Round"
ARITHMETIC += " Sign Sin Sqrt Sub Sum"
ACTIVATIONS = "Elu Gelu HardSigmoid HardSwish LeakyRelu LogSoftmax Mish PRelu Relu Selu"
ACTIVATIONS += " Sigmoid Softmax Softplus Softsign Swish Tanh ThresholdedRelu"
LAYERS = "AveragePool BatchNormalization Conv Dropout Gemm GlobalAveragePool GlobalMaxPool"
LAYERS += " LayerNormalization MatMul MaxPool"
REDUCTIONS = "ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum"
REDUCTIONS += " ReduceSumSquare"
SHAPES = "Cast CastLike Concat Constant ConstantOfShape Expand Flatten Gather Identity Pad Reshape"
SHAPES += " Shape Size Slice Split Squeeze Tile Transpose Unsqueeze"
LOGIC = "And Equal Greater GreaterOrEqual Less LessOrEqual Not Or Where"

OPERATORS = frozenset(
    " ".join((ARITHMETIC, ACTIVATIONS, LAYERS, REDUCTIONS, SHAPES, LOGIC)).split()
)

WHY_NOT = {
    **dict.fromkeys(("If", "Loop", "Scan", "SequenceMap"), "control flow"),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "memory between steps"),
    **dict.fromkeys(
        ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
         "RandomUniformLike"),
        "random numbers: the policy's come from its distribution alone",
    ),
    **dict.fromkeys(("NonZero", "Unique", "Compress"), "a shape that is known only when it runs"),
}  # fmt: skip
"""Reasons for those that people meet."""
