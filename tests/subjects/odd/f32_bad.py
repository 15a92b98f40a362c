# kind: gradient
# words: missing_hidden_derivative
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=rng.randn(12,2)
params=dict(W1=rng.randn(4,6)*.5,b1=rng.randn(6)*.1,W2=rng.randn(6,2)*.5,b2=np.zeros(2))

def fwd(p,X):
    p={k:v.astype(np.float32) for k,v in p.items()}; X=X.astype(np.float32)
    z=X@p['W1']+p['b1']; a=np.maximum(z,0); return p,z,a,a@p['W2']+p['b2']
def loss(p,X,Y): return float(.5*np.mean((fwd(p,X)[3]-Y.astype(np.float32))**2))
def grads(p,X,Y):
    X=X.astype(np.float32)
    p,z,a,o=fwd(p,X); g=(o-Y.astype(np.float32))/Y.size; dh=g@p['W2'].T
    return dict(W1=X.T@dh,b1=dh.sum(0),W2=a.T@g,b2=g.sum(0))
