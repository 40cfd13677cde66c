"""Exercise 1: forward propagation.

A network of L layers computes, from the inputs A[0] = X, layer by layer

    Z[l] = W[l] A[l-1] + b[l]          the linear part
    A[l] = g(Z[l])                     the activation: ReLU in layers 1 to L-1, sigmoid in layer L

with sigmoid(z) = 1 / (1 + exp(-z)) and relu(z) = max(0, z). Examples are columns: X is (n[0], m), W[l] is
(n[l], n[l-1]), b[l] is (n[l], 1). The cost is the cross-entropy, averaged over the m examples:

    J = -1/m sum over examples of ( y log(a) + (1 - y) log(1 - a) )

Fill in the blanks, in any order, and run this file: it checks itself.
"""

import numpy as np


# GRADED FUNCTION: sigmoid
def sigmoid(Z):
    """
    Arguments:
    Z -- NumPy array of any shape

    Returns:
    A -- sigmoid of each entry of Z
    """
    ### START CODE HERE ### blank 1, A: the sigmoid of Z (about 1 line)
    A = ...
    ### END CODE HERE ###
    return A


# GRADED FUNCTION: relu
def relu(Z):
    """
    Arguments:
    Z -- NumPy array of any shape

    Returns:
    A -- Z where it is positive, 0 elsewhere
    """
    ### START CODE HERE ### blank 2, A: the ReLU of Z (about 1 line)
    A = ...
    ### END CODE HERE ###
    return A


# GRADED FUNCTION: linear_forward
def linear_forward(A_prev, W, b):
    """
    Arguments:
    A_prev -- activations of the layer before, (n[l-1], m)
    W -- weights, (n[l], n[l-1])
    b -- biases, (n[l], 1)

    Returns:
    Z -- the input of the activation, (n[l], m)
    cache -- (A_prev, W, b), for the backward pass
    """
    ### START CODE HERE ### blank 3, Z: the linear part of the layer (about 1 line)
    Z = ...
    ### END CODE HERE ###
    return Z, (A_prev, W, b)


def linear_activation_forward(A_prev, W, b, activation):
    """
    Arguments:
    A_prev, W, b -- as for linear_forward
    activation -- "relu" or "sigmoid"

    Returns:
    A -- activations of this layer, (n[l], m)
    cache -- (linear_cache, Z), for the backward pass
    """
    Z, linear_cache = linear_forward(A_prev, W, b)
    A = relu(Z) if activation == "relu" else sigmoid(Z)
    return A, (linear_cache, Z)


# GRADED FUNCTION: L_model_forward
def L_model_forward(X, parameters):
    """
    Arguments:
    X -- inputs, (n[0], m)
    parameters -- a dictionary with "W1", "b1", ..., "WL", "bL"

    Returns:
    AL -- what the last layer gives, (n[L], m)
    caches -- the cache of each layer, in order
    """
    caches = []
    A = X
    L = len(parameters) // 2
    for layer in range(1, L):
        A_prev = A
        ### START CODE HERE ### blank 4, A, cache: a hidden layer, LINEAR -> RELU (about 1 line)
        A = ...
        cache = ...
        ### END CODE HERE ###
        caches.append(cache)
    ### START CODE HERE ### blank 5, AL, cache: the last layer, LINEAR -> SIGMOID (about 1 line)
    AL = ...
    cache = ...
    ### END CODE HERE ###
    caches.append(cache)
    return AL, caches


# GRADED FUNCTION: compute_cost
def compute_cost(AL, Y):
    """
    Arguments:
    AL -- predicted probabilities of label 1, (1, m)
    Y -- labels, 0 or 1, (1, m)

    Returns:
    cost -- the cross-entropy, one number
    """
    m = Y.shape[1]
    ### START CODE HERE ### blank 6, cost: the cross-entropy averaged over the m examples (about 1 line)
    cost = ...
    ### END CODE HERE ###
    return cost


if __name__ == "__main__":
    import checker

    checker.main(__file__)
