# kind: gradient
# words: missing_batch_mean
import numpy as np
rng=np.random.RandomState(3)
X=rng.randn(8,3); Y=rng.rand(8,2); lr=1e-13
W1=rng.randn(5,3);W2=rng.randn(2,5)
params=dict(W1=W1.copy(),W2=W2.copy())
sig=lambda v:1/(1+np.exp(-v))
def step(x,y):
    global W1,W2
    h=sig(W1@x); o=sig(W2@h); d=(o-y)*o*(1-o); e=W2.T@d*h*(1-h)
    g1,g2=np.outer(e,x),np.outer(d,h)
    W1=W1-lr*g1; W2=W2-lr*g2
    return g1,g2
def loss(p,X,Y):
    return float(.5*np.mean([np.sum((sig(p['W2']@sig(p['W1']@x))-y)**2) for x,y in zip(X,Y)]))
def grads(p,X,Y):
    global W1,W2
    W1,W2=p['W1'].copy(),p['W2'].copy()
    total=[0,0]
    for x,y in zip(X,Y):
        g1,g2=step(x,y)
        total=[total[0]+g1,total[1]+g2]
    return dict(W1=total[0],W2=total[1])
