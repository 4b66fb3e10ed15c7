"""An ONNX graph as the body of a policy: read without running anything, evaluated in float64.

ONNX is a graph of named operators with their weights, no code. What is kept of a file is its bytes;
they are checked again whenever they are read (:mod:`.checked`), brought into float64
(:mod:`.exact`) and evaluated one observation at a time (:mod:`.rows`) by the reference evaluator
that defines the operators, so that a row's numbers cannot depend on the batch around it.
"""
