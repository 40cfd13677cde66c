"""Exercise 6: Adam.

Adam keeps two exponentially weighted averages for each parameter, of its gradient and of the gradient's square. Both
start at 0, and are too small at first; dividing by 1 - beta^t in step t = 1, 2, ... corrects that:

    v = beta1 v + (1 - beta1) dW              v_corrected = v / (1 - beta1^t)
    s = beta2 s + (1 - beta2) dW^2            s_corrected = s / (1 - beta2^t)
    W = W - learning_rate v_corrected / ( sqrt(s_corrected) + epsilon )

The square and the root are taken entry by entry (Kingma and Ba, 2015). Some listings of Adam in course notes have fixed
powers in place of t, or epsilon inside the root: the checker tells you if yours does.

Fill in the blanks, in any order, and run this file: it checks itself.
"""

import numpy as np


def initialize_adam(parameters):
    """
    Arguments:
    parameters -- a dictionary with "W1", "b1", ...

    Returns:
    v, s -- dictionaries with arrays of zeros, "dW1", "db1", ...
    """
    v = {"d" + name: np.zeros_like(value) for name, value in parameters.items()}
    s = {"d" + name: np.zeros_like(value) for name, value in parameters.items()}
    return v, s


# GRADED FUNCTION: adam_step
def adam_step(W, dW, v, s, t, learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """
    Arguments:
    W -- a parameter
    dW -- its gradient, of the same shape
    v, s -- its two averages after step t - 1
    t -- the number of this step, from 1

    Returns:
    W, v, s -- the parameter and its averages after step t
    """
    ### START CODE HERE ### blank 1, v: the average of the gradients (about 1 line)
    v = beta1 * v + (1 - beta1) * dW
    ### END CODE HERE ###
    ### START CODE HERE ### blank 2, v_corrected: v with its bias corrected (about 1 line)
    v_corrected = v / (1 - beta1**t)
    ### END CODE HERE ###
    ### START CODE HERE ### blank 3, s: the average of the squared gradients (about 1 line)
    s = beta2 * s + (1 - beta2) * np.square(dW)
    ### END CODE HERE ###
    ### START CODE HERE ### blank 4, s_corrected: s with its bias corrected (about 1 line)
    s_corrected = s / (1 - beta2**t)
    ### END CODE HERE ###
    ### START CODE HERE ### blank 5, W: the parameter after the step (about 1 line)
    W = W - learning_rate * v_corrected / (np.sqrt(s_corrected) + epsilon)
    ### END CODE HERE ###
    return W, v, s


def update_parameters_with_adam(parameters, grads, v, s, t, **options):
    """One step of all parameters; returns the new dictionaries parameters, v, s."""
    new_parameters, new_v, new_s = {}, {}, {}
    for name, W in parameters.items():
        d = "d" + name
        new_parameters[name], new_v[d], new_s[d] = adam_step(W, grads[d], v[d], s[d], t, **options)
    return new_parameters, new_v, new_s


if __name__ == "__main__":
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parents[1]))  # where the checker is
    import checker

    checker.main(__file__)
