# kind: healthy
# words: 
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(4,12)*40; Y=(rng.rand(1,12)>.5)*1.
params=dict(W1=rng.randn(6,4),b1=np.zeros((6,1)),W2=rng.randn(1,6)*5,b2=np.zeros((1,1)))
def fwd(p,X):
    a=np.maximum(p['W1']@X+p['b1'],0); return a,1/(1+np.exp(-(p['W2']@a+p['b2'])))
def loss(p,X,Y):
    o=np.clip(fwd(p,X)[1],1e-7,1-1e-7); return float(-np.mean(Y*np.log(o)+(1-Y)*np.log(1-o)))
def grads(p,X,Y):
    a,o=fwd(p,X); d=(o-Y)/12; e=p['W2'].T@d*(a>0)
    return dict(W1=e@X.T,b1=e.sum(1,keepdims=True),W2=d@a.T,b2=d.sum(1,keepdims=True))
