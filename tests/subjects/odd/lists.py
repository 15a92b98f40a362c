# kind: healthy
# words: 
import math
X=[[0.,0.],[0.,1.],[1.,0.],[1.,1.]]; Y=[0.,1.,1.,0.]
params={'W1':[[.3,-.4,.2],[.5,.1,-.6]],'b1':[.1,.2,-.1],'W2':[.4,-.3,.7],'b2':.05}
def sig(v): return 1/(1+math.exp(-v))
def f(p,x):
    h=[sig(sum(x[i]*p['W1'][i][j] for i in range(2))+p['b1'][j]) for j in range(3)]
    return h, sig(sum(h[j]*p['W2'][j] for j in range(3))+p['b2'])
def loss(p,X,Y): return sum((f(p,x)[1]-y)**2 for x,y in zip(X,Y))/2
def grads(p,X,Y):
    gW1=[[0]*3 for _ in range(2)]; gb1=[0]*3; gW2=[0]*3; gb2=0
    for x,y in zip(X,Y):
        h,o=f(p,x); d=(o-y)*o*(1-o); gb2+=d
        for j in range(3):
            gW2[j]+=d*h[j]; e=d*p['W2'][j]*h[j]*(1-h[j]); gb1[j]+=e
            for i in range(2): gW1[i][j]+=e*x[i]
    return dict(W1=gW1,b1=gb1,W2=gW2,b2=gb2)
