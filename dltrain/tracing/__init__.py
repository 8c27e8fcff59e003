"""Forward and backward by hand: of a plain expression, node by node, and of a network, layer by layer.

text -> grammar -> statements -> expression (values forward, derivatives backward)
config or run, one sample -> network (each layer's input, weights, output and gradients)
"""
