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
    OmegaConf.register_new_resolver("twice", lambda n: [n, n], replace=True, use_cache=True)
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
        "extra/cached": "value: ${twice:${a}}\n",
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


# Lists on which one short cut or another once went wrong, or would.

HARD_PROJECT = [
    ["lr_factor.0=5,6", "lr_factor=[1,2]"],
    ["lr_factor=[1,2]", "lr_factor.0=5,6"],
    ["seed='1',2", "depth='3'", "bias=no"],
    ["width=4,[4,4]", "optimizer=1"],
    ["data=xor", "data.noise='0.5',1", "~data.seed"],
    ["data.noise=0.5,1", "data=xor", "data={seed:3}"],
    ["experiment=test_linked", "lr=1,2", "init_scale=3"],
    ["experiment=test_listed", "width=[1],2", "lr_factor.1=3"],
    ["activation=???,relu", "lr=1"],
    ["+lr=1,2"],
    ["++lr=1,2", "+data.more=1"],
]
HARD_LINKS = [
    ["a=${rel.x}", "rel.x=1,2"],
    ["rel.x=???,1", "pick=1"],
    ["nothing={k:1},{l:1}"],
    ["nothing=[{k:1}],[{l:1}]"],
    ["whole.size=3,4"],
    ["rel=3,4"],
    ["through.er.x=3", "deep.er.x=5,6"],
    ["extra=resolver", "a=1,2"],
    ["extra=cached", "a=1,2"],
    ["extra=nested", "a=1,2"],
    ["extra=job", "a=1,2"],
    ["lst=[4,5,6]", "lst.1=7,8"],
    ["lst.1=7,8", "lst.0=[1]"],
    ["model.link=3,4", "model=large", "model/head=one"],
    ["b=5,[6]", "a=1"],
    ["+new=${model}", "model.size=3,4"],
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


def check_lists(side, pool, count, seed, most, checked=None):
    """Compose `count` random override lists both ways; compare `checked` jobs of each, or all."""
    rng = random.Random(seed)  # noqa: S311
    kinds, composed = Counter(), 0
    lists = override_lists(pool, seed)
    while composed < count:
        jobs = expanded(side, next(lists), most)
        if not jobs:
            continue
        composed += 1
        cells = side.short(jobs)
        kinds.update(type(cell).__name__ for cell in cells)
        places = range(len(jobs)) if checked is None else rng.sample(range(len(jobs)), checked)
        assert not list(side.differences([jobs[i] for i in places], [cells[i] for i in places]))
    assert kinds["Cell"] >= count
    assert kinds["Problem"] >= count / 2


@pytest.fixture
def unguarded(monkeypatch):
    """Take the short way's word: compared with itself at run time, it could not be caught out."""
    monkeypatch.setattr("sweeps.compose._Composer._same", lambda *_: True)


@pytest.mark.parametrize("texts", HARD_PROJECT, ids=" ".join)
def test_a_hard_list_composes_as_hydra_composes_it(project, unguarded, texts):
    jobs = expanded(project, texts, 8)
    assert jobs
    assert not list(project.differences(jobs, project.short(jobs)))


@pytest.mark.parametrize("texts", HARD_LINKS, ids=" ".join)
def test_a_hard_list_of_links_composes_as_hydra_composes_it(links, unguarded, texts):
    jobs = expanded(links, texts, 8)
    assert jobs
    assert not list(links.differences(jobs, links.short(jobs)))


def test_random_override_lists_compose_as_hydra_composes_them(project, unguarded):
    check_lists(project, PROJECT, 85, seed=1, most=4, checked=1)


def test_random_override_lists_over_links_compose_as_hydra_composes_them(links, unguarded):
    check_lists(links, LINKS, 15, seed=2, most=4, checked=1)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(10, 16))
def test_a_hundred_lists_compose_as_hydra_composes_them_in_every_job(project, unguarded, seed):
    check_lists(project, PROJECT, 100, seed, most=12)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(20, 24))
def test_a_hundred_lists_over_links_compose_as_hydra_does_in_every_job(links, unguarded, seed):
    check_lists(links, LINKS, 100, seed, most=12)


# What the random lists do not say by themselves


def product(**axes):
    """Override texts of a grid; `__` in a name stands for a dot."""
    texts = [[f"{key.replace('__', '.')}={value}" for value in axes[key]] for key in axes]
    return list(itertools.product(*texts))


def messages(cells):
    return [getattr(cell, "message", None) for cell in cells]


def test_ten_thousand_jobs_take_two_compositions_and_a_second(project):
    jobs = product(
        lr=[(place + 1) / 100 for place in range(10)],
        init_scale=range(1, 11),
        depth=range(1, 11),
        activation=["relu", "tanh", *"abcdefgh"],
    )
    loaded = []

    def load(overrides):
        loaded.append(overrides)
        return project.load(overrides)

    start = time.process_time()
    cells = compose(load, jobs, project.master.hydra.runtime.choices)
    assert time.process_time() - start < 1.5
    assert loaded == [[], list(jobs[0])]
    assert len(cells) == 10_000
    last = cells[-1]
    assert last.overrides == ("lr=0.1", "init_scale=10", "depth=10", "activation=h")
    assert [last.config[key] for key in ("lr", "init_scale", "depth", "activation")] == [
        0.1,
        10.0,
        10,
        "h",
    ]


def test_each_choice_of_a_group_is_composed_once(project):
    jobs = product(data=["xor", "moons", "circles"], data__noise=[0.1, 0.2, 0.3], lr=[1, 2])
    before = project.loads
    cells = compose(project.load, jobs, ["data"])
    assert project.loads - before <= 4  # one for each choice, one to compare with
    assert {(c.config["data"]["name"], c.config["data"]["noise"]) for c in cells} == {
        (name, noise) for name in ("xor", "moons", "circles") for noise in (0.1, 0.2, 0.3)
    }


def test_a_group_choice_and_its_values_commute(project):
    jobs = [("data.noise=0.5", "data=xor"), ("data=xor", "data.noise=0.5")]
    cells = project.short([*jobs, *[(*job, "lr=1") for job in jobs]])
    assert {repr(cell.config["data"]) for cell in cells} == {repr(cells[0].config["data"])}
    assert cells[0].config["data"]["noise"] == 0.5
    assert cells[0].config["data"]["standardize"] is False  # as conf/data/xor.yaml has it


def test_of_two_values_on_one_path_the_last_holds(project):
    element, whole = "lr_factor.0=5", "lr_factor=[1,2]"
    jobs = [
        job for lr in (1, 2) for job in ((element, whole, f"lr={lr}"), (whole, element, f"lr={lr}"))
    ]
    cells = project.short(jobs)
    assert [cell.config["lr_factor"] for cell in cells] == [[1.0, 2.0], [5.0, 2.0]] * 2
    assert [cell.config["lr"] for cell in cells] == [1.0, 1.0, 2.0, 2.0]


def test_a_key_given_twice_takes_the_last_value(project):
    cells = project.short([("lr=1", "lr=2", "depth=1"), ("lr=1", "lr=2", "depth=2")])
    assert [cell.config["lr"] for cell in cells] == [2.0, 2.0]


def test_values_are_converted_as_the_schema_has_them(project):
    jobs = product(lr=["1", "'2'"], depth=["3", "null"], bias=["off", "1"], optimizer=["adam", "7"])
    config = project.short(jobs)[-1].config
    found = [config[key] for key in ("lr", "depth", "bias", "optimizer")]
    assert repr(found) == "[2.0, None, True, '7']"


def test_elements_of_lists_are_set_apart_in_each_cell(project):
    cells = project.short(product(lr_factor__0=[5, 6], lr_factor__2=[7, 8], data__noise=[0.1, 0.2]))
    found = [(*cell.config["lr_factor"][:3], cell.config["data"]["noise"]) for cell in cells]
    assert found == list(itertools.product([5.0, 6.0], [1.0], [7.0, 8.0], [0.1, 0.2]))


@pytest.mark.parametrize("texts", [("lr=2",), ("++lr=2",)], ids=["plain", "structural"])
def test_cells_have_a_mapping_of_their_own_even_when_equal(project, texts):
    first, second = project.short([texts, texts])
    first.config["lr"] = "changed"
    first.config["more"] = 1
    assert second.config["lr"] == 2.0
    assert "more" not in second.config


def test_links_follow_the_values_they_read(project):
    jobs = [("experiment=test_linked", f"lr={lr}", f"depth={d}") for lr in (1, 2) for d in (3, 4)]
    cells = project.short(jobs)
    found = [(c.config["init_scale"], c.config["name"], c.config["data"]["noise"]) for c in cells]
    assert found == [(float(lr), f"relu_{d}", float(lr)) for lr in (1, 2) for d in (3, 4)]


def test_a_linked_sweep_is_not_composed_job_by_job(project):
    jobs = [("init_scale=$\\{lr\\}", f"lr={place}") for place in range(1, 301)]
    before = project.loads
    cells = project.short(jobs)
    assert project.loads - before <= 3
    assert [cell.config["init_scale"] for cell in cells] == [float(p) for p in range(1, 301)]


def test_a_group_not_known_beforehand_is_found_out(project):
    before = project.loads
    cells = project.short(product(lr=range(1, 21), experiment=["test_chosen"]))
    assert project.loads - before <= 3
    assert {cell.config["data"]["name"] for cell in cells} == {"xor"}
    assert [cell.config["lr"] for cell in cells] == [float(lr) for lr in range(1, 21)]


def test_no_jobs_make_no_cells(project):
    assert project.short([]) == []


def test_a_job_without_overrides_is_the_configuration_as_it_stands(project):
    (cell,) = project.short([()])
    assert not list(project.differences([()], [cell]))


# Problems


def test_a_bad_value_is_a_problem_of_every_job_that_holds_it_and_of_no_other(project):
    cells = project.short(product(lr=["0.1", "abc", "1"], depth=[1, 2]))
    bad = "`lr` must be a number; got abc."
    assert messages(cells) == [None, None, bad, bad, None, None]
    assert [type(cell) for cell in cells] == [Cell, Cell, Problem, Problem, Cell, Cell]


@pytest.mark.parametrize("companion", [["seed=1"], ["seed=1", "seed=2"]], ids=["alone", "together"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr=abc", "`lr` must be a number; got abc."),
        ("lr=null", "`lr` must be a number; got null."),
        ("lr=[1,2]", "`lr` must be a number; got [1,2]."),
        ("lr=", "`lr` must be a number; got nothing."),
        ("++lr=abc", "`lr` must be a number; got abc."),
        ("epochs=1.5", "`epochs` must be a whole number; got 1.5."),
        ("depth=deep", "`depth` must be a whole number or null; got deep."),
        ("bias=maybe", "`bias` must be true or false; got maybe."),
        ("optimizer=[a]", "`optimizer` must be a text; got [a]."),
        ("data.path=[a]", "`data.path` must be a text or null; got [a]."),
        ("data.name=null", "`data.name` must be a text; got null."),
        ("lr_factor=[1,a]", "`lr_factor` must be a list of numbers; got [1,a]."),
        ("lr_factor=3", "`lr_factor` must be a list of numbers; got 3."),
        ("lr_factor.0=a", "`lr_factor.0` must be a number; got a."),
        ("defects=a", "`defects` must be a list of texts; got a."),
        ("zip=a", "`zip` must be a list; got a."),
        (
            "data=moon",
            "`data` must be one of blobs, breast_cancer, circles, digits, flower, mnist, moons, "
            "spirals, table, xor; got moon. Did you mean moons?",
        ),
        (
            "data.noize=1",
            "`data.noize` is no key of the configuration, which has data.name, data.samples, "
            "data.noise, data.classes, data.path, data.target, data.task, data.one_hot, "
            "data.target_low, data.target_high, data.standardize, data.test_fraction, data.seed. "
            "Did you mean data.noise?",
        ),
        ("data@second=xor", "Could not override 'data@second'."),
        ("+lr=2", "Could not append to config. An item is already at 'lr'."),
        ("~nope", "Could not delete from config. 'nope' does not exist."),
        ("lr=[1", "`lr=[1` cannot be read: no viable alternative at input '[1'."),
        ("lr=$\\{nowhere\\}", "Interpolation key 'nowhere' not found."),
    ],
)
def test_a_problem_is_one_sentence_whichever_way_it_was_found(project, text, message, companion):
    cells = project.short([(other, text) for other in companion])
    assert set(messages(cells)) == {message}


def test_a_mistyped_key_is_found_out_once_for_all_its_values(project):
    before = project.loads
    cells = project.short(product(lern=range(500), depth=[1, 2]))
    assert project.loads - before <= 2
    (message,) = set(messages(cells))
    assert message.startswith("`lern` is no key of the configuration, which has activation, depth,")
    assert "hydra" not in message


def test_a_mistyped_group_is_found_out_once_for_all_values_beside_it(project):
    before = project.loads
    cells = project.short(product(experiment=["nowhere"], depth=range(500)))
    assert project.loads - before <= 3
    (message,) = set(messages(cells))
    assert re.fullmatch(r"`experiment` must be one of .*test_chosen.*; got nowhere\.", message)


# When the short way would be wrong


def test_what_the_short_way_cannot_see_is_composed_by_hydra(project):
    def load(overrides):
        config = project.load(overrides)
        config.momentum = len(overrides) / 10
        return config

    jobs = product(lr=[1, 2, 3], depth=[1, 2])
    assert [cell.config["momentum"] for cell in compose(load, jobs)] == [0.2] * 6


def test_a_key_that_is_a_group_outside_the_defaults_is_refused_as_hydra_refuses_it(tmp_path):
    (tmp_path / "lr").mkdir()
    (tmp_path / "lr" / "high.yaml").write_text("x: 1\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("lr: 1\ndepth: 2\n", encoding="utf-8")
    side = HydraSide(tmp_path)
    cells = side.short([("lr=3", "depth=1"), ("lr=4", "depth=2")])
    assert messages(cells) == ["Config group override must be a string or a list. Got int."] * 2


def test_a_resolver_that_may_read_anything_is_left_to_hydra(links):
    jobs = [("extra=resolver", f"a={a}", "c=1") for a in (3, 4)]
    found = [cell.config["extra"] for cell in links.short(jobs)]
    assert found == [{"value": [a, 2], "selected": a} for a in (3, 4)]


# Values for the columns


def test_values_are_keyed_by_what_they_set():
    texts = ("lr=0.1", "data=moons", "data.noise=null", "+a='b c'", "~bias", "width=[4,4]")
    assert values_of(texts) == {
        "lr": 0.1,
        "data": "moons",
        "data.noise": None,
        "a": "b c",
        "bias": None,
        "width": [4, 4],
    }


def test_texts_hydra_cannot_parse_have_a_value_all_the_same():
    assert values_of(("lr=[1", "a=1,2")) == {"lr": "[1", "a": "1,2"}


@pytest.mark.parametrize(
    "text", ["1", "-1", "0", "-0", "10", "1.5", "-0.5", "1e3", "1e-05", "1.5e+10"]
)
@pytest.mark.parametrize("key", ["lr", "data.noise", "lr_factor.0", "lr_factor.15", "_a1.b_2"])
def test_numbers_are_read_quickly_but_as_hydra_reads_them(project, key, text):
    (override,) = project.parse([f"{key}={text}"])
    part = part_of(f"{key}={text}")
    assert (part.key, repr(part.value)) == (override.key_or_group, repr(override.value()))
    assert part.plain


@pytest.mark.parametrize(
    "text",
    [
        *("+lr=1", "~lr", "lr@a=1", "a/b=c", "hydra.job.id=1", "hydra.job.name=a", "a={b:1}"),
        *(
            "a=[{b:1}]",
            "a=[[{b:1}]]",
            "a=${b}",
            "a='${b}'",
            "a=???",
            "a=[???]",
            "a=1,2",
            "a=range(3)",
        ),
    ],
)
def test_whatever_is_more_than_a_value_is_not_plain(text):
    assert not part_of(text).plain
