"""Exercise 2: backward propagation.

The forward pass is given. The backward pass applies the chain rule from the last layer to the first. With dZ[l] the
gradient in Z[l] of the sum of the examples' losses, and J their average over m examples:

    dW[l]   = 1/m dZ[l] A[l-1]^T                        (n[l], n[l-1]), as W[l]
    db[l]   = 1/m sum of the columns of dZ[l]           (n[l], 1), as b[l]
    dA[l-1] = W[l]^T dZ[l]                              (n[l-1], m), as A[l-1]
    dZ[l]   = dA[l] * g'(Z[l])                          entry by entry

with relu'(z) = 1 where z > 0, else 0; sigmoid'(z) = s (1 - s), s = sigmoid(z); and at the end of the network
dA[L] = -( Y / A[L] - (1 - Y) / (1 - A[L]) ). The checker compares with difference quotients of the forward pass.

Fill in the blanks, in any order, and run this file: it checks itself.
"""

import numpy as np


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def relu(Z):
    return np.maximum(0, Z)


def linear_forward(A_prev, W, b):
    return W @ A_prev + b, (A_prev, W, b)


def linear_activation_forward(A_prev, W, b, activation):
    Z, linear_cache = linear_forward(A_prev, W, b)
    A = relu(Z) if activation == "relu" else sigmoid(Z)
    return A, (linear_cache, Z)


def L_model_forward(X, parameters):
    caches = []
    A = X
    L = len(parameters) // 2
    for layer in range(1, L + 1):
        activation = "relu" if layer < L else "sigmoid"
        A, cache = linear_activation_forward(A, parameters[f"W{layer}"], parameters[f"b{layer}"], activation)
        caches.append(cache)
    return A, caches


def compute_cost(AL, Y):
    return -np.mean(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))


def compute_cost_with_regularization(AL, Y, parameters, lambd):
    m = Y.shape[1]
    squares = sum(np.sum(np.square(value)) for name, value in parameters.items() if name.startswith("W"))
    return compute_cost(AL, Y) + lambd / (2 * m) * squares


# GRADED FUNCTION: linear_backward
def linear_backward(dZ, cache):
    """
    Arguments:
    dZ -- gradient of the losses in Z, (n[l], m)
    cache -- (A_prev, W, b), as linear_forward returned it

    Returns:
    dA_prev -- gradient of the losses in A_prev, (n[l-1], m)
    dW -- gradient of the cost in W, (n[l], n[l-1])
    db -- gradient of the cost in b, (n[l], 1)
    """
    A_prev, W, _ = cache
    m = A_prev.shape[1]
    ### START CODE HERE ### blank 1, dW: the gradient of W (about 1 line)
    dW = dZ @ A_prev.T / m
    ### END CODE HERE ###
    ### START CODE HERE ### blank 2, db: the gradient of b (about 1 line)
    db = np.sum(dZ, axis=1, keepdims=True) / m
    ### END CODE HERE ###
    ### START CODE HERE ### blank 3, dA_prev: the gradient of A_prev (about 1 line)
    dA_prev = W.T @ dZ
    ### END CODE HERE ###
    return dA_prev, dW, db


# GRADED FUNCTION: relu_backward
def relu_backward(dA, Z):
    """
    Arguments:
    dA -- gradient in A = relu(Z)
    Z -- the input of the ReLU, of the same shape

    Returns:
    dZ -- gradient in Z
    """
    ### START CODE HERE ### blank 4, dZ: the gradient in front of a ReLU (about 1 line)
    dZ = dA * (Z > 0)
    ### END CODE HERE ###
    return dZ


# GRADED FUNCTION: sigmoid_backward
def sigmoid_backward(dA, Z):
    """
    Arguments:
    dA -- gradient in A = sigmoid(Z)
    Z -- the input of the sigmoid, of the same shape

    Returns:
    dZ -- gradient in Z
    """
    ### START CODE HERE ### blank 5, dZ: the gradient in front of a sigmoid (about 2 lines)
    s = sigmoid(Z)
    dZ = dA * s * (1 - s)
    ### END CODE HERE ###
    return dZ


def linear_activation_backward(dA, cache, activation):
    linear_cache, Z = cache
    dZ = relu_backward(dA, Z) if activation == "relu" else sigmoid_backward(dA, Z)
    return linear_backward(dZ, linear_cache)


# GRADED FUNCTION: L_model_backward
def L_model_backward(AL, Y, caches):
    """
    Arguments:
    AL -- what L_model_forward returned, (1, m)
    Y -- labels, (1, m)
    caches -- the caches that L_model_forward returned, layer 1 first

    Returns:
    grads -- a dictionary with "dW1", "db1", ..., "dWL", "dbL", and "dA0", ..., "dAL-1"
    """
    grads = {}
    L = len(caches)
    ### START CODE HERE ### blank 6, dAL: the gradient of the losses in AL (about 1 line)
    dAL = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
    ### END CODE HERE ###
    dA, dW, db = linear_activation_backward(dAL, caches[L - 1], activation="sigmoid")
    grads["dA" + str(L - 1)], grads["dW" + str(L)], grads["db" + str(L)] = dA, dW, db
    for layer in reversed(range(1, L)):
        ### START CODE HERE ### blank 7, dA_prev, dW, db: back through RELU -> LINEAR of this layer (about 1 line)
        dA_prev, dW, db = linear_activation_backward(grads["dA" + str(layer)], caches[layer - 1], activation="relu")
        ### END CODE HERE ###
        grads["dA" + str(layer - 1)], grads["dW" + str(layer)], grads["db" + str(layer)] = dA_prev, dW, db
    return grads


# GRADED FUNCTION: weight_gradient_with_regularization
def weight_gradient_with_regularization(dZ, cache, lambd):
    """
    The cost now has the term lambd / (2 m) times the sum of the squares of all weights.

    Arguments:
    dZ, cache -- as for linear_backward
    lambd -- the factor of the term

    Returns:
    dW -- gradient of the regularised cost in W, (n[l], n[l-1])
    """
    A_prev, W, _ = cache
    m = A_prev.shape[1]
    ### START CODE HERE ### blank 8, dW: the gradient of W with L2 regularisation (about 1 line)
    dW = dZ @ A_prev.T / m + lambd / m * W
    ### END CODE HERE ###
    return dW


# GRADED FUNCTION: update_parameters
def update_parameters(parameters, grads, learning_rate):
    """
    Arguments:
    parameters -- a dictionary with "W1", "b1", ..., "WL", "bL"
    grads -- a dictionary with "dW1", "db1", ..., "dWL", "dbL"
    learning_rate -- alpha

    Returns:
    parameters -- a new dictionary, after one step of gradient descent
    """
    updated = {}
    L = len(parameters) // 2
    for layer in range(1, L + 1):
        ### START CODE HERE ### blank 9, W, b: the parameters of this layer after the step (about 2 lines)
        W = parameters["W" + str(layer)] - learning_rate * grads["dW" + str(layer)]
        b = parameters["b" + str(layer)] - learning_rate * grads["db" + str(layer)]
        ### END CODE HERE ###
        updated["W" + str(layer)], updated["b" + str(layer)] = W, b
    return updated


if __name__ == "__main__":
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parents[1]))  # where the checker is
    import checker

    checker.main(__file__)
