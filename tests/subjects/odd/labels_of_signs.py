# kind: training
# words: targets_outside_output_range
import numpy as np
r = np.random.RandomState(315)
X = r.randn(2, 60); Y = np.sign(X[:1]-X[1:])
params = {"W1": r.randn(4, 2)*.5, "b1": np.zeros((4, 1)), "W2": r.randn(1, 4)*.5, "b2": np.zeros((1, 1))}
def f(p, X): A1 = np.tanh(p["W1"]@X+p["b1"]); return A1, 1/(1+np.exp(-(p["W2"]@A1+p["b2"])))
def loss(params, X, Y): A = f(params, X)[1]; return float(-np.mean(Y*np.log(A)+(1-Y)*np.log(1-A)))
def grads(params, X, Y):
    A1, A2 = f(params, X); m = X.shape[1]; d2 = (A2-Y)/m; d1 = params["W2"].T@d2*(1-A1**2)
    return {"W1": d1@X.T, "b1": d1.sum(1, keepdims=True), "W2": d2@A1.T, "b2": d2.sum(1, keepdims=True)}
def train(params, X, Y):
    p = dict(params); L = []
    for _ in range(600):
        L.append(loss(p, X, Y)); g = grads(p, X, Y); p = {k: p[k]-.5*g[k] for k in p}
    return p, L
