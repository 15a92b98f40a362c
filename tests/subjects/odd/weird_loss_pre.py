# kind: gradient
# words: derivative_at_preactivation
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=rng.randn(12,2)
params=dict(W1=rng.randn(4,6)*.5,b1=rng.randn(6)*.1,W2=rng.randn(6,2)*.5,b2=np.zeros(2))

def fwd(p,X):
    z=X@p['W1']+p['b1']; a=np.tanh(z); return z,a,a@p['W2']+p['b2']
def loss(p,X,Y):
    e=fwd(p,X)[2]-Y; d=0.7
    return float(np.mean(np.sqrt(1+e**2)))
def grads(p,X,Y):
    z,a,o=fwd(p,X); g=((o-Y)/np.sqrt(1+(o-Y)**2))/Y.size; dh=g@p['W2'].T*(1-z**2)
    return dict(W1=X.T@dh,b1=dh.sum(0),W2=a.T@g,b2=g.sum(0))
