"Sets whose faults are known, and what the report must say of them: pictures of discs, which are made in a moment."
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from deepsynthbody_nb.evaluation import report

QUICK = dict(splits=4, seeds=1, progress=False)


def discs(n, seed, size=16):
    "Pictures with a disc, and whether it is a large one."
    g, grid = np.random.default_rng(seed), np.mgrid[:size, :size]
    large, centre = g.integers(0, 2, n), g.uniform(6, size - 6, (n, 2, 1, 1))
    radius = np.where(large, g.uniform(4, 5, n), g.uniform(2, 3, n))[:, None, None]
    inside = ((grid[None] - centre)**2).sum(1) < radius**2
    values = np.clip(.3 + .4*inside + .08*g.standard_normal(inside.shape), 0, 1).astype('float32')
    return xr.DataArray(values, dims=('record', 'y', 'x')), pd.DataFrame({'large': large})


@pytest.fixture(scope='module')
def sets():
    return {name: discs(120, seed) for seed, name in enumerate(('real', 'synthetic', 'train'))}


@pytest.fixture(scope='module')
def good(sets):
    (real, labels), (synthetic, own) = sets['real'], sets['synthetic']
    return report(real, synthetic, None, labels, synthetic_labels=own, **QUICK)


def test_other_records_of_the_same_kind_pass(good):
    assert [good.verdicts[axis]['grade'] for axis in ('fidelity', 'coverage', 'usefulness')] == ['pass']*3
    assert good.verdicts['privacy']['grade'] == 'cannot tell'


def test_white_noise_is_not_real_and_one_record_covers_nothing(sets, good):
    real, (synthetic, _) = sets['real'][0], sets['synthetic']
    g = np.random.default_rng(0)
    noise = synthetic.copy(data=np.clip(g.normal(.5, .2, synthetic.shape), 0, 1).astype('float32'))
    one = synthetic[[0]*120] + .02*g.standard_normal(synthetic.shape).astype('float32')
    assert report(real, noise, **QUICK).verdicts['fidelity']['grade'] == 'fail'
    found = report(real, one, **QUICK)
    assert found.verdicts['coverage']['grade'] == 'fail'
    worse, better = (r.table[r.table.measure.str.startswith('coverage, ')].value for r in (found, good))
    assert (worse.to_numpy() < better.to_numpy()).all()


def test_training_records_with_a_little_noise_look_perfect_and_are_caught(sets):
    real, train = sets['real'][0], sets['train'][0]
    g = np.random.default_rng(0)
    copied = train + .01*train.std().item()*g.standard_normal(train.shape).astype('float32')
    found = report(real, copied, train, **QUICK)
    assert found.verdicts['fidelity']['grade'] == 'pass'
    assert found.verdicts['privacy']['grade'] == 'fail'
    assert 'copies of training records' in found.verdicts['privacy']['sentence']


def test_other_records_of_the_same_kind_are_best_on_every_axis(sets, good):
    "Beside them, a set of less contrast, a third of it twice, under labels that mean nothing."
    (real, labels), (synthetic, own) = sets['real'], sets['synthetic']
    worse = synthetic.copy(data=.5*synthetic.values + .25)
    worse.values[80:] = worse.values[:40]
    dealt = own.sample(frac=1, random_state=0).reset_index(drop=True)
    spoilt = report(real, worse, None, labels, synthetic_labels=dealt, **QUICK).table.set_index('measure')
    best, asked = good.table.set_index('measure'), 0
    for name, row in best.iterrows():
        if name.startswith(('Fréchet distance', 'kernel distance, Eff', 'told apart', 'density', 'coverage, ', 'TSTR')):
            other, asked = spoilt.value[name], asked + 1
            assert row.value < other if row.better == 'lower' else row.value > other, name
    assert asked >= 10


def test_labels_that_mean_nothing_are_not_useful(sets, good):
    (real, labels), (synthetic, own) = sets['real'], sets['synthetic']
    dealt = own.sample(frac=1, random_state=1).reset_index(drop=True)
    found = report(real, synthetic, None, labels, synthetic_labels=dealt, **QUICK)
    assert found.verdicts['usefulness']['grade'] == 'fail' and found.verdicts['fidelity']['grade'] == 'pass'


@pytest.mark.parametrize('call, said', [
    (lambda s: report(s['real'][0][:9], s['synthetic'][0]), 'real has 9 records; at least 10'),
    (lambda s: report(s['real'][0], s['synthetic'][0], labels=s['real'][1]), 'the synthetic records have no labels'),
    (lambda s: report(s['real'][0], s['synthetic'][0].where(s['synthetic'][0] < 0)),
     'synthetic: record 0 has missing samples'),
    (lambda s: report(s['real'][0], s['synthetic'][0], s['train'][0], patients=range(120), train_patients=range(119, 239)),
     'in both train and real'),
])
def test_what_is_wrong_is_said_in_one_sentence(sets, call, said):
    with pytest.raises(ValueError, match=said) as e:
        call(sets)
    assert '\n' not in str(e.value)
