# kind: healthy
# words: 
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=rng.randn(12,2)
W=rng.randn(4,2); V=np.zeros((4,2)); lr=.1
params=dict(W=W.copy())
def loss(p,X,Y): return float(.5*np.sum((X@p['W']-Y)**2))
def grads(p,X,Y):
    global W,V
    W=p['W'].copy(); V=.9*V-lr*(X.T@(X@W-Y)); W=W+V
    return dict(W=(p['W']-W)/lr)
