# kind: gradient
# words: dropout_mask_missing
import numpy as np
keep_prob = 0.8
r = np.random.RandomState(80)
params = {'W1': r.randn(20, 2)*.5, 'b1': r.randn(20, 1)*.1, 'W2': r.randn(3, 20)*.3, 'b2': r.randn(3, 1)*.1, 'W3': r.randn(1, 3), 'b3': np.zeros((1, 1))}
X = r.randn(2, 30); Y = (X[:1] > X[1:])*1.
def forward_propagation_with_dropout(X, P):
    np.random.seed(1)
    A1 = np.maximum(0, P['W1']@X+P['b1']); D1 = np.random.rand(*A1.shape) < keep_prob; A1 = A1*D1/keep_prob
    A2 = np.maximum(0, P['W2']@A1+P['b2']); D2 = np.random.rand(*A2.shape) < keep_prob; A2 = A2*D2/keep_prob
    return A1, D1, A2, D2, 1/(1+np.exp(-(P['W3']@A2+P['b3'])))
def loss(params, X, Y): A = forward_propagation_with_dropout(X, params)[-1]; return float(-np.mean(Y*np.log(A)+(1-Y)*np.log(1-A)))
def grads(params, X, Y):
    A1, D1, A2, D2, A3 = forward_propagation_with_dropout(X, params); m = X.shape[1]
    dZ3 = (A3-Y)/m; dA2 = params['W3'].T@dZ3*D2/keep_prob; dZ2 = dA2*(A2 > 0)
    dA1 = params['W2'].T@dZ2                      # <- no D1
    dZ1 = dA1*(params['W1']@X+params['b1'] > 0)
    s = lambda d: d.sum(1, keepdims=True)
    return {'W1': dZ1@X.T, 'b1': s(dZ1), 'W2': dZ2@A1.T, 'b2': s(dZ2), 'W3': dZ3@A2.T, 'b3': s(dZ3)}
