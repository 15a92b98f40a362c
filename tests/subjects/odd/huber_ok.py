# kind: healthy
# words: 
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=rng.randn(12,2)
params=dict(W1=rng.randn(4,6)*.5,b1=rng.randn(6)*.1,W2=rng.randn(6,2)*.5,b2=np.zeros(2))

def fwd(p,X):
    z=X@p['W1']+p['b1']; a=np.tanh(z); return z,a,a@p['W2']+p['b2']
def loss(p,X,Y):
    e=fwd(p,X)[2]-Y; d=0.7
    return float(np.mean(np.where(np.abs(e)<=d,0.5*e**2,d*(np.abs(e)-0.5*d))))
def grads(p,X,Y):
    z,a,o=fwd(p,X); g=np.clip(o-Y,-.7,.7)/Y.size; dh=g@p['W2'].T*(1-a**2)
    return dict(W1=X.T@dh,b1=dh.sum(0),W2=a.T@g,b2=g.sum(0))
