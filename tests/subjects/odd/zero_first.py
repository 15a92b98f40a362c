# kind: training
# words: zero_init
import numpy as np
r = np.random.RandomState(445); D = [8, 20, 20, 20, 20, 20, 1]
X = r.randn(60, 8); Y = (X[:, :1]+X[:, 1:2]**2 > .5)*1.
params = {}
for i in range(6): params[f"W{i}"] = r.randn(D[i], D[i+1])*(0 if i == 0 else .4); params[f"b{i}"] = np.zeros(D[i+1])
def f(p, X):
    A = [X]
    for i in range(6): z = A[-1]@p[f"W{i}"]+p[f"b{i}"]; A.append(np.maximum(0, z) if i < 5 else 1/(1+np.exp(-z)))
    return A
def loss(params, X, Y): a = np.clip(f(params, X)[-1], 1e-10, 1-1e-10); return float(-np.mean(Y*np.log(a)+(1-Y)*np.log(1-a)))
def grads(params, X, Y):
    A = f(params, X); d = (A[-1]-Y)/len(X); g = {}
    for i in range(5, -1, -1): g[f"W{i}"] = A[i].T@d; g[f"b{i}"] = d.sum(0); d = d@params[f"W{i}"].T*(A[i] > 0)
    return g
def train(params, X, Y, epochs=400, learning_rate=0.05):
    p = {k: v.copy() for k, v in params.items()}; L = []
    for e in range(epochs):
        g = grads(p, X, Y)
        for k in p: p[k] -= learning_rate*g[k]
        L.append(loss(p, X, Y))
    return p, L
