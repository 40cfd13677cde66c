"""Exercise 3: initialisation.

Weights start at random numbers, so that the units of a layer can learn different things; biases may start at 0. How
large the random numbers are decides how large the signal is after many layers. With n[l-1] inputs of a layer:

    random     W[l] = 0.01 * normal numbers                       small, whatever the layer
    He         W[l] = sqrt(2 / n[l-1]) * normal numbers           for ReLU, which sets half of its inputs to 0
    Xavier     W[l] = sqrt(1 / n[l-1]) * normal numbers           for tanh, in the course's form

(Glorot and Bengio's paper has sqrt(2 / (n[l-1] + n[l])) for the last; the two agree where both sizes are equal.)
Normal numbers have mean 0 and variance 1: rng.standard_normal(shape). Take them from the argument `rng`, a
np.random.Generator, so that a run can be repeated. The checker looks at shapes, means, variances and distributions.

Fill in the blanks, in any order, and run this file: it checks itself.
"""

import numpy as np


# GRADED FUNCTION: initialize_parameters_random
def initialize_parameters_random(layers_dims, rng):
    """
    Arguments:
    layers_dims -- sizes of the layers, n[0] to n[L]
    rng -- a np.random.Generator

    Returns:
    parameters -- a dictionary with "W1", "b1", ..., "WL", "bL"
    """
    parameters = {}
    for layer in range(1, len(layers_dims)):
        ### START CODE HERE ### blank 1, W: small random weights, (n[l], n[l-1]) (about 1 line)
        W = 0.01 * rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))
        ### END CODE HERE ###
        ### START CODE HERE ### blank 2, b: biases of 0, (n[l], 1) (about 1 line)
        b = np.zeros((layers_dims[layer], 1))
        ### END CODE HERE ###
        parameters["W" + str(layer)], parameters["b" + str(layer)] = W, b
    return parameters


# GRADED FUNCTION: initialize_parameters_he
def initialize_parameters_he(layers_dims, rng):
    """
    Arguments and returns as initialize_parameters_random; the weights are He's.
    """
    parameters = {}
    for layer in range(1, len(layers_dims)):
        ### START CODE HERE ### blank 3, W: He's random weights (about 1 line)
        W = np.sqrt(2 / layers_dims[layer - 1]) * rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))
        ### END CODE HERE ###
        parameters["W" + str(layer)], parameters["b" + str(layer)] = W, np.zeros((layers_dims[layer], 1))
    return parameters


# GRADED FUNCTION: initialize_parameters_xavier
def initialize_parameters_xavier(layers_dims, rng):
    """
    Arguments and returns as initialize_parameters_random; the weights are Xavier's.
    """
    parameters = {}
    for layer in range(1, len(layers_dims)):
        ### START CODE HERE ### blank 4, W: Xavier's random weights (about 1 line)
        W = np.sqrt(1 / layers_dims[layer - 1]) * rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))
        ### END CODE HERE ###
        parameters["W" + str(layer)], parameters["b" + str(layer)] = W, np.zeros((layers_dims[layer], 1))
    return parameters


if __name__ == "__main__":
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parents[1]))  # where the checker is
    import checker

    checker.main(__file__)
