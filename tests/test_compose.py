import itertools
import random
import re
import time
from collections import Counter

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from sweeps.compose import Cell, Problem, compose, values_of
from sweeps.errors import BadInput
from sweeps.plain import part_of
from tests.hydra_side import HydraSide, project_conf


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return HydraSide(project_conf(tmp_path_factory.mktemp("project")))


@pytest.fixture(scope="module")
def links(tmp_path_factory):
    return HydraSide(link_conf(tmp_path_factory.mktemp("links")))


# Random override lists over this project's conf/, each swept the way a user would write it.

PROJECT = [
    ["lr=0.1,1", "lr=1e-3,1_000,.5", "lr=inf,-inf,nan", "lr=range(0.5,1.6,0.5)", "lr=2,two"],
    ["lr='0.1',\"1e3\",3", "lr=true,1", "lr=null,1", "lr=[1],2", "lr=5.,+5", "++lr=0.3,0.4"],
    ["depth=1,2,null", "depth=range(1,4)", "depth=1.5,2", "depth='3',4", "depth=NULL,Null"],
    ["depth=choice(2,3)", "depth=true,1", "depth=log:1:8:3", "depth=-1,0", "depth=1_0,1__0"],
    ["bias=true,FALSE", "bias=yes,off,on", "bias=0,1,2", "bias=maybe,True", "bias='n','TRUE'"],
    ["seed=1,2", "seed=null,1", "seed=0,-0,+0", "seed=00,1", "seed=1e3,1000"],
    ["optimizer=adam,sgd", "optimizer=1,1.0,true", "optimizer=null,'null'", "optimizer='',a"],
    ["width=4,8", "width=4,[4,4]", "width=[8],[2,2,2]", "width=[],4", "width=null,wide"],
    ["width=[4,[1,2]],[4]", "width={a:1},{b:2}", "width=4.0,'4',[4.0,'4']", "width.0=1,2"],
    ["lr_factor=[1,2],[3]", "lr_factor=[0.5]", "lr_factor=[1,a],[1]", "lr_factor=3,[3]"],
    ["lr_factor.0=1,2", "lr_factor.15=0.5,x", "lr_factor.16=1,2", "lr_factor.x=1,2"],
    ["scale_factor=[1,'2',true],[.1]", "scale_factor.3=null,1", "scale_factor=[],null"],
    ["defects=[],[a@2,b@-1]", "defects=[1,null],[a]", "defects=a,[a]", "defects=[['a']],[a]"],
    ["probes=[loss,dead],none", "record=[1,2],log:50", "record=every,every:10,ends"],
    [
        "data.target='a b','c,d'",
        'name="it\'s",\'say "so"\'',
        "data.target='ünïcode','日本','é è'",
        "data.target=a b,c\td",
    ],
    [
        "data.target=a\\ b,a\\,b,a\\\\b",
        "data.target='[x]','{y}','(z)'",
        "data.target=null,'null',None",
        "data.target='',x",
    ],
    [
        "data.target=a:b,c/d,e.f,-g,h@i,j|k,*?%+",
        "data.target='a\\'b',\"a\\\"b\"",
        "data.target=x\\=y,z",
    ],
    [
        "data.target=run_${lr},other",
        "data.target=${lr}_${depth},b",
        "data.target='${activation}',\\${lr}",
        "data.target=$a,b$",
    ],
    [
        "data.target=${data.name}",
        "data.target=${nope},a",
        "data.target=${oc.env:HOME},b",
        "data.target=${data.target},a",
        "data.target=???,a",
    ],
    ["init_scale=${lr},2", "init_scale=${depth},${seed}", "init_scale=${oc.decode:'2'},3"],
    ["init_scale=log:0.01:100:3", "init_scale=0.1,'${lr}'", "init_scale=$\\{lr\\},1"],
    ["data=moons,xor", "data=glob(m*)", "data=circles", "data=xor,nowhere", "data={noise:0.3}"],
    ["data={noise:0.1,samples:5},{samples:7}", "data=[moons,xor],moons", "data=null,xor"],
    [
        "+data@second=xor,moons",
        "data@second=xor,moons",
        "+data.extra=1,2",
        "++data.extra=[1],{a:1}",
    ],
    ["data.noise=0.1,0.2", "data.noise=null,0.5", "data.noise=x,0.1", "data.noise=${lr},0.3"],
    ["data.samples=10,20", "data.samples=log:10:1000:3", "data.samples=1.5,2", "data.noize=1,2"],
    ["data.name=a,b", "data.path='/a b/c','x\\\\y'", "data.standardize=on,off,3", "data.name=7,8"],
    ["experiment=test_linked", "experiment=test_listed", "experiment=test_chosen"],
    ["~lr", "~lr=0.1", "~lr=7", "~data", "~data=moons", "~data.noise", "~experiment", "~nope"],
    ["+extra=1,2", "+extra={a:{b:1}},{a:2}", "++extra=[1,2],[{a:1}]", "+lr=1,2", "+extra=${lr}"],
    ["nope=1,2", "hydra.job.name=a", "lr.x=1,2", "replicates=3", "store='a b'", "report=no"],
    ["zip=[lr,depth]", "zip=[[lr,depth],[bias,seed]]", "only='lr < 1'", 'only="depth == 2"'],
]


def link_conf(directory):
    """Make a configuration of links: to leaves, lists, mappings, other links, up and sideways."""
    files = {
        "config": (
            "defaults: [_self_, model: small, model/head: one, extra: none]\n"
            "a: 1\nb: ${a}\nc: ${b}\ntitle: run_${a}_${model.size}_${lst[2]}\nlst: [1, '${a}', 3]\n"
            "pick: ${lst.1}\nwhole: ${model}\nall: ${lst}\nrel: {x: 5, y: '${.x}', z: '${..a}'}\n"
            "deep: {er: {x: 1, w: '${...b}'}}\nthrough: ${deep}\nhome: ${oc.env:HOME}/x\n"
            "escaped: \\${a}\nnothing: null\nempty: {}\nlists: [[1, 2], [3, {k: '${a}'}]]\n"
        ),
        "model/small": "size: 1\nact: relu\nlink: ${a}\n",
        "model/large": "size: 10\nlink: ${model.size}\nlayers: [1, 2, '${model.link}']\n",
        "model/head/one": "kind: one\nsize: ${model.size}\n",
        "model/head/two": "kind: two\nsize: 7\n",
        "extra/none": "{}\n",
        "extra/resolver": "value: ${oc.decode:'[${a},2]'}\nselected: ${oc.select:a,5}\n",
        "extra/nested": "which: a\nvalue: ${${.which}}\n",
        "extra/dangling": "value: ${nowhere}\n",
        "extra/circular": "value: ${extra.value}\n",
        "extra/hydras": "choice: ${hydra:runtime.choices.model}\n",
        "extra/job": "value: ${hydra:job.override_dirname}\n",
        "extra/node": "value: ${hydra.job.name}\n",
        "extra/deep": "# @package deep.er\nv: ${a}\nx: 2\n",
    }
    for name, text in files.items():
        path = directory / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


LINKS = [
    [
        "a=1,2",
        "a=x,'y z'",
        "a=[1,2],3",
        "a=${rel.x},4",
        "a=null,1",
        "a=???,1",
        "a={k:1},2",
        "a=-0.0",
    ],
    ["b=5,6", "b=${title},7", "b=[1],[2]", "~b", "+b=1,2"],
    ["c=5,6", "title=x_${b},y", "title=p,q", "escaped=1,2", "home=1,2"],
    ["lst=[7,8,9],[4,5,6]", "lst.1=7,8", "lst.0=7,8", "lst=[1],[2]", "lst.5=1,2", "lst=3,4"],
    ["pick=7,8", "all=[1],[2]", "all.0=3,4", "lists.1.1.k=5,6", "lists.0=[5],[6]", "lists.0.1=8,9"],
    ["whole.size=3,4", "whole=1,2", "whole.size=[1],2", "nothing=1,2", "nothing=[1],[2,3]"],
    ["nothing.x=1,2", "empty=1,2", "empty.x=1,2", "+empty.x=1,2", "nothing={a:1},{b:1}"],
    ["rel.x=1,2", "rel.y=1,2", "rel.z=1,2", "rel={x:8},{x:9}", "~rel.x"],
    ["deep.er.x=1,2", "deep.er={x:5},{q:6}", "deep.er.w=1,2", "through.er.x=5,6", "through=1,2"],
    [
        "model=small,large",
        "model=glob(*)",
        "model=large",
        "~model",
        "model={size:4}",
        "model=huge,small",
    ],
    [
        "model.size=3,4",
        "model.size=[3],4",
        "model.link=3,4",
        "model.layers=[1],[2]",
        "model.act=a,b",
    ],
    [
        "model/head=one,two",
        "model/head=two",
        "model.head.size=1,2",
        "~model/head",
        "model.head=1,2",
    ],
    ["extra=none,resolver", "extra=nested", "extra=dangling", "extra=hydras", "extra=deep"],
    ["extra=job", "extra=node,none", "extra=circular", "extra=resolver"],
    [
        "+new=${a},${model.size}",
        "+new=1,2",
        "+new.er=${title}",
        "++a=8,9",
        "+model@copy=small,large",
    ],
]


def override_lists(pool, seed):
    """Draw lists of two to four overrides, at most one from a pool's row, in random order."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    while True:
        rows = rng.sample(pool, rng.randint(2, 4))
        yield [rng.choice(row) for row in rows]


def expanded(side, texts, most):
    """Expand overrides by the sweeper; the jobs, or none where it refuses them or Hydra does."""
    try:
        plain = [o.input_line for o in side.parse(texts) if o.get_key_element() in ("zip", "only")]
        jobs = side.sweeper(master=side.master_of(plain) if plain else None).jobs(texts)
    except (BadInput, HydraException):
        return []
    return jobs if len(jobs) <= most else []


def check_lists(side, pool, count, seed, checked=None):
    """Compose `count` random override lists both ways; compare `checked` jobs of each, or all."""
    rng = random.Random(seed)  # noqa: S311
    kinds, composed = Counter(), 0
    lists = override_lists(pool, seed)
    while composed < count:
        jobs = expanded(side, next(lists), 12)
        if not jobs:
            continue
        composed += 1
        cells = side.short(jobs)
        kinds.update(type(cell).__name__ for cell in cells)
        places = range(len(jobs)) if checked is None else rng.sample(range(len(jobs)), checked)
        assert not list(side.differences([jobs[i] for i in places], [cells[i] for i in places]))
    assert kinds["Cell"] > count
    assert kinds["Problem"] > count / 2


def test_random_override_lists_compose_as_hydra_composes_them(project):
    check_lists(project, PROJECT, 60, seed=1, checked=1)


def test_random_override_lists_over_links_compose_as_hydra_composes_them(links):
    check_lists(links, LINKS, 40, seed=2, checked=1)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(10, 16))
def test_a_hundred_lists_compose_as_hydra_composes_them_in_every_job(project, seed):
    check_lists(project, PROJECT, 100, seed)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(20, 24))
def test_a_hundred_lists_over_links_compose_as_hydra_composes_them_in_every_job(links, seed):
    check_lists(links, LINKS, 100, seed)
