"The report on ECGs: what is converted, what is refused, what is kept; attacks on generators that memorise or do not."
import json
import tomllib

import numpy as np
import pandas as pd
import pytest

import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.command_line import main
from deepsynthbody_nb.evaluation import report
from deepsynthbody_nb.evaluation.features import alike, collection, features
from deepsynthbody_nb.evaluation.privacy import copies, membership
from deepsynthbody_nb.signals.files import write

QUICK = dict(splits=2, seeds=1, progress=False)


@pytest.fixture(scope='module')
def ecgs():
    return ecg.sample(16, seed=3, leads=12)


def clustered(n, g):
    "People in 8 measures: three groups."
    return g.standard_normal((n, 8)) + 3*g.integers(0, 3, (n, 1))


@pytest.mark.parametrize('people, caught', [(40, True), (2000, False)])
def test_a_generator_with_forty_memories_is_caught_only_if_it_learnt_from_forty_people(people, caught):
    from sklearn.cluster import KMeans
    g = np.random.default_rng(5)
    train, held = clustered(people, g), clustered(2000, g)
    memories = KMeans(40, n_init=1, random_state=0).fit(train)
    drawn = memories.cluster_centers_[g.choice(memories.labels_, 1500)]
    found = membership(train, held, drawn + .05*g.standard_normal(drawn.shape)).table
    assert (found.low.max() > .9) == caught
    assert (found['tpr_0.01_low'].max() > .5) == caught
    assert found['tpr_0.001'].notna().all()            # 1,000 held-back people can show one in a thousand
    if not caught:
        assert found.auroc.max() < .6


def test_a_private_generator_leaves_the_attack_at_chance():
    "The Gaussian mechanism: only a noisy mean and covariance leave the data (clipped to norm 8)."
    g = np.random.default_rng(6)
    train, held = clustered(300, g), clustered(600, g)
    clipped = train*np.minimum(1, 8/np.linalg.norm(train, axis=1))[:, None]
    centre = clipped.mean(0) + .05*g.standard_normal(8)
    noise = .2*g.standard_normal((8, 8))
    spread = np.cov(clipped.T) + (noise + noise.T)/2 + np.eye(8)
    found = membership(train, held, g.multivariate_normal(centre, spread, 900)).table
    assert (found.low < .52).all() and (found.auroc < .58).all()


def test_training_with_a_promise_leaves_the_attack_at_chance():
    "The same small generator, from the same start: it learns 120 people by heart, or keeps what it promised."
    import xarray as xr

    from deepsynthbody_nb.training.private import beat_axes, draw_beats, teach_beats, teach_privately
    g = np.random.default_rng(7)
    public = xr.DataArray(g.standard_normal((60, 2, 40)), dims=('record', 'lead', 'time'), attrs=dict(sampling_rate=100),
                          coords=dict(record=range(60), lead=['II', 'V2'], time=np.arange(40)/100))
    axes = beat_axes(public)
    people = g.standard_normal((320, 24)).astype('float32') @ (g.standard_normal((24, 24))/3).astype('float32')
    train, held = people[:120], people[120:]
    start = teach_beats(axes.rows(public), 300)
    by_heart = teach_beats(train, 6000, start)
    private, promise = teach_privately(train, 2., start=start, seed=1)
    attacks = [membership(train, held, axes.rows(draw_beats(network, axes, 500))).table for network in (by_heart, private)]
    assert attacks[0].low.max() > .6 and (attacks[1].low < .55).all()
    assert promise.epsilon == 2 and promise.noise > 1
    again, _ = teach_privately(train, 2., start=start, seed=1)
    assert draw_beats(again, axes, 3).equals(draw_beats(private, axes, 3))


def test_rates_leads_and_lengths_are_converted_and_the_report_says_so(ecgs):
    other = ecgs.isel(time=slice(0, 4000, 2)).assign_attrs(sampling_rate=250)
    (a, b), said = alike([collection('real', ecgs), collection('synthetic', other)])
    assert a.values.shape == b.values.shape == (16, 8, 2000) and a.values.attrs['sampling_rate'] == 250
    assert any('resampled from 500 to 250 Hz' in s for s in said) and any('first 8 s' in s for s in said)
    assert np.abs(a.values.values[:, :, 200:-200] - b.values.values[:, :, 200:-200]).mean() < .01  # mV: thinned unfiltered


@pytest.mark.parametrize('change, said', [
    (lambda x: x.sel(lead=['I', 'II', 'V1']), 'synthetic: the leads .* are not determined'),
    (lambda x: x*np.nan, 'synthetic: record .* has missing samples'),
    (lambda x: x[:9], 'synthetic has 9 records; at least 10'),
    (lambda x: x.isel(time=slice(0, 1000)), 'last 2 s in common; 100 Hz and 2.5 s are needed'),
])
def test_what_cannot_be_converted_is_refused_in_one_sentence(ecgs, change, said):
    with pytest.raises(ValueError, match=said) as e:
        report(ecgs, change(ecgs).assign_attrs(ecgs.attrs), **QUICK)
    assert '\n' not in str(e.value)


def test_features_are_kept_and_a_torn_file_is_named(ecgs, tmp_path, monkeypatch):
    c = alike([collection('real', ecgs)])[0][0]
    first = features(c, cache=tmp_path, progress=False)
    monkeypatch.setattr('deepsynthbody_nb.evaluation.features.ecg_measures', None)   # would fail if it were called again
    again = features(c, cache=tmp_path, progress=False)
    assert first.measures.equals(again.measures) and np.array_equal(first.thin, again.thin)
    torn = next(tmp_path.glob('*thin*'))
    torn.write_bytes(torn.read_bytes()[:100])
    with pytest.raises(ValueError, match=torn.name):
        features(c, cache=tmp_path, progress=False)


def test_a_report_is_kept_for_the_same_question_only(ecgs, tmp_path, monkeypatch):
    first = report(ecgs[:12], ecgs[4:], cache=tmp_path, **QUICK)
    with monkeypatch.context() as m:
        m.setattr('deepsynthbody_nb.evaluation.reporting.features', None)      # would fail if it were called again
        again = report(ecgs[:12], ecgs[4:], cache=tmp_path, **QUICK)
        assert again.verdicts == first.verdicts and again.pictures == first.pictures and again.about == first.about
        pd.testing.assert_frame_equal(again.table, first.table, check_dtype=False)
        with pytest.raises(TypeError):
            report(ecgs[:12], ecgs[4:], cache=tmp_path, **QUICK | dict(splits=3))
        with pytest.raises(TypeError):
            report(ecgs[:12], ecgs[3:], cache=tmp_path, **QUICK)
    kept, = tmp_path.glob('report-*.json')
    kept.write_text(kept.read_text()[:200])
    with pytest.raises(ValueError, match=kept.name):
        report(ecgs[:12], ecgs[4:], cache=tmp_path, **QUICK)


def test_the_command_writes_a_page_that_needs_nothing_else(ecgs, tmp_path, capsys):
    for name, part in (('real', ecgs[:12]), ('made', ecgs[4:])):
        (tmp_path/name).mkdir()
        for k, record in enumerate(part):
            write(record, tmp_path/name/f'{name}{k}.hea')
    page, card = tmp_path/'report.html', tmp_path/'mine'/'card.toml'
    card.parent.mkdir()
    card.write_text('name = "mine"\n')
    words = ['evaluate', str(tmp_path/'real'), str(tmp_path/'made'), '-o', str(page), '--card', str(card.parent)]
    assert main(words) == 0
    measured = tomllib.loads(card.read_text())['measured']
    assert measured['privacy'] == 'fail' and measured['command'].startswith('deepsynthbody evaluate')
    text, said = page.read_text(), capsys.readouterr().out
    assert 'privacy: fail' in said and 'copies of records passed as real' in said     # eight are in both
    assert 'data:image/png;base64' in text and '<script' not in text and 'src=\'http' not in text


def test_saved_as_json_and_parquet(ecgs, tmp_path):
    found = report(ecgs, ecg.sample(12, seed=4, leads=8), **QUICK)
    said = json.loads(found.save(tmp_path/'r.json').read_text())
    assert said['verdicts'] == found.verdicts and said['about']['real'] == '16 records of 16 patients'
    kept = pd.read_parquet(found.save(tmp_path/'r.parquet'))
    assert list(kept.columns[:8]) == ['axis', 'measure', 'value', 'low', 'high', 'floor', 'ceiling', 'better']
    assert found.verdicts['fidelity']['grade'] == 'cannot tell'                          # of 16 records


def test_copies_of_real_records_are_found_shifted_scaled_and_mirrored(real_ecg):
    from deepsynthbody_nb.signals.files import read
    files = sorted((real_ecg/'ptbxl500'/'records500').glob('*.hea'))[:60]
    x = read(files)
    (c,), _ = alike([collection('train', x)])
    v = c.values
    changed = {'exact': v[:12], 'scaled': v[12:24]*1.4, 'mirrored upside down': -v[24:36],
               'shifted': v[36:48].copy(data=np.roll(v[36:48].values, 500, -1))}        # by 1 s
    train = features(c, progress=False, measured=10).thin
    for k, (how, made) in enumerate(changed.items()):
        (own,), _ = alike([collection('synthetic', made)])
        found = copies(features(own, progress=False, measured=10).thin, train)
        assert list(found.nearest) == list(range(12*k, 12*k + 12)), how
        assert (found.how == how).mean() > .8, (how, list(found.how))
