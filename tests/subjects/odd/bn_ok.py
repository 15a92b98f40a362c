# kind: healthy
# words: 
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(12,4); Y=rng.randn(12,2)
params=dict(W1=rng.randn(4,6)*.5,gamma1=np.ones(6),beta1=np.zeros(6),W2=rng.randn(6,2)*.5,b2=np.zeros(2))
def fwd(p,X):
    z=X@p['W1']; mu=z.mean(0); v=z.var(0); h=(z-mu)/np.sqrt(v+1e-5); y=p['gamma1']*h+p['beta1']; a=np.maximum(y,0)
    return z,v,h,y,a,a@p['W2']+p['b2']
def loss(p,X,Y): return float(np.mean((fwd(p,X)[5]-Y)**2))
def grads(p,X,Y):
    z,v,h,y,a,o=fwd(p,X); m=len(X); g=2*(o-Y)/Y.size; dy=g@p['W2'].T*(y>0)
    dh=dy*p['gamma1']; dz=(dh-dh.mean(0)-h*(dh*h).mean(0))/np.sqrt(v+1e-5)
    return dict(W1=X.T@dz,gamma1=(dy*h).sum(0),beta1=dy.sum(0),W2=a.T@g,b2=g.sum(0))
