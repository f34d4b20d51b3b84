"""Planted findings: what is planted, where, and whether the bench knows chance from an answer."""
import numpy as np, pandas as pd, pytest, torch
from deepsynthbody_nb.generators.pulse2pulse import make_ecgs
from deepsynthbody_nb.signals.delineate import delineate
from deepsynthbody_nb.signals.leads import to_12_lead
from deepsynthbody_nb.xai.known_truth import FINDINGS, LEAST, TRAINING, league, load_detector, plant, score_attribution, score_method, shipped_league

LEADS = dict(st_elevation={'V2', 'V3', 'V4'}, tall_t={'V2', 'V3', 'V4', 'V5'}, deep_q={'II', 'V5', 'V6'})


@pytest.fixture(scope='module')
def fresh():
    x = next(make_ecgs(8, seed=20261141))
    return x, delineate(x)


@pytest.mark.parametrize('finding', FINDINGS)
def test_a_pair_differs_in_the_planted_place_only(fresh, finding):
    x, marks = fresh
    before = x.copy(deep=True)
    planted, truth = plant(x, finding, marks, seed=1)
    assert x.identical(before) and truth.dims == planted.dims and truth.shape == planted.shape
    difference = abs(planted - x)
    largest = difference.max('time')
    assert (difference.where(~truth, 0) <= LEAST*largest + 1e-6).all()       # mV, float32
    changed = {str(lead) for lead in x.lead.values[(largest > 0).any('record').values]}
    assert changed == LEADS.get(finding, set(x.lead.values)) == {str(lead) for lead in x.lead.values[truth.any(('record', 'time')).values]}
    again, _ = plant(x, finding, marks, seed=1)
    assert again.identical(planted)
    if finding != 'missing_p': assert not plant(x, finding, marks, seed=2)[0].equals(planted)


def test_strengths(fresh):
    x, marks = fresh
    raised = (plant(x, 'st_elevation', marks, seed=1)[0] - x).max(('lead', 'time'))
    assert ((raised > .08) & (raised <= .3001)).all() and float(raised.max() - raised.min()) > .02     # mV
    lowered = (x - plant(x, 'deep_q', marks, seed=1)[0]).max(('lead', 'time'))
    assert ((lowered > .19) & (lowered <= .4001)).all()                      # mV
    planted, truth = plant(x, 'wide_qrs', marks, seed=1)
    own = marks[marks.lead.eq('all')]
    t_peaks = own[own.wave.eq('T')]
    for row in t_peaks.itertuples(): assert not truth.sel(record=row.record).sel(time=row.peak_s, method='nearest').any()   # T stays
    wider = delineate(planted).query("lead == 'all' and wave == 'QRS'").eval('offset_s - onset_s').median()
    assert wider > 1.2*own[own.wave.eq('QRS')].eval('offset_s - onset_s').median()


def test_one_record_and_twelve_leads(fresh):
    x, marks = fresh
    planted, truth = plant(to_12_lead(x[0]), 'deep_q', seed=1)
    assert planted.dims == ('lead', 'time') and planted.sizes['lead'] == 8 and truth.any()


@pytest.mark.parametrize('finding', FINDINGS)
def test_detector_tells_fresh_pairs_apart(fresh, finding):
    x, marks = fresh
    model = load_detector(finding)
    yes, no = (model.predict_proba(v)[finding] for v in (plant(x, finding, marks, seed=3)[0], x))
    assert (yes > no).all() and ((yes > .5).mean() + (no < .5).mean())/2 > .85      # of 16; the weakest strengths may be missed


def test_scores_know_the_answer_and_chance(fresh):
    x, marks = fresh
    truth = plant(x, 'tall_t', marks, seed=1)[1][0]
    right = truth.astype('float32')
    assert {score_attribution(right, truth)[s] for s in ('pointing', 'mass', 'rank')} == {1}
    late = right.roll(time=round(.015*500), roll_coords=False)               # 15 ms late: within the tolerance of pointing alone
    found = score_attribution(late, truth)
    assert found['pointing'] == 1 and found['mass'] < 1 and found['rank'] < 1
    moved = right.roll(lead=1, roll_coords=False)                            # right time, next lead: one lead of four is wrong
    assert .6 < score_attribution(moved, truth)['mass'] < .9
    with pytest.raises(ValueError, match='the truth is empty'): score_attribution(right, truth & False)
    with pytest.raises(ValueError): score_attribution(right[:, 1:], truth)


def test_random_is_at_chance():
    found = score_method('random', ['missing_p', 'tall_t'], n=12, seed=20261142, progress=False)
    assert abs(found['mass'] - found['size']).max() < .01 and abs(found['rank'] - found['size']).max() < .02
    assert abs(found.pointing.mean() - found.chance.mean()) < 4*np.sqrt(found.chance.mean()/len(found))
    row = league(found).iloc[0]
    assert row.n == 12 and row.pointing_low <= row.pointing <= row.pointing_high


def test_same_seed_same_scores_and_nobody_elses_generator():
    state = torch.get_rng_state()
    ask = lambda: score_method(lambda values, task: values.abs(), 'deep_q', n=12, seed=20261142, progress=False)
    pd.testing.assert_frame_equal(ask(), ask())
    assert torch.equal(state, torch.get_rng_state())


def test_what_is_refused(fresh):
    x, marks = fresh
    for call in (lambda: plant(x, 'fever', marks, seed=1), lambda: load_detector('fever'), lambda: score_method('random', 'fever', n=4, seed=20261142, progress=False)):
        with pytest.raises(ValueError, match="unknown finding 'fever'; known are st_elevation, wide_qrs, missing_p, tall_t, deep_q"): call()
    with pytest.raises(ValueError, match="record 3: no beat with T was found, which 'tall_t' needs"): plant(x, 'tall_t', marks[~(marks.record.eq(3) & marks.wave.eq('T'))], seed=1)
    with pytest.raises(ValueError, match="no beat with QRS was found"): plant(0*x[0], 'deep_q', seed=1)
    with pytest.raises(ValueError, match='trained on; use another'): score_method('random', n=4, seed=TRAINING['seed'])


def test_the_table_that_ships():
    table = shipped_league()
    random = table.set_index('method').loc['random']
    assert table.pointing.max() >= .95 and random.pointing_low <= random.chance <= random.pointing_high
    assert set(shipped_league(each=True).finding) == set(FINDINGS)
