"""Typical mistakes in the exercises: what a student writes into a blank, and a part of what the checker says of it."""

from __future__ import annotations

MUTANTS: dict[str, dict[int, list[tuple[str, str]]]] = {
    "forward": {
        1: [
            ("A = 1 / (1 + np.exp(Z))", "with a minus sign in the exponent"),
            ("A = 1 / np.exp(-Z)", "lacks the 1 in the denominator"),
            ("A = np.exp(-Z) / (1 + np.exp(-Z))", "one minus the sigmoid"),
            ("A = 1 / (1 - np.exp(-Z))", "has a minus in the denominator"),
            ("s = 1 / (1 + np.exp(-Z))\nA = s * (1 - s)", "is the derivative of the sigmoid"),
            ("A = np.tanh(Z)", "is tanh, not the sigmoid"),
            ("A = Z", "is Z itself"),
            ("A = 2 / (1 + np.exp(-Z))", "is 2 times what it should be, in every entry"),
            ("A = -1 / (1 + np.exp(-Z))", "has the wrong sign"),
            ("a = 1 / (1 + np.exp(-Z))", "nothing is assigned to A"),
            ("A = 1 / (1 + np.exp(-z))", "raises NameError: name 'z' is not defined"),
            ("A = 1 / (1 + np.exp(-Z)", "is not Python"),
            ("A = [[1 / (1 + np.exp(-z)) for z in row] for row in Z] + [0]", "expected an array of numbers"),
            ("return 1 / (1 + np.exp(-Z))", "the blank leaves sigmoid with return"),
        ],
        2: [
            ("A = np.minimum(0, Z)", "the smaller of the two"),
            ("A = np.abs(Z)", "is the absolute value"),
            ("A = Z > 0", "that is the derivative"),
            ("A = Z", "is Z itself"),
            ("A = np.max(Z)", "np.maximum works entry by entry"),
            ("A = np.where(Z > 0, Z, 0.01 * Z)", "is wrong only where Z is negative: A[0, 0] is -0.03, expected 0"),
            ("Z[Z < 0] = 0\nA = Z", "the argument Z is changed in place"),
            ("A = max(0, Z)", "np.maximum and np.where take arrays"),
        ],
        3: [
            ("Z = W.T @ A_prev + b", "with W transposed"),
            ("Z = A_prev @ W + b", "with A_prev in front of W"),
            ("Z = W @ A_prev.T + b", "with A_prev transposed"),
            ("Z = W * A_prev + b", "is an entrywise product"),
            ("Z = W @ A_prev", "lacks the term b"),
            ("Z = W @ A_prev - b", "the term b with the wrong sign"),
            ("Z = W @ A_prev + b.T", "has b as a row"),
            ("Z = (W @ A_prev + b).T", "is the transpose of what is right"),
            ("Z = W @ A_prev + 2 * b", "has 2 times the term b"),
            ("Z = W @ A_prev + c", "name 'c' is not defined"),
            ("Z = W @ A_prev + b\nZ = Z / A_prev.shape[1]", "times what it should be, in every entry"),
        ],
        4: [
            (
                'A, cache = linear_activation_forward(A_prev, parameters["W" + str(layer)], '
                'parameters["b" + str(layer)], "sigmoid")',
                "comes from a sigmoid",
            ),
            (
                'A, cache = linear_activation_forward(X, parameters["W" + str(layer)], '
                'parameters["b" + str(layer)], "relu")',
                "computed from X in each layer",
            ),
            (
                'A, cache = linear_activation_forward(A_prev, parameters["W1"], parameters["b1"], "relu")',
                "computed with W1 and b1 in each layer",
            ),
            (
                'A, cache = linear_activation_forward(A_prev, parameters["W" + layer], parameters["b1"], "relu")',
                "raises TypeError: can only concatenate str",
            ),
            (
                'A = linear_activation_forward(A_prev, parameters["W" + str(layer)], '
                'parameters["b" + str(layer)], "relu")',
                "nothing is assigned to cache",
            ),
            (
                'A = linear_activation_forward(A_prev, parameters["W" + str(layer)], '
                'parameters["b" + str(layer)], "relu")[0]',
                "nothing is assigned to cache",
            ),
            (
                'A, cache = linear_activation_forward(A_prev, parameters["W" + str(layer)], '
                'parameters["b" + str(layer)], "relu")\ncache = (cache[0], A)',
                "cache holds A in place of Z",
            ),
        ],
        5: [
            (
                'AL, cache = linear_activation_forward(A, parameters["W" + str(L)], parameters["b" + str(L)], "relu")',
                "comes from a ReLU",
            ),
            (
                'AL, cache = linear_activation_forward(X, parameters["W" + str(L)], parameters["b" + str(L)], '
                '"sigmoid")',
                "computed from X",
            ),
            (
                'AL, cache = linear_activation_forward(A_prev, parameters["W" + str(L)], parameters["b" + str(L)], '
                '"sigmoid")',
                "computed from A_prev",
            ),
            (
                'AL, cache = linear_activation_forward(A, parameters["W" + str(L - 1)], '
                'parameters["b" + str(L - 1)], "sigmoid")',
                "with the parameters of layer",
            ),
            (
                'AL, cache = linear_activation_forward(A, parameters["W" + str(L + 1)], '
                'parameters["b" + str(L + 1)], "sigmoid")',
                "raises KeyError: 'W",
            ),
        ],
        6: [
            ("cost = np.mean(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))", "has the wrong sign"),
            (
                "cost = -np.sum(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))",
                "cost is m = 5 times too large: divide by the number of examples",
            ),
            ("cost = -np.mean(Y * np.log(AL) + (1 - Y) * np.log(1 - AL)) / m", "divided by m once too often"),
            ("cost = -np.mean(Y * np.log(AL))", "lacks the term of the examples with label 0"),
            ("cost = -np.mean((1 - Y) * np.log(1 - AL))", "lacks the term of the examples with label 1"),
            ("cost = -np.mean(Y * np.log(AL) - (1 - Y) * np.log(1 - AL))", "the two terms are added"),
            ("cost = -np.mean(Y * np.log(AL) + (1 - Y) * np.log(AL))", "log(a) in both terms"),
            ("cost = -(Y * np.log(AL) + (1 - Y) * np.log(1 - AL)) / m", "a number for each example: add up"),
            ("cost = -np.mean(Y * np.log2(AL) + (1 - Y) * np.log2(1 - AL))", "take np.log, not np.log2"),
            ("cost = -np.mean(Y * np.log10(AL) + (1 - Y) * np.log10(1 - AL))", "take np.log, not np.log10"),
            ("cost = np.mean((Y - AL) ** 2)", "is the mean squared error"),
            (
                "cost = -(Y @ np.log(AL).T + (1 - Y) @ np.log(1 - AL).T) / m",
                "an array of shape (1, 1), expected a number",
            ),
        ],
    },
    "backward": {
        1: [
            (
                "dW = dZ @ A_prev.T",
                "dW has the right shape but is m = 5 times too large: divide by the number of examples",
            ),
            ("dW = A_prev @ dZ.T / m", "dW is the transpose of what is right"),
            ("dW = A_prev @ dZ.T", "transposed; besides, dW is m = 5 times too large"),
            ("dW = dZ @ A_prev / m", "the second factor is A_prev transposed"),
            ("dW = dZ * A_prev / m", "is an entrywise product"),
            ("dW = -dZ @ A_prev.T / m", "has the wrong sign"),
            ("dW = dZ @ A_prev.T / m / m", "divided by m once too often"),
            ("dW = dZ @ A_prev.T / A_prev.shape[0]", "times what it should be"),
            ("dW = dZ @ A_prev.T / dZ.shape[0]", "is divided by the number of units"),
            ("dW = np.mean(dZ @ A_prev.T)", "is one number, expected an array of shape"),
            ("dW = W @ A_prev.T / m", "check the order of factors"),
            ("dW = dZ.T @ A_prev.T / m", "dZ is not transposed"),
        ],
        2: [
            ("db = np.sum(dZ, axis=1, keepdims=True)", "is m = 5 times too large: divide by the number of examples"),
            (
                "db = np.sum(dZ, axis=1) / m",
                "its numbers are right; keep the axis that you sum over, with keepdims=True",
            ),
            ("db = np.sum(dZ, axis=1)", "keepdims=True; besides, db is m = 5 times too large"),
            ("db = np.sum(dZ, axis=0, keepdims=True) / m", "adds up over the units"),
            ("db = np.sum(dZ, axis=0) / m", "adds up over the units"),
            ("db = np.sum(dZ) / m", "np.sum adds up all of dZ"),
            ("db = np.mean(dZ)", "np.mean averages all of dZ"),
            ("db = dZ", "is dZ itself"),
            ("db = dZ / m", "is not added up"),
            ("db = -np.mean(dZ, axis=1, keepdims=True)", "has the wrong sign"),
            ("db = np.mean(dZ, axis=1, keepdims=True) / m", "divided by m once too often"),
        ],
        3: [
            ("dA_prev = W @ dZ", "with W, not with its transpose"),
            ("dA_prev = dZ @ W", "is dZ W: the product is W^T dZ"),
            ("dA_prev = dZ.T @ W", "is the transpose of what is right"),
            ("dA_prev = W.T * dZ", "is an entrywise product"),
            ("dA_prev = W.T @ dZ / m", "no division by m here"),
            ("dA_prev = -W.T @ dZ", "has the wrong sign"),
        ],
        4: [
            ("dZ = dA * (dA > 0)", "has its mask from dA"),
            ("dZ = relu(dA)", "has its mask from dA"),
            ("dZ = Z > 0", "is the derivative of the ReLU alone"),
            ("dZ = dA * relu(Z)", "is dA times the ReLU of Z"),
            ("dZ = dA * (Z < 0)", "the other way round"),
            ("dZ = dA", "is dA itself"),
            ("dZ = dA\ndZ[Z <= 0] = 0", "the argument dA is changed in place"),
            ("dZ = np.where(Z > 0, dA, 0.01 * dA)", "is wrong only where Z is negative"),
        ],
        5: [
            ("dZ = dA * Z * (1 - Z)", "is dA Z (1 - Z)"),
            ("dZ = dA * sigmoid(Z)", "is dA s, with s = sigmoid(Z)"),
            ("dZ = dA * (1 - sigmoid(Z))", "is dA (1 - s)"),
            ("dZ = sigmoid(Z) * (1 - sigmoid(Z))", "multiply it by dA"),
            ("dZ = dA * sigmoid(dA) * (1 - sigmoid(dA))", "has the derivative at dA"),
            ("dZ = dA * (1 - sigmoid(Z) ** 2)", "has the derivative of tanh"),
            ("s = sigmoid(sigmoid(Z))\ndZ = dA * s * (1 - s)", "takes the sigmoid twice"),
            ("dZ = -dA * sigmoid(Z) * (1 - sigmoid(Z))", "has the wrong sign"),
            ("dZ = dA @ sigmoid(Z) * (1 - sigmoid(Z))", "raises ValueError"),
        ],
        6: [
            ("dAL = Y / AL - (1 - Y) / (1 - AL)", "has the wrong sign"),
            ("dAL = AL - Y", "that is dZ of the last layer"),
            ("dAL = Y - AL", "is Y - AL"),
            ("dAL = -(Y / AL + (1 - Y) / (1 - AL))", "has a plus between its two terms"),
            ("dAL = -Y / AL", "lacks the term (1 - Y) / (1 - AL)"),
            ("dAL = (1 - Y) / (1 - AL)", "lacks the term -Y / AL"),
            ("dAL = -(Y / AL - (1 - Y) / (1 - AL)) / Y.shape[1]", "linear_backward divides, once"),
        ],
        7: [
            (
                "dA_prev, dW, db = linear_activation_backward("
                'grads["dA" + str(layer)], caches[layer - 1], activation="sigmoid")',
                "hidden layers have the activation ReLU",
            ),
            (
                "dA_prev, dW, db = linear_activation_backward("
                'grads["dA" + str(layer)], caches[layer], activation="relu")',
                "the cache of another layer, with 1; that of layer l is caches[l - 1]",
            ),
            (
                "dA_prev, dW, db = linear_activation_backward("
                'grads["dA" + str(layer)], caches[layer - 2], activation="relu")',
                "the cache of layer l - 1",
            ),
            (
                'dA_prev, dW, db = linear_activation_backward(dA, caches[layer - 1], activation="relu")',
                "from dA of layer L - 1 in each layer",
            ),
            (
                "dA_prev, db, dW = linear_activation_backward("
                'grads["dA" + str(layer)], caches[layer - 1], activation="relu")',
                "dW3 has the shape (3, 1), expected (3, 3)",
            ),
            (
                "dA_prev, dW, db = linear_activation_backward("
                'grads["dA" + str(layer + 1)], caches[layer - 1], activation="relu")',
                "raises KeyError: 'dA4'",
            ),
        ],
        8: [
            ("dW = dZ @ A_prev.T / m", "lacks the term of the regularisation"),
            ("dW = dZ @ A_prev.T / m + lambd * W", "the term is divided by m too"),
            ("dW = dZ @ A_prev.T / m + lambd / (2 * m) * W", "the 2 goes with the derivative"),
            ("dW = dZ @ A_prev.T / m + lambd / (2 * m) * np.square(W)", "its derivative is lambd / m W"),
            ("dW = dZ @ A_prev.T / m + lambd / (2 * m) * np.sum(np.square(W))", "the whole sum of the squares"),
            ("dW = dZ @ A_prev.T / m - lambd / m * W", "lambd / m W with the wrong sign"),
            ("dW = dZ @ A_prev.T / m + lambd / m * np.sign(W)", "that is L1"),
            ("dW = lambd / m * W", "the term of the regularisation alone"),
            ("dW = dZ @ A_prev.T + lambd / m * W", "is not divided by m in its first term"),
            ("dW = dZ @ A_prev.T / m + 3 * lambd / m * W", "has 3 times the term lambd / m W"),
        ],
        9: [
            (
                'W = parameters["W" + str(layer)] + learning_rate * grads["dW" + str(layer)]\n'
                'b = parameters["b" + str(layer)] + learning_rate * grads["db" + str(layer)]',
                "W1 goes up the gradient",
            ),
            (
                'W = parameters["W" + str(layer)] - grads["dW" + str(layer)]\n'
                'b = parameters["b" + str(layer)] - learning_rate * grads["db" + str(layer)]',
                "W1 has a step without the learning rate",
            ),
            (
                'W = parameters["W" + str(layer)] - learning_rate * grads["dW" + str(layer)]\n'
                'b = parameters["b" + str(layer)]',
                "b1 is what it was before",
            ),
            ('W = parameters["W" + str(layer)] - learning_rate * grads["dW" + str(layer)]\nb = ...', "b1 is still ..."),
            (
                'W = parameters["W" + str(layer)]\nW -= learning_rate * grads["dW" + str(layer)]\n'
                'b = parameters["b" + str(layer)] - learning_rate * grads["db" + str(layer)]',
                "the argument parameters is changed in place",
            ),
        ],
    },
    "initialisation": {
        1: [
            ("W = np.zeros((layers_dims[layer], layers_dims[layer - 1]))", "is the same for all units"),
            ("W = 0.01 * np.ones((layers_dims[layer], layers_dims[layer - 1]))", "is the same for all units"),
            ("W = 0.01 * rng.random((layers_dims[layer], layers_dims[layer - 1]))", "rng.random is uniform"),
            (
                "W = 0.01 * rng.uniform(-1, 1, (layers_dims[layer], layers_dims[layer - 1]))",
                "is uniform, expected normal",
            ),
            ("W = rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))", "that nothing scales"),
            (
                "W = 10 * rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))",
                "which is 10; expected 0.01",
            ),
            ("W = 0.01 * rng.standard_normal((layers_dims[layer - 1], layers_dims[layer]))", "n[l] rows"),
            ("W = 0.01 * rng.standard_normal(layers_dims[layer])", "W1 has the shape (100,), expected (100, 400)"),
            (
                "W = 0.01 * np.random.randn(layers_dims[layer], layers_dims[layer - 1])",
                "take the random numbers from rng, not from np.random",
            ),
            (
                "rng = np.random.default_rng(0)\n"
                "W = 0.01 * rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))",
                "the same with another rng",
            ),
            (
                "W = 0.01 * rng.standard_normal((1, layers_dims[layer - 1])) * np.ones((layers_dims[layer], 1))",
                "is the same for all units",
            ),
            ("W = 0.01 * rng.standard_normal((layers_dims[layer], layers_dims[layer + 1]))", "raises IndexError"),
        ],
        2: [
            ("b = np.zeros(layers_dims[layer])", "has one dimension: b is a column"),
            ("b = np.zeros((1, layers_dims[layer]))", "b is a column"),
            ("b = np.zeros((layers_dims[layer - 1], 1))", "has the size of the layer before"),
            ("b = np.zeros((layers_dims[layer], layers_dims[layer - 1]))", "has the shape of W"),
            ("b = np.ones((layers_dims[layer], 1))", "is 1, expected 0"),
            ("b = rng.standard_normal((layers_dims[layer], 1))", "b1 is not 0"),
            ("b = 0", "b1 is one number, expected an array of shape (3, 1)"),
        ],
        3: [
            (
                "W = np.sqrt(1 / layers_dims[layer - 1]) * rng.standard_normal((layers_dims[layer], "
                "layers_dims[layer - 1]))",
                "which is sqrt(1 / n[l-1]); expected sqrt(2 / n[l-1])",
            ),
            (
                "n = layers_dims[layer]\nW = np.sqrt(2 / n) * rng.standard_normal((n, layers_dims[layer - 1]))",
                "which is sqrt(2 / n[l]); expected",
            ),
            (
                "W = 2 / layers_dims[layer - 1] * rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))",
                "without the root",
            ),
            (
                "W = 0.01 * rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))",
                "which is 0.01; expected sqrt(2 / n[l-1])",
            ),
            (
                "W = np.sqrt(2 / (layers_dims[layer] + layers_dims[layer - 1])) * "
                "rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))",
                "which is sqrt(2 / (n[l-1] + n[l]))",
            ),
            (
                "W = np.sqrt(layers_dims[layer - 1] / 2) * rng.standard_normal((layers_dims[layer], "
                "layers_dims[layer - 1]))",
                "which is sqrt(n[l-1] / 2)",
            ),
            (
                "W = np.sqrt(2 / layers_dims[layer - 1]) * rng.random((layers_dims[layer], layers_dims[layer - 1]))",
                "expected 0: rng.random is uniform",
            ),
            (
                "W = np.sqrt(2 / layers_dims[0]) * rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))",
                "W2 has the standard deviation",
            ),
        ],
        4: [
            (
                "W = np.sqrt(2 / layers_dims[layer - 1]) * rng.standard_normal((layers_dims[layer], "
                "layers_dims[layer - 1]))",
                "which is sqrt(2 / n[l-1]); expected sqrt(1 / n[l-1])",
            ),
            (
                "W = 1 / layers_dims[layer - 1] * rng.standard_normal((layers_dims[layer], layers_dims[layer - 1]))",
                "1 / n[l-1], without the root",
            ),
            (
                "seeded = np.random.default_rng(layer * 0 + int(rng.integers(1)))\n"
                "W = np.sqrt(1 / layers_dims[layer - 1]) * seeded.standard_normal((layers_dims[layer], "
                "layers_dims[layer - 1]))",
                "the same with another rng",
            ),
        ],
    },
    "dropout": {
        1: [
            ("D = rng.random(A.shape) > keep_prob", "the other way round"),
            ("D = rng.random(A.shape)", "other numbers than 0 and 1"),
            ("D = rng.standard_normal(A.shape) < keep_prob", "normal numbers are not uniform"),
            ("D = rng.random(A.shape) < 0.5", "compare with keep_prob, not with 0.5"),
            ("D = rng.random((A.shape[0], 1)) < keep_prob", "expected (40, 250), that of A"),
            ("D = (rng.random((A.shape[0], 1)) < keep_prob) * np.ones(A.shape)", "the same in whole rows or columns"),
            ("D = np.random.rand(*A.shape) < keep_prob", "not from np.random"),
            ("D = A < keep_prob", "the same with another rng"),
            ("D = np.ones(A.shape)", "the same with another rng"),
            ("D = rng.random() < keep_prob", "expected (40, 250), that of A"),
        ],
        2: [
            ("A_dropped = A * (1 - D)", "keeps what D drops"),
            ("A_dropped = A", "nothing was dropped"),
            ("A_dropped = D", "is the mask"),
            ("A_dropped = A[D]", "holds only the entries that are kept"),
            ("A_dropped = A * D / keep_prob", "the scaling is blank 3"),
            ("A[~D] = 0\nA_dropped = A", "the argument A is changed in place"),
            ("A_dropped = A @ D", "check the order of factors"),
        ],
        3: [
            ("A_scaled = A_dropped", "is not scaled"),
            ("A_scaled = A_dropped * keep_prob", "is multiplied by keep_prob: divide"),
            ("A_scaled = A_dropped / (1 - keep_prob)", "divided by 1 - keep_prob"),
            ("A_scaled = A / keep_prob", "with nothing dropped"),
            ("A_scaled = A_dropped / np.sum(D)", "the number of units that are kept"),
        ],
        4: [
            ("dA_prev = dA / keep_prob", "has no mask"),
            ("dA_prev = dA * D", "is not scaled"),
            ("dA_prev = dA * D * keep_prob", "is multiplied by keep_prob"),
            ("dA_prev = dA", "is dA itself"),
            ("dA_prev = dA * (1 - D) / keep_prob", "has the mask the wrong way round"),
            ("dA_prev = dA * D / (1 - keep_prob)", "divided by 1 - keep_prob"),
        ],
        5: [
            ("A_test = A * keep_prob", "nothing is left to scale"),
            ("A_test = A / keep_prob", "that belongs to training"),
            ("A_test = A * (np.random.random(A.shape) < keep_prob) / keep_prob", "nothing is dropped at test time"),
        ],
    },
    "gradient_check": {
        1: [
            ("J_plus = theta + epsilon", "is the place, theta + epsilon"),
            ("J_plus = J(theta - epsilon)", "is the cost on the left"),
            ("J_plus = J(theta)", "the cost at theta itself"),
            ("J_plus = J(theta) + epsilon", "move theta, not the cost"),
            ("J_plus = J(theta + 2 * epsilon)", "is two steps away"),
        ],
        2: [
            ("J_minus = J(theta + epsilon)", "the same side as J_plus"),
            ("J_minus = J(theta)", "makes a one-sided quotient"),
            ("J_minus = theta - epsilon", "is the place, theta - epsilon"),
            ("J_minus = J(theta) - epsilon", "move theta, not the cost"),
        ],
        3: [
            ("gradapprox = (J_plus - J_minus) / epsilon", "is 2 times too large: the places are 2 epsilon apart"),
            ("gradapprox = (J_plus - J_minus) / 2 * epsilon", "write / (2 * epsilon)"),
            ("gradapprox = J_plus - J_minus / (2 * epsilon)", "put parentheses around J_plus - J_minus"),
            ("gradapprox = (J_minus - J_plus) / (2 * epsilon)", "has the wrong sign"),
            ("gradapprox = (J_plus + J_minus) / (2 * epsilon)", "adds the two costs"),
            ("gradapprox = (J_plus - J(theta)) / epsilon", "is one-sided"),
            ("gradapprox = J_plus - J_minus", "is the difference of the costs"),
            ("gradapprox = (J_plus - J_minus) / 2", "is not divided by epsilon"),
        ],
        4: [
            ("difference = np.linalg.norm(grad - gradapprox)", "divide by the sum of the two norms"),
            ("difference = np.linalg.norm(grad - gradapprox) / np.linalg.norm(grad)", "by the norm of grad alone"),
            (
                "difference = np.linalg.norm(grad - gradapprox) / np.linalg.norm(grad + gradapprox)",
                "by the norm of the sum",
            ),
            (
                "difference = np.linalg.norm(grad - gradapprox) / (np.linalg.norm(grad) * np.linalg.norm(gradapprox))",
                "the product of the norms",
            ),
            (
                "difference = abs(np.linalg.norm(grad) - np.linalg.norm(gradapprox)) / "
                "(np.linalg.norm(grad) + np.linalg.norm(gradapprox))",
                "may lie far apart",
            ),
            (
                "difference = np.sum((grad - gradapprox) ** 2) / (np.sum(grad**2) + np.sum(gradapprox**2))",
                "is made of squared norms",
            ),
            (
                "difference = (grad - gradapprox) / (np.linalg.norm(grad) + np.linalg.norm(gradapprox))",
                "take its norm",
            ),
            (
                "difference = 2 * np.linalg.norm(grad - gradapprox) / "
                "(np.linalg.norm(grad) + np.linalg.norm(gradapprox))",
                "not by their mean",
            ),
            ("difference = np.abs(grad - gradapprox) / (np.abs(grad) + np.abs(gradapprox))", "entry by entry"),
        ],
        5: [
            ("thetaplus = theta + epsilon", "is moved in all entries"),
            ("thetaplus = theta\nthetaplus[i] += epsilon", "the argument theta is changed in place"),
            ("thetaplus = np.copy(theta)\nthetaplus[i] = epsilon", "has epsilon in place of theta[i]"),
            ("thetaplus = np.copy(theta)\nthetaplus[i] -= epsilon", "is moved to the left"),
            ("thetaplus = np.copy(theta)\nthetaplus[i] += 2 * epsilon", "is moved by 2 epsilon"),
            ("thetaplus = np.copy(theta)", "is theta itself"),
            ("thetaplus = theta[i] + epsilon", "holds entry i alone"),
        ],
        6: [
            ("thetaminus = np.copy(theta)\nthetaminus[i] += epsilon", "as thetaplus is"),
            ("thetaminus = theta - epsilon", "is moved in all entries"),
            ("thetaminus = theta\nthetaminus[i] -= epsilon", "the argument theta is changed in place"),
            ("thetaminus = thetaplus\nthetaminus[i] -= epsilon", "thetaminus at i = 0 is theta itself"),
        ],
    },
    "adam": {
        1: [
            ("v = beta1 * v + dW", "has no factor 1 - beta1 at dW"),
            ("v = (1 - beta1) * v + beta1 * dW", "has the weights exchanged"),
            ("v = beta2 * v + (1 - beta2) * dW", "has the other beta: here it is beta1"),
            ("v = beta1 * v + (1 - beta1) * np.square(dW)", "is an average of squares"),
            ("v = beta1 * v - (1 - beta1) * dW", "subtracts dW"),
            ("v = (1 - beta1) * dW", "forgets the old average"),
            ("v = v + (1 - beta1) * dW", "has no factor beta1 at the old average"),
            ("v *= beta1\nv += (1 - beta1) * dW", "the argument v is changed in place"),
            ("v = (beta1 * v + (1 - beta1) * dW) / (1 - beta1**t)", "does not belong into the average"),
        ],
        2: [
            ("v_corrected = v", "is not corrected: divide v by 1 - beta1^t"),
            ("v_corrected = v / (1 - beta1**2)", "a fixed power"),
            ("v_corrected = v / (1 - beta1)", "without the power"),
            ("v_corrected = v / (1 - beta2**t)", "has the other beta in its correction"),
            ("v_corrected = v * (1 - beta1**t)", "is multiplied by the correction"),
            ("v_corrected = v / (1 - beta1 * t)", "t is a power"),
            ("v_corrected = v / (1 - beta1 ** (t - 1))", "has the power t - 1"),
            ("v_corrected = v / (1 - beta1 ** (t + 1))", "has the power t + 1"),
            ("v_corrected = v / beta1**t", "is divided by beta1^t"),
        ],
        3: [
            ("s = beta2 * s + (1 - beta2) * dW", "s is the average of its square"),
            ("s = beta1 * s + (1 - beta1) * np.square(dW)", "has the other beta: here it is beta2"),
            ("s = beta2 * s + np.square(dW)", "has no factor 1 - beta2"),
            ("s = beta2 * s + np.square((1 - beta2) * dW)", "squares the factor too"),
            ("s = beta2 * s + (1 - beta2) * np.square(v)", "is an average of v^2"),
            ("s = s + np.square(dW)", "is the sum of the old average and dW^2"),
        ],
        4: [
            ("s_corrected = s / (1 - beta2)", "without the power"),
            ("s_corrected = s / (1 - beta1**t)", "has the other beta"),
            ("s_corrected = s", "is not corrected"),
            ("s_corrected = v / (1 - beta2**t)", "s_corrected is not right: s_corrected["),
        ],
        5: [
            ("W = W + learning_rate * v_corrected / (np.sqrt(s_corrected) + epsilon)", "goes up"),
            ("W = W - learning_rate * v_corrected / np.sqrt(s_corrected + epsilon)", "epsilon inside the root"),
            ("W = W - learning_rate * v_corrected / np.sqrt(s_corrected) + epsilon", "adds epsilon after the step"),
            ("W = W - learning_rate * v_corrected / np.sqrt(s_corrected)", "lacks epsilon"),
            ("W = W - learning_rate * v_corrected / (s_corrected + epsilon)", "lacks the root"),
            ("W = W - v_corrected / (np.sqrt(s_corrected) + epsilon)", "lacks the learning rate"),
            ("W = W - learning_rate * v / (np.sqrt(s_corrected) + epsilon)", "v in place of v_corrected"),
            ("W = W - learning_rate * v_corrected / (np.sqrt(s) + epsilon)", "s in place of s_corrected"),
            ("W = W - learning_rate * v / (np.sqrt(s) + epsilon)", "is made with v and s"),
            ("W = W - learning_rate * dW / (np.sqrt(s_corrected) + epsilon)", "dW in place of v_corrected"),
            ("W = learning_rate * v_corrected / (np.sqrt(s_corrected) + epsilon)", "is the step alone"),
            ("W = W - learning_rate * dW", "is plain gradient descent"),
            (
                "W -= learning_rate * v_corrected / (np.sqrt(s_corrected) + epsilon)",
                "the argument W is changed in place",
            ),
        ],
    },
    "batch_norm": {
        1: [
            ("mu = np.mean(Z, axis=0, keepdims=True)", "over the units (axis=0)"),
            ("mu = np.mean(Z, axis=1)", "its numbers are right; keep the axis"),
            ("mu = np.mean(Z)", "is the mean over everything"),
            ("mu = np.sum(Z, axis=1, keepdims=True)", "is m = 5 times too large"),
            ("mu = np.mean(Z, axis=1, keepdims=True) / m", "divided by m once too often"),
        ],
        2: [
            ("var = np.std(Z, axis=1, keepdims=True)", "is the standard deviation"),
            ("var = np.var(Z, axis=1, keepdims=True, ddof=1)", "is divided by m - 1"),
            ("var = np.mean(np.square(Z), axis=1, keepdims=True)", "subtract mu first"),
            ("var = np.sum(np.square(Z - mu), axis=1, keepdims=True)", "is m = 5 times too large"),
            ("var = np.var(Z, axis=0, keepdims=True)", "over the units (axis=0)"),
            ("var = np.var(Z)", "over everything"),
            ("var = np.mean(Z - mu, axis=1, keepdims=True)", "is the mean deviation, which is 0"),
            ("var = np.square(Z - mu)", "is not averaged over the examples"),
            ("var = np.var(Z, axis=1)", "keep the axis that you sum over"),
        ],
        3: [
            ("Z_norm = (Z - mu) / (var + epsilon)", "is divided by the variance"),
            ("Z_norm = (Z - mu) / (np.sqrt(var) + epsilon)", "has epsilon outside the root"),
            ("Z_norm = (Z - mu) / np.sqrt(var)", "lacks epsilon"),
            ("Z_norm = Z / np.sqrt(var + epsilon)", "lacks the mean"),
            ("Z_norm = Z - mu", "divide by sqrt(variance + epsilon)"),
            ("Z_norm = Z - mu / np.sqrt(var + epsilon)", "divides the mean alone"),
            ("Z_norm = (Z - mu) * np.sqrt(var + epsilon)", "is multiplied by the root"),
            ("Z_norm = (mu - Z) / np.sqrt(var + epsilon)", "has the wrong sign"),
        ],
        4: [
            ("Z_tilde = beta * Z_norm + gamma", "has gamma and beta exchanged"),
            ("Z_tilde = gamma * (Z_norm + beta)", "scales beta too"),
            ("Z_tilde = gamma * Z_norm", "lacks the term beta"),
            ("Z_tilde = gamma * Z_norm - beta", "the term beta with the wrong sign"),
            ("Z_tilde = Z_norm + beta", "lacks gamma"),
            ("Z_tilde = gamma * Z + beta", "is made of Z"),
            ("Z_tilde = gamma @ Z_norm + beta", "raises ValueError"),
        ],
        5: [
            (
                "running_mean = (1 - momentum) * running_mean + momentum * mu\n"
                "running_var = momentum * running_var + (1 - momentum) * var * m / (m - 1)",
                "running_mean has the weights exchanged",
            ),
            (
                "running_mean = momentum * running_mean + (1 - momentum) * mu\n"
                "running_var = momentum * running_var + (1 - momentum) * var",
                "multiply it by m / (m - 1)",
            ),
            (
                "running_mean = momentum * running_mean + mu\n"
                "running_var = momentum * running_var + (1 - momentum) * var * m / (m - 1)",
                "has no factor 1 - momentum at mu",
            ),
            (
                "running_mean = mu\nrunning_var = momentum * running_var + (1 - momentum) * var * m / (m - 1)",
                "of this batch alone",
            ),
            (
                "running_mean = momentum * running_mean + (1 - momentum) * mu\n"
                "running_var = (1 - momentum) * running_var + momentum * var",
                "running_var has the weights exchanged",
            ),
            (
                "running_mean = momentum * running_mean + (1 - momentum) * mu\n"
                "running_var = momentum * running_var + (1 - momentum) * var * (m - 1) / m",
                "it is m / (m - 1)",
            ),
        ],
        6: [
            (
                "mu = np.mean(Z, axis=1, keepdims=True)\nvar = np.var(Z, axis=1, keepdims=True)\n"
                "Z_tilde = gamma * (Z - mu) / np.sqrt(var + epsilon) + beta",
                "at test time take the running averages",
            ),
            (
                "Z_tilde = gamma * (Z - np.mean(Z, axis=1, keepdims=True)) / np.sqrt(running_var + epsilon) + beta",
                "take running_mean",
            ),
            (
                "Z_tilde = gamma * (Z - running_mean) / np.sqrt(np.var(Z, axis=1, keepdims=True) + epsilon) + beta",
                "take running_var",
            ),
            ("Z_tilde = (Z - running_mean) / np.sqrt(running_var + epsilon)", "is not scaled and shifted"),
            ("Z_tilde = gamma * (Z - running_mean) / (running_var + epsilon) + beta", "is divided by the variance"),
            (
                "Z_tilde = gamma * (Z - running_mean) / (np.sqrt(running_var) + epsilon) + beta",
                "has epsilon outside the root",
            ),
            ("Z_tilde = gamma * (Z - running_mean) / np.sqrt(running_var + epsilon)", "lacks the term beta"),
        ],
        7: [
            ("dgamma = np.sum(dZ_tilde * Z, axis=1, keepdims=True)", "is made of Z"),
            ("dgamma = np.mean(dZ_tilde * Z_norm, axis=1, keepdims=True)", "add up over the examples, do not average"),
            ("dgamma = dZ_tilde * Z_norm", "is not added up over the examples"),
            ("dgamma = np.sum(dZ_tilde, axis=1, keepdims=True)", "is the gradient of beta"),
            ("dgamma = np.sum(dZ_tilde * Z_norm, axis=0, keepdims=True)", "over the units (axis=0)"),
            ("dgamma = np.sum(dZ_tilde * Z_norm, axis=1)", "keep the axis that you sum over"),
            ("dgamma = np.sum(dZ_tilde * Z_norm)", "over everything"),
        ],
        8: [
            ("dbeta = np.mean(dZ_tilde, axis=1, keepdims=True)", "add up over the examples, do not average"),
            ("dbeta = np.sum(dZ_tilde * Z_norm, axis=1, keepdims=True)", "is the gradient of gamma"),
            ("dbeta = np.sum(dZ_tilde, axis=0, keepdims=True)", "over the units (axis=0)"),
            ("dbeta = dZ_tilde", "is not added up over the examples"),
            ("dbeta = np.sum(dZ_tilde, axis=1)", "keep the axis that you sum over"),
        ],
        9: [
            ("dZ_norm = dZ_tilde", "lacks gamma"),
            ("dZ_norm = dZ_tilde / gamma", "is divided by gamma"),
            ("dZ_norm = dZ_tilde * Z_norm", "that is for dgamma"),
            ("dZ_norm = dZ_tilde * gamma / np.sqrt(var + epsilon)", "that is on the path to dZ"),
        ],
        10: [
            (
                "dvar = np.sum(dZ_norm * (Z - mu) * 0.5 * (var + epsilon) ** -1.5, axis=1, keepdims=True)",
                "has the wrong sign",
            ),
            (
                "dvar = np.sum(dZ_norm * (Z - mu) * -1 * (var + epsilon) ** -1.5, axis=1, keepdims=True)",
                "is 2 times too large: the power -1/2 comes down",
            ),
            (
                "dvar = np.sum(dZ_norm * (Z - mu) * -0.5 * (var + epsilon) ** -0.5, axis=1, keepdims=True)",
                "has the power -1/2",
            ),
            ("dvar = np.sum(dZ_norm * Z * -0.5 * (var + epsilon) ** -1.5, axis=1, keepdims=True)", "is made of Z:"),
            ("dvar = dZ_norm * (Z - mu) * -0.5 * (var + epsilon) ** -1.5", "is not added up"),
            ("dvar = np.sum(dZ_tilde * (Z - mu) * -0.5 * (var + epsilon) ** -1.5, axis=1, keepdims=True)", "dZ_tilde"),
            (
                "dvar = np.mean(dZ_norm * (Z - mu) * -0.5 * (var + epsilon) ** -1.5, axis=1, keepdims=True)",
                "no 1/m here",
            ),
            ("dvar = np.sum(dZ_norm * (Z - mu) * -0.5 * var**-1.5, axis=1, keepdims=True)", "lacks epsilon"),
        ],
        11: [
            ("dmu = np.sum(dZ_norm / np.sqrt(var + epsilon), axis=1, keepdims=True)", "has the wrong sign"),
            ("dmu = -np.mean(dZ_norm / np.sqrt(var + epsilon), axis=1, keepdims=True)", "no 1/m here"),
            ("dmu = -dZ_norm / np.sqrt(var + epsilon)", "is not added up"),
            ("dmu = -np.sum(dZ_norm / (var + epsilon), axis=1, keepdims=True)", "is divided by the variance"),
            ("dmu = -np.sum(dZ_norm, axis=1, keepdims=True)", "lacks the division by sqrt"),
            ("dmu = -np.sum(dZ_tilde / np.sqrt(var + epsilon), axis=1, keepdims=True)", "is made of dZ_tilde"),
        ],
        12: [
            ("dZ = dZ_norm / np.sqrt(var + epsilon)", "has one path only"),
            (
                "dZ = dZ_norm / np.sqrt(var + epsilon) + dmu / m",
                "lacks the term dvar 2 (Z - mu) / m, the path through var",
            ),
            (
                "dZ = dZ_norm / np.sqrt(var + epsilon) + dvar * 2 * (Z - mu) / m",
                "lacks the term dmu / m, the path through mu",
            ),
            ("dZ = dvar * 2 * (Z - mu) / m + dmu / m", "the path of Z itself"),
            (
                "dZ = dZ_norm / np.sqrt(var + epsilon) + dvar * (Z - mu) / m + dmu / m",
                "has 0.5 times the term dvar 2 (Z - mu) / m",
            ),
            (
                "dZ = dZ_norm / np.sqrt(var + epsilon) + dvar * 2 * (Z - mu) + dmu / m",
                "has 5 times the term dvar 2 (Z - mu) / m",
            ),
            ("dZ = dZ_norm / np.sqrt(var + epsilon) + dvar * 2 * (Z - mu) / m + dmu", "has 5 times the term dmu / m"),
            (
                "dZ = dZ_norm / np.sqrt(var + epsilon) + dvar * 2 * (Z - mu) / m - dmu / m",
                "has the term dmu / m, the path through mu with the wrong sign",
            ),
            ("dZ = dZ_norm + dvar * 2 * (Z - mu) / m + dmu / m", "dZ_norm undivided"),
            ("dZ = dZ_norm / np.sqrt(var + epsilon) + dvar * 2 * Z / m + dmu / m", "has Z in place of Z - mu"),
            (
                "dZ = dZ_tilde / np.sqrt(var + epsilon) + dvar * 2 * (Z - mu) / m + dmu / m",
                "is made of dZ_tilde",
            ),
        ],
    },
    "convolution": {
        1: [
            ("X_pad = np.pad(X, pad)", "along all four axes"),
            ("X_pad = np.pad(X, ((0, 0), (pad, pad), (pad, pad), (pad, pad)))", "along the channels too"),
            ("X_pad = np.pad(X, ((pad, pad), (pad, pad), (0, 0), (0, 0)))", "are the axes 1 and 2"),
            ("X_pad = np.pad(X, ((0, 0), (0, 0), (pad, pad), (pad, pad)))", "along columns and channels"),
            ("X_pad = np.pad(X, ((0, 0), (pad, 0), (pad, 0), (0, 0)))", "on one side only"),
            ("X_pad = np.pad(X, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode='edge')", "copies of the border"),
            ("X_pad = np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)))", "whatever pad is"),
            ("X_pad = X", "is not padded"),
        ],
        2: [
            ("z = np.sum(a_slice * W) + b", "take the number in b, b.item()"),
            ("z = np.sum(a_slice * W)", "lacks the bias"),
            ("z = np.sum(a_slice * W + b)", "added to each product"),
            ("z = a_slice * W + b", "sum over all entries"),
            ("z = np.sum(a_slice * W) - b.item()", "subtracts the bias"),
            ("z = np.mean(a_slice * W) + b.item()", "is the mean of the products"),
            ("z = np.sum(a_slice * W[::-1, ::-1]) + b.item()", "has the filter flipped"),
            ("z = np.sum(a_slice @ W) + b.item()", "raises ValueError"),
        ],
        3: [
            (
                "n_H = (n_H_prev + 2 * pad - f) // stride\nn_W = (n_W_prev + 2 * pad - f) // stride",
                "lacks the + 1 at the end",
            ),
            (
                "n_H = (n_H_prev + pad - f) // stride + 1\nn_W = (n_W_prev + pad - f) // stride + 1",
                "there is padding on both sides",
            ),
            ("n_H = (n_H_prev - f) // stride + 1\nn_W = (n_W_prev - f) // stride + 1", "lacks the padding"),
            (
                "n_H = (n_H_prev + 2 * pad - f) / stride + 1\nn_W = (n_W_prev + 2 * pad - f) / stride + 1",
                "is not rounded",
            ),
            (
                "n_H = int(np.ceil((n_H_prev + 2 * pad - f) / stride)) + 1\n"
                "n_W = int(np.ceil((n_W_prev + 2 * pad - f) / stride)) + 1",
                "is rounded up",
            ),
            ("n_H = n_H_prev + 2 * pad - f + 1\nn_W = n_W_prev + 2 * pad - f + 1", "lacks the stride"),
            (
                "n_H = (n_H_prev + 2 * pad - f) // stride + 1\nn_W = n_H",
                "n_W is computed from the other size",
            ),
            (
                "n_H = np.floor((n_H_prev + 2 * pad - f) / stride) + 1\n"
                "n_W = np.floor((n_W_prev + 2 * pad - f) / stride) + 1",
                "expected an integer",
            ),
            (
                "n_H = (n_H_prev + 2 * pad - f + 1) // stride\nn_W = (n_W_prev + 2 * pad - f + 1) // stride",
                "has the + 1 inside the division",
            ),
        ],
        4: [
            ("top = h\nbottom = top + f\nleft = w\nright = left + f", "top lacks the stride"),
            (
                "top = h * stride\nbottom = top + f - 1\nleft = w * stride\nright = left + f - 1",
                "bottom is one too small: the end of a slice is not in it",
            ),
            (
                "top = h * stride\nbottom = top + stride\nleft = w * stride\nright = left + stride",
                "bottom is start + stride",
            ),
            ("top = w * stride\nbottom = top + f\nleft = h * stride\nright = left + f", "it is h * stride"),
            ("top = h * f\nbottom = top + f\nleft = w * f\nright = left + f", "has f in place of the stride"),
            ("top = h * stride\nbottom = top + f\nleft = w * stride\nright = ...", "right is still ..."),
        ],
        5: [
            (
                "a_slice = A_prev[i, top:bottom, left:right, :]\n"
                "z = conv_single_step(a_slice, W[:, :, :, c], b[:, :, :, c])",
                "raises ValueError: a window of shape",
            ),
            (
                "a_slice = A_prev_pad[0, top:bottom, left:right, :]\n"
                "z = conv_single_step(a_slice, W[:, :, :, c], b[:, :, :, c])",
                "is the same for all images",
            ),
            (
                "a_slice = A_prev_pad[i, top:bottom, left:right, :]\n"
                "z = conv_single_step(a_slice, W[:, :, :, 0], b[:, :, :, 0])",
                "has filter and bias 0 throughout",
            ),
            (
                "a_slice = A_prev_pad[i, top:bottom, left:right, :]\nz = conv_single_step(a_slice, W[:, :, :, c], b)",
                "has all biases added up",
            ),
            (
                "a_slice = A_prev_pad[i, left:right, top:bottom, :]\n"
                "z = conv_single_step(a_slice, W[:, :, :, c], b[:, :, :, c])",
                "has rows and columns exchanged",
            ),
            (
                "a_slice = A_prev_pad[i, top:bottom, left:right, :]\nz = np.sum(a_slice * W[:, :, :, c])",
                "lacks the term b",
            ),
        ],
        6: [
            (
                "dA_prev_pad[i, top:bottom, left:right, :] = W[:, :, :, c] * dZ[i, h, w, c]",
                "windows overlap, so add, with +=",
            ),
            ("dA_prev_pad[i, top:bottom, left:right, :] += W[:, :, :, c]", "gets the filter without dZ"),
            (
                "dA_prev_pad[i, top:bottom, left:right, :] += W[:, :, :, 0] * dZ[i, h, w, c]",
                "gets filter 0 throughout",
            ),
            (
                "dA_prev_pad[i, top:bottom, left:right, :] += W[::-1, ::-1, :, c] * dZ[i, h, w, c]",
                "gets the filter flipped",
            ),
            (
                "dA_prev_pad[i, top:bottom, left:right, :] -= W[:, :, :, c] * dZ[i, h, w, c]",
                "has the wrong sign",
            ),
            (
                "dA_prev_pad[i, top:bottom, left:right, :] += W * dZ[i, h, w, c]",
                "raises ValueError",
            ),
        ],
        7: [
            (
                "dW[:, :, :, c] = A_prev_pad[i, top:bottom, left:right, :] * dZ[i, h, w, c]",
                "is overwritten by each window",
            ),
            ("dW[:, :, :, c] += A_prev_pad[i, top:bottom, left:right, :]", "gets the window without dZ"),
            ("dW[:, :, :, c] += A_prev_pad[0, top:bottom, left:right, :] * dZ[i, h, w, c]", "windows of image 0"),
            (
                "dW += A_prev_pad[i, top:bottom, left:right, :][..., None] * dZ[i, h, w, c]",
                "is added to all filters alike",
            ),
            ("dW[:, :, :, c] += A_prev_pad[i, top:bottom, left:right, :] * dZ[i, h, w, c] / m", "so no 1/m"),
            ("dW[:, :, :, c] += W[:, :, :, c] * dZ[i, h, w, c]", "that is for dA"),
        ],
        8: [
            ("db[:, :, :, c] = dZ[i, h, w, c]", "is overwritten by each place"),
            ("db += dZ[i, h, w, c]", "gets the same for all filters"),
            ("db[:, :, :, c] += dZ[i, h, w, c] / m", "so no 1/m"),
            ("db[:, :, :, c] += 1", "counts the places"),
            ("db[:, :, :, 0] += dZ[i, h, w, c]", "is added to filter 0 throughout"),
        ],
        9: [
            ("dA_prev = dA_prev_pad[:, pad:-pad, pad:-pad, :]", "is empty where pad is 0"),
            ("dA_prev = dA_prev_pad", "still has its padding"),
            ("dA_prev = dA_prev_pad[:, pad:, pad:, :]", "is cut at the beginning only"),
            ("dA_prev = dA_prev_pad[:, 1:-1, 1:-1, :]", "whatever pad is"),
            (
                "dA_prev = dA_prev_pad[:, : A_prev.shape[1], : A_prev.shape[2], :]",
                "is cut at the end only, by twice as much",
            ),
        ],
    },
}
"""By exercise and blank: the lines that are filled in, and what is said."""
