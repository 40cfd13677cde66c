"""Exercise 8: convolution, forward and backward.

A filter of f x f x n_C_prev weights slides over a padded image in steps of `stride`; at each place the numbers under it
are multiplied by its weights and added up, and its bias is added. (The filter is not flipped.) What comes out has

    n_H = floor( (n_H_prev + 2 pad - f) / stride ) + 1           rows, and as many columns, with n_W_prev

Arrays are (m, height, width, channels); W is (f, f, n_C_prev, n_C), b is (1, 1, 1, n_C). Each Z[i, h, w, c] came from
one window and one filter, so coming back, with dz = dZ[i, h, w, c],

    the window in dA  +=  W[:, :, :, c] dz        dW[:, :, :, c]  +=  the window of A dz        db[..., c]  +=  dz

and in the end the padding is cut off from dA. As in the course, dZ is the gradient of the cost: no 1/m here.

Fill in the blanks, in any order, and run this file: it checks itself.
"""

import numpy as np


# GRADED FUNCTION: zero_pad
def zero_pad(X, pad):
    """
    Arguments:
    X -- images, (m, n_H, n_W, n_C)
    pad -- the number of rows and columns of zeros at each side

    Returns:
    X_pad -- padded images, (m, n_H + 2 pad, n_W + 2 pad, n_C)
    """
    ### START CODE HERE ### blank 1, X_pad: the images with zeros around them (about 1 line)
    X_pad = np.pad(X, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    ### END CODE HERE ###
    return X_pad


# GRADED FUNCTION: conv_single_step
def conv_single_step(a_slice, W, b):
    """
    Arguments:
    a_slice -- a window of the padded image, (f, f, n_C_prev)
    W -- the weights of one filter, (f, f, n_C_prev)
    b -- its bias, (1, 1, 1)

    Returns:
    z -- one number
    """
    ### START CODE HERE ### blank 2, z: what one filter makes of one window (about 1 line)
    z = np.sum(a_slice * W) + b.item()
    ### END CODE HERE ###
    return z


# GRADED FUNCTION: output_size
def output_size(n_H_prev, n_W_prev, f, stride, pad):
    """
    Returns:
    n_H, n_W -- rows and columns of what comes out, two integers
    """
    ### START CODE HERE ### blank 3, n_H, n_W: rows and columns of what comes out (about 2 lines)
    n_H = (n_H_prev + 2 * pad - f) // stride + 1
    n_W = (n_W_prev + 2 * pad - f) // stride + 1
    ### END CODE HERE ###
    return n_H, n_W


# GRADED FUNCTION: window
def window(h, w, f, stride):
    """
    Returns:
    top, bottom, left, right -- where the window of Z[:, h, w, :] is: a[top:bottom, left:right] of a padded image
    """
    ### START CODE HERE ### blank 4, top, bottom, left, right: where the window is (about 4 lines)
    top = h * stride
    bottom = top + f
    left = w * stride
    right = left + f
    ### END CODE HERE ###
    return top, bottom, left, right


# GRADED FUNCTION: conv_forward
def conv_forward(A_prev, W, b, stride, pad):
    """
    Arguments:
    A_prev -- images, (m, n_H_prev, n_W_prev, n_C_prev)
    W -- filters, (f, f, n_C_prev, n_C)
    b -- their biases, (1, 1, 1, n_C)

    Returns:
    Z -- (m, n_H, n_W, n_C)
    cache -- for the backward pass
    """
    m, n_H_prev, n_W_prev, _ = A_prev.shape
    f, _, _, n_C = W.shape
    n_H, n_W = output_size(n_H_prev, n_W_prev, f, stride, pad)
    A_prev_pad = zero_pad(A_prev, pad)
    Z = np.zeros((m, n_H, n_W, n_C))
    for i in range(m):
        for h in range(n_H):
            for w in range(n_W):
                top, bottom, left, right = window(h, w, f, stride)
                for c in range(n_C):
                    ### START CODE HERE ### blank 5, z: what filter c makes of this window of image i (about 2 lines)
                    a_slice = A_prev_pad[i, top:bottom, left:right, :]
                    z = conv_single_step(a_slice, W[:, :, :, c], b[:, :, :, c])
                    ### END CODE HERE ###
                    Z[i, h, w, c] = z
    return Z, (A_prev, W, b, stride, pad)


# GRADED FUNCTION: conv_backward
def conv_backward(dZ, cache):
    """
    Arguments:
    dZ -- gradient of the cost in Z, (m, n_H, n_W, n_C)
    cache -- as conv_forward returned it

    Returns:
    dA_prev, dW, db -- gradients of the cost in A_prev, W and b, of their shapes
    """
    A_prev, W, b, stride, pad = cache
    m, n_H, n_W, n_C = dZ.shape
    f = W.shape[0]
    A_prev_pad = zero_pad(A_prev, pad)
    dA_prev_pad = np.zeros(A_prev_pad.shape)
    dW = np.zeros(W.shape)
    db = np.zeros(b.shape)
    for i in range(m):
        for h in range(n_H):
            for w in range(n_W):
                top, bottom, left, right = window(h, w, f, stride)
                for c in range(n_C):
                    ### START CODE HERE ### blank 6, dA_prev_pad: add what this window gets (about 1 line)
                    dA_prev_pad[i, top:bottom, left:right, :] += W[:, :, :, c] * dZ[i, h, w, c]
                    ### END CODE HERE ###
                    ### START CODE HERE ### blank 7, dW: add what filter c gets (about 1 line)
                    dW[:, :, :, c] += A_prev_pad[i, top:bottom, left:right, :] * dZ[i, h, w, c]
                    ### END CODE HERE ###
                    ### START CODE HERE ### blank 8, db: add what the bias of filter c gets (about 1 line)
                    db[:, :, :, c] += dZ[i, h, w, c]
                    ### END CODE HERE ###
    ### START CODE HERE ### blank 9, dA_prev: dA_prev_pad without the padding (about 1 line)
    dA_prev = dA_prev_pad[:, pad : pad + A_prev.shape[1], pad : pad + A_prev.shape[2], :]
    ### END CODE HERE ###
    return dA_prev, dW, db


if __name__ == "__main__":
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parents[1]))  # where the checker is
    import checker

    checker.main(__file__)
