"""Exercise 5: gradient checking.

A difference quotient needs no derivative, so it can judge one:

    gradapprox = ( J(theta + epsilon) - J(theta - epsilon) ) / (2 epsilon)
    difference = |grad - gradapprox| / ( |grad| + |gradapprox| )

where |.| is the Euclidean norm. A difference below 1e-7 says that the gradient is right. With n parameters, theta is a
column (n, 1), and each entry is moved by itself, all others staying where they are. Two sides are much better than
one: the error shrinks with epsilon^2, not with epsilon.

Fill in the blanks, in any order, and run this file: it checks itself.
"""

import numpy as np


# GRADED FUNCTION: gradient_1d
def gradient_1d(J, theta, epsilon=1e-4):
    """
    Arguments:
    J -- the cost, a function of one number
    theta -- the number
    epsilon -- how far theta is moved

    Returns:
    gradapprox -- the two-sided difference quotient of J at theta
    """
    ### START CODE HERE ### blank 1, J_plus: the cost on the right (about 1 line)
    J_plus = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 2, J_minus: the cost on the left (about 1 line)
    J_minus = ...
    ### END CODE HERE ###
    ### START CODE HERE ### blank 3, gradapprox: the quotient (about 1 line)
    gradapprox = ...
    ### END CODE HERE ###
    return gradapprox


# GRADED FUNCTION: relative_difference
def relative_difference(grad, gradapprox):
    """
    Arguments:
    grad, gradapprox -- two gradients of the same shape, (n, 1)

    Returns:
    difference -- one number between 0 (equal) and 1 (as far apart as can be)
    """
    ### START CODE HERE ### blank 4, difference: how far the two are apart, relative to their norms (about 3 lines)
    difference = ...
    ### END CODE HERE ###
    return difference


# GRADED FUNCTION: gradient_n
def gradient_n(J, theta, epsilon=1e-4):
    """
    Arguments:
    J -- the cost, a function of a column (n, 1)
    theta -- the parameters, (n, 1)
    epsilon -- how far each entry is moved

    Returns:
    gradapprox -- the difference quotients, (n, 1)
    """
    gradapprox = np.zeros_like(theta)
    for i in range(len(theta)):
        ### START CODE HERE ### blank 5, thetaplus: theta with entry i moved to the right (about 2 lines)
        thetaplus = ...
        ### END CODE HERE ###
        ### START CODE HERE ### blank 6, thetaminus: theta with entry i moved to the left (about 2 lines)
        thetaminus = ...
        ### END CODE HERE ###
        gradapprox[i] = (J(thetaplus) - J(thetaminus)) / (2 * epsilon)
    return gradapprox


if __name__ == "__main__":
    import checker

    checker.main(__file__)
