"""Exercise 4: dropout.

At training each unit is kept with probability keep_prob, for each example by itself, and set to 0 otherwise. What is
kept is divided by keep_prob, so that the expected value of each activation stays what it was (inverted dropout):

    D = 1 with probability keep_prob, else 0           the mask, of the shape of A
    A = A * D / keep_prob                              going forward
    dA = dA * D / keep_prob                            coming back, with the same mask D

At test time nothing is dropped and nothing is scaled. rng.random(shape) gives numbers that are uniform between 0 and 1.

Fill in the blanks, in any order, and run this file: it checks itself.
"""

import numpy as np


# GRADED FUNCTION: forward_with_dropout
def forward_with_dropout(A, keep_prob, rng):
    """
    Arguments:
    A -- activations of a layer, (n, m)
    keep_prob -- the probability that a unit is kept
    rng -- a np.random.Generator

    Returns:
    A_scaled -- the activations after dropout, (n, m)
    D -- the mask, for the backward pass
    """
    ### START CODE HERE ### blank 1, D: the mask, 1 (or True) where a unit is kept (about 1 line)
    D = rng.random(A.shape) < keep_prob
    ### END CODE HERE ###
    ### START CODE HERE ### blank 2, A_dropped: A with the dropped units at 0 (about 1 line)
    A_dropped = A * D
    ### END CODE HERE ###
    ### START CODE HERE ### blank 3, A_scaled: A_dropped with the units that are left scaled (about 1 line)
    A_scaled = A_dropped / keep_prob
    ### END CODE HERE ###
    return A_scaled, D


# GRADED FUNCTION: backward_with_dropout
def backward_with_dropout(dA, D, keep_prob):
    """
    Arguments:
    dA -- gradient in what forward_with_dropout returned, (n, m)
    D -- the mask of the forward pass
    keep_prob -- as in the forward pass

    Returns:
    dA_prev -- gradient in the activations before dropout, (n, m)
    """
    ### START CODE HERE ### blank 4, dA_prev: the gradient, back through dropout (about 1 line)
    dA_prev = dA * D / keep_prob
    ### END CODE HERE ###
    return dA_prev


# GRADED FUNCTION: forward_at_test_time
def forward_at_test_time(A, keep_prob):
    """
    Arguments:
    A -- activations of a layer, (n, m)
    keep_prob -- as in training

    Returns:
    A_test -- what the next layer gets at test time
    """
    ### START CODE HERE ### blank 5, A_test: the activations at test time (about 1 line)
    A_test = np.array(A)
    ### END CODE HERE ###
    return A_test


if __name__ == "__main__":
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parents[1]))  # where the checker is
    import checker

    checker.main(__file__)
