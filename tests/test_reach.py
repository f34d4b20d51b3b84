"What the generator does not reach is said: in a warning, in the latent, in files; and what is done to a record's length."
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest

import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.latent.bottleneck import decode, join, latents, reach
from deepsynthbody_nb.latent.controls import CONTROLS, move
from deepsynthbody_nb.latent.inversion import as_generated, nearness
from deepsynthbody_nb.latent.walk import between
from deepsynthbody_nb.signals.files import read, write
from deepsynthbody_nb.signals.leads import as_ecg
from deepsynthbody_nb.signals.measure import measure
from deepsynthbody_nb.signals.resampling import resample
from deepsynthbody_nb.signals.retiming import repeated
from deepsynthbody_nb.widgets.latent_walk import LatentWalk


def said_by(function, *args, **more):
    "What a call returns, and what it warns of."
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        result = function(*args, **more)
    return result, [str(w.message) for w in said if w.category is UserWarning]


MISSED = 'heart rate 129 bpm (found 64)'


def test_a_latent_keeps_what_it_does_not_reach():
    one, far = latents(2, seed=0), replace(latents(1, seed=1), unreached=(MISSED,))
    assert one.unreached == ('', '')
    both = join([one, far])
    assert both.unreached == ('', '', MISSED) and both[[2, 0]].unreached == (MISSED, '') and both[-1:].unreached == (MISSED,)
    assert move(far, {'heart_rate': [1, 2]}).unreached == (MISSED, MISSED)
    assert pickle.loads(pickle.dumps(both)).unreached == both.unreached
    assert between(one[0], far, .5).unreached == ('',) and between(one[0], far, 1).unreached == (MISSED,)


def test_vary_and_the_sliders_repeat_it():
    far = replace(latents(1, seed=1), unreached=(MISSED,))
    _, said = said_by(ecg.vary, 'heart_rate', [0, 1], latent=far)
    assert len(said) == 1 and MISSED in said[0] and 'another heart' in said[0]
    assert said_by(ecg.vary, 'heart_rate', [0, 1], seed=1)[1] == []
    walk = LatentWalk(latent=far)
    assert MISSED in walk.children[0].said['warning']                             # the page shows it


def test_a_name_does_not_make_a_record_synthetic():
    def kind(origin):
        return decode(replace(latents(1, seed=0), origin=(origin,))).attrs['provenance']

    assert kind('found by inversion of synthetic_study.hea, mean correlation 0.91') == 'real, edited'
    assert kind('found by inversion of record 3 · a synthetic.hea, mean correlation 0.91') == 'real, edited'
    for given in ('synthetic: generator pulse2pulse 1.1.2, seed 0, record 5', 'synthetic · x.asc', 'synthetic'):
        assert kind(f'found by inversion of {given}, mean correlation 0.91') == 'synthetic'
    assert kind('seed 0, record 0') == 'synthetic'


@pytest.mark.parametrize('control', CONTROLS)
def test_a_slider_stays_inside(control):
    for seed in (3, 11):
        moved, said = said_by(move, latents(1, seed=seed), {control: [-2, 2]})
        assert said == [] and reach(moved).max() < .7


def test_leaving_the_space_is_warned_where_it_ends():
    assert said_by(ecg.vary, 't_amplitude', [8], seed=11)[1] == []           # a T of 0.63 mV: rare, and ordinary
    _, said = said_by(ecg.vary, 't_amplitude', [8, 20], seed=11)
    assert len(said) == 1 and said[0].startswith('1 of 2 records lie outside')


@pytest.mark.parametrize('seconds', [3.5, 5, 7.3, 9.6])
@pytest.mark.parametrize('rate', [250, 500])
def test_whole_beats_are_repeated(seconds, rate):
    for k, x in enumerate(ecg.sample(4, seed=21, leads=8)):
        short = resample(x.isel(time=slice(0, round(500*seconds))), rate)
        long = repeated(short, 10)
        assert long.sizes['time'] == 10*rate and long.attrs['provenance'].endswith('repeated to 10 s')
        step = float(abs(short.diff('time')).max())
        assert float(abs(long.diff('time')).max()) <= 1.3*step, k            # the beats join without a step
        assert abs(measure(long).heart_rate_bpm.item() - measure(short).heart_rate_bpm.item()) < 3, k
        lean = (long.values[:, :rate] - short.values[:, :rate])              # the given part, but for a slope
        assert np.abs(lean - lean.mean(1, keepdims=True)).max() < .05, k     # mV


def test_a_record_keeps_its_clock_when_repeated():
    x = ecg.sample(1, seed=21, leads=8)[0, :, :2500]
    late = repeated(x.assign_coords(time=x.time + 60), 10)
    np.testing.assert_allclose(late.time[[0, -1]], [60, 69.998])
    np.testing.assert_array_equal(late.values, repeated(x, 10).values)


def test_ten_seconds_at_500_hz():
    x = ecg.sample(2, seed=8)
    same, said = said_by(as_generated, x)
    assert said == [] and 'edited' not in same.attrs['provenance']
    fine, said = said_by(as_generated, resample(x, 1000))                    # nothing is lost: no warning
    assert said == [] and float(abs(fine - as_generated(x)).max()) < .02
    twice = as_ecg(np.concatenate([x.values, x.values], -1), 500, list(x.lead.values))
    first, said = said_by(as_generated, twice)
    assert len(said) == 1 and 'lasts 20 s: its first 10 s are used' in said[0]
    np.testing.assert_allclose(first.values, as_generated(x).values, atol=1e-6)
    assert first.attrs['provenance'] == 'real, edited: first 10 s of 20 s'
    short, said = said_by(as_generated, resample(x.isel(time=slice(0, 2500)), 1000))
    assert short.shape == (2, 8, 5000) and len(said) == 1 and 'lasts 5 s: its whole beats are repeated' in said[0]
    assert short.attrs['provenance'].endswith('resampled from 1000 to 500 Hz; whole beats of 5 s repeated to 10 s')
    assert said_by(as_generated, x.isel(time=slice(0, 4995)))[1] == []       # 10 ms


@pytest.mark.parametrize('x, says', [
    (as_ecg(np.random.default_rng(0).normal(size=(12, 500)), 50), '100 Hz or more; this one has 50'),
    (ecg.sample(1, seed=8)[:, :, :500], 'this ECG lasts 1 s and shows 0 whole beats'),
    (np.random.default_rng(0).normal(size=(12, 1500)).astype('float32'), 'lasts 3 s and shows .* whole beats'),
    (np.full((12, 2500), np.nan), 'missing samples'),
    (np.zeros((12, 2500)), 'without a signal'),
])
def test_what_cannot_be_made_ten_seconds_is_named(x, says):
    with pytest.raises(ValueError, match=says):
        as_generated(x)


def test_a_short_fast_record_is_found_with_its_heart_rate():
    x = resample(ecg.sample(1, seed=8).isel(time=slice(0, 2500)), 1000)      # 5 s at 1 kHz
    latent, said = said_by(ecg.invert, x)
    assert len([s for s in said if 'its whole beats are repeated' in s]) == 1
    assert 'heart rate' not in latent.unreached[0] and float(nearness(latent, x).mean()) > .85
    assert 'whole beats of 5 s repeated to 10 s' in latent.origin[0]
    assert decode(latent).attrs['provenance'] == 'synthetic'


def test_a_real_record_out_of_reach(real_ecg, tmp_path, tell):
    "PTB-XL 18: 129 bpm, axis to the left. The generator gives an ordinary heart at half the rate."
    path = next((real_ecg/'ptbxl500').rglob('00018_hr.hea'))
    x = read(path)
    given = measure(x).iloc[0]
    latent, said = said_by(ecg.invert, x)
    tell(f'out of reach: {latent.unreached[0]}')
    assert len(said) == 1 and latent.unreached[0] in said[0]
    assert f'heart rate {given.heart_rate_bpm:.0f} bpm (found ' in latent.unreached[0]
    assert 'QRS axis' in latent.unreached[0] and 'correlation 0.' in latent.unreached[0]
    varied, said = said_by(ecg.vary, 'heart_rate', [0, -1], latent=latent)
    assert latent.unreached[0] in said[0] and varied.attrs['provenance'] == 'real, edited'
    back = read(write(varied[1], tmp_path/'x.hea'))
    assert latent.unreached[0] in back.attrs['comments'][0] and back.attrs['comments'][0].startswith('real, edited: ')
