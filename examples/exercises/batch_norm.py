"""Exercise 7: batch normalisation.

Over the m examples of a batch, each unit (row) by itself:

    mu      = 1/m sum of z                                   var = 1/m sum of (z - mu)^2
    Z_norm  = (Z - mu) / sqrt(var + epsilon)                 Z_tilde = gamma * Z_norm + beta

At test time there may be one example only. Running averages of mu and var, kept during training, take their place:

    running_mean = momentum running_mean + (1 - momentum) mu
    running_var  = momentum running_var  + (1 - momentum) var m / (m - 1)

(m / (m - 1) makes the batch's variance an unbiased estimate, as in the paper of Ioffe and Szegedy. PyTorch's momentum
is 1 - momentum.) Coming back, Z acts on the cost on three paths: by itself, through var and through mu:

    dZ_norm = dZ_tilde * gamma
    dvar    = sum of dZ_norm (z - mu) * (-1/2) (var + epsilon)^(-3/2)
    dmu     = sum of -dZ_norm / sqrt(var + epsilon)
    dZ      = dZ_norm / sqrt(var + epsilon)  +  dvar 2 (Z - mu) / m  +  dmu / m

Fill in the blanks, in any order, and run this file: it checks itself.
"""

import numpy as np


# GRADED FUNCTION: batch_norm_forward
def batch_norm_forward(Z, gamma, beta, running_mean, running_var, momentum=0.9, epsilon=1e-5):
    """
    Arguments:
    Z -- inputs of a layer's activations, (n, m)
    gamma, beta -- scale and shift, (n, 1)
    running_mean, running_var -- the running averages so far, (n, 1)

    Returns:
    Z_tilde -- what the activation gets, (n, m)
    running_mean, running_var -- the new running averages, (n, 1)
    cache -- for the backward pass
    """
    m = Z.shape[1]
    ### START CODE HERE ### blank 1, mu: the mean of each unit over the batch, (n, 1) (about 1 line)
    mu = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 2, var: the variance of each unit over the batch, (n, 1) (about 1 line)
    var = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 3, Z_norm: Z with mean 0 and variance 1 (about 1 line)
    Z_norm = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 4, Z_tilde: Z_norm, scaled and shifted (about 1 line)
    Z_tilde = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 5, running_mean, running_var: the new running averages (about 2 lines)
    running_mean = ...
    running_var = ...
    ### END CODE HERE ###
    return Z_tilde, running_mean, running_var, (Z, Z_norm, mu, var, gamma, epsilon)


# GRADED FUNCTION: batch_norm_at_test_time
def batch_norm_at_test_time(Z, gamma, beta, running_mean, running_var, epsilon=1e-5):
    """
    Arguments:
    as for batch_norm_forward; Z may have one column only

    Returns:
    Z_tilde -- what the activation gets, (n, m)
    """
    ### START CODE HERE ### blank 6, Z_tilde: normalised with the running averages, scaled and shifted (about 2 lines)
    Z_tilde = ...
    ### END CODE HERE ###
    return Z_tilde


# GRADED FUNCTION: batch_norm_backward
def batch_norm_backward(dZ_tilde, cache):
    """
    Arguments:
    dZ_tilde -- gradient of the cost in Z_tilde, (n, m)
    cache -- as batch_norm_forward returned it

    Returns:
    dZ -- gradient of the cost in Z, (n, m)
    dgamma, dbeta -- gradients of the cost in gamma and beta, (n, 1)
    """
    Z, Z_norm, mu, var, gamma, epsilon = cache
    m = Z.shape[1]
    ### START CODE HERE ### blank 7, dgamma: the gradient of gamma (about 1 line)
    dgamma = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 8, dbeta: the gradient of beta (about 1 line)
    dbeta = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 9, dZ_norm: the gradient of Z_norm (about 1 line)
    dZ_norm = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 10, dvar: the gradient of var (about 1 line)
    dvar = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 11, dmu: the gradient of mu (about 1 line)
    dmu = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 12, dZ: the sum of the three paths (about 1 line)
    dZ = ...
    ### END CODE HERE ###
    return dZ, dgamma, dbeta


if __name__ == "__main__":
    import checker

    checker.main(__file__)
