# kind: healthy
# words: 
import numpy as np
np.random.seed(3)
X = np.random.randn(2, 30); Y = (X[:1] * X[1:] > 0).astype(int)
dims = [2, 6, 6, 1]
parameters = {}
for l in range(1, 4):
    parameters['W%d' % l] = np.random.randn(dims[l], dims[l - 1]) / np.sqrt(dims[l - 1]); parameters['b%d' % l] = np.zeros((dims[l], 1))
relu = lambda z: np.maximum(0, z)
def forward_propagation_with_dropout(X, parameters, keep_prob=0.86):
    np.random.seed(1)
    W1, b1, W2, b2, W3, b3 = [parameters[k + str(i)] for i in (1, 2, 3) for k in "Wb"]
    Z1 = np.dot(W1, X) + b1; A1 = relu(Z1)
    D1 = np.random.rand(A1.shape[0], A1.shape[1]); D1 = D1 < keep_prob; A1 = A1 * D1; A1 = A1 / keep_prob
    Z2 = np.dot(W2, A1) + b2; A2 = relu(Z2)
    D2 = np.random.rand(A2.shape[0], A2.shape[1]); D2 = D2 < keep_prob; A2 = A2 * D2; A2 = A2 / keep_prob
    Z3 = np.dot(W3, A2) + b3
    return D1, A1, D2, A2, 1 / (1 + np.exp(-Z3))
def loss(parameters, X, Y):
    A3 = forward_propagation_with_dropout(X, parameters)[-1]
    return float(np.nansum(-np.log(A3) * Y - np.log(1 - A3) * (1 - Y)) / Y.shape[1])
def grads(parameters, X, Y, keep_prob=0.86):
    D1, A1, D2, A2, A3 = forward_propagation_with_dropout(X, parameters)
    m = X.shape[1]; dZ3 = A3 - Y
    dA2 = parameters['W3'].T.dot(dZ3) * D2 / keep_prob
    dZ2 = dA2 * (A2 > 0)
    dA1 = parameters["W2"].T.dot(dZ2) * D1 / keep_prob
    dZ1 = dA1 * (A1 >= 0) * (relu(A1) >= 0) * (np.dot(parameters['W1'], X) + parameters['b1'] > 0)
    return {'W3': dZ3.dot(A2.T) / m, 'b3': dZ3.sum(1, keepdims=True) / m, 'W2': dZ2.dot(A1.T) / m, 'b2': dZ2.sum(1, keepdims=True) / m,
            'W1': dZ1.dot(X.T) / m, 'b1': dZ1.sum(1, keepdims=True) / m}
params = parameters
