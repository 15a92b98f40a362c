# kind: gradient
# words: loss_gradient_mismatch
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=np.eye(3)[rng.randint(0,3,12)]
cw=np.array([1.,3.,.5])
params=dict(W1=rng.randn(4,6)*.5,b1=rng.randn(6)*.1,W2=rng.randn(6,3)*.5,b2=np.zeros(3))
def sm(z):
    e=np.exp(z-z.max(1,keepdims=True)); return e/e.sum(1,keepdims=True)
def fwd(p,X):
    z=X@p['W1']+p['b1']; a=np.maximum(z,0); return z,a,sm(a@p['W2']+p['b2'])
def loss(p,X,Y):
    return float(-np.mean(np.sum(cw*Y*np.log(fwd(p,X)[2]),1)))
def grads(p,X,Y):
    z,a,o=fwd(p,X); g=(o-Y)/len(X); dh=g@p['W2'].T*(z>0)
    return dict(W1=X.T@dh,b1=dh.sum(0),W2=a.T@g,b2=g.sum(0))
