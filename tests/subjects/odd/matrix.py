# kind: healthy
# words: 
import numpy as np
rng=np.random.RandomState(3)
X=np.mat(rng.randn(12,4)) if hasattr(np,'mat') else np.matrix(rng.randn(12,4)); Y=np.matrix(rng.randn(12,2))
params=dict(W1=np.matrix(rng.randn(4,6)*.5),W2=np.matrix(rng.randn(6,2)*.5))
def loss(p,X,Y): return float(.5*np.sum(np.square(np.tanh(X*p['W1'])*p['W2']-Y)))
def grads(p,X,Y):
    a=np.tanh(X*p['W1']); g=a*p['W2']-Y; dh=np.multiply(g*p['W2'].T,1-np.square(a))
    return dict(W1=X.T*dh,W2=a.T*g)
