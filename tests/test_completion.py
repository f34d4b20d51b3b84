"The rest of an ECG: what was given stays, what is missing is plausible, and what cannot be answered is refused."
import numpy as np
import pytest

import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.generators.completion import beats_in, load_hearts
from deepsynthbody_nb.records.provenance import is_synthetic, sentence
from deepsynthbody_nb.signals.files import read, write
from deepsynthbody_nb.signals.leads import LEADS_8, to_8_lead
from deepsynthbody_nb.signals.measure import measure


@pytest.fixture(scope='module')
def x():
    return ecg.sample(1, seed=12, leads=8, generator='conditional', condition=dict(heart_rate_bpm=75))[0]


@pytest.mark.parametrize('given', [['II'], ['I', 'II'], ['I', 'II', 'V2'], ['V5', 'V1'], ['II', 'III', 'V3']])
def test_leads_that_were_given_stay_to_the_bit(x, given):
    whole = ecg.complete(x.sel(lead=['I', 'II']), 1, seed=0)[0]                 # twelve leads, to take III from
    part = whole.sel(lead=given) if 'III' in given else x.sel(lead=given)
    found = ecg.complete(part, 3, seed=4)
    own = [lead for lead in given if lead in LEADS_8]
    assert (found.sel(lead=own).values == part.sel(lead=own).values).all() and np.isfinite(found.values).all()
    assert is_synthetic(found) and 'completed from' in sentence(found[0])
    other = next(lead for lead in ('V4', 'V6') if lead not in given)
    assert float(found.sel(lead=other).std('record').mean()) > .005            # mV: the answers differ


def test_answers_do_not_depend_on_how_many_are_asked(x):
    part = x.sel(lead=['II', 'V5'])
    assert ecg.complete(part, 5, seed=1).isel(record=slice(2)).equals(ecg.complete(part, 2, seed=1))
    assert not ecg.complete(part, 1, seed=1).equals(ecg.complete(part, 1, seed=2))


def test_settings_of_torch_do_not_matter(x):
    import torch
    strip = x.sel(lead=['II'])[:, :2000]
    first = ecg.complete(strip, 1, seed=1, seconds=10)
    torch.set_default_dtype(torch.float64)
    try:
        again = ecg.complete(strip, 1, seed=1, seconds=10)
    finally:
        torch.set_default_dtype(torch.float32)
    assert again.equals(first)


def test_a_strip_goes_on_at_its_own_rate(x):
    strip = x[:, :1250]
    longer = ecg.complete(strip, 3, seed=0, seconds=10, leads=8)
    assert longer.shape == (3, 8, 5000) and (longer[:, :, :1250].values == strip.values).all()
    own = 60/np.diff(beats_in(strip)[0][2][:, 1]).mean()                       # bpm
    assert abs(measure(longer).heart_rate_bpm - own).max() < 8
    jump = abs(longer.diff('time')).sel(time=slice(2.48, 2.54)).max()
    assert float(jump) < .25                                                   # mV from sample to sample at the seam


def test_a_lost_stretch_is_filled_and_the_rest_kept(x):
    gap = x.sel(lead=['I', 'II', 'V2']).copy()
    gap[:, 1700:2900] = np.nan
    found = ecg.complete(gap, 2, seed=0, leads=8)
    known = ~np.isnan(gap.values[0])
    assert (found.sel(lead=['I', 'II', 'V2']).values[..., known] == gap.values[:, known]).all()
    assert np.isfinite(found.values).all() and abs(measure(found).heart_rate_bpm - 75).max() < 8


@pytest.mark.parametrize('first, end', [(0, 1200), (2000, 2010), (2400, 2500), (3900, 5000), (1100, 3900)])
def test_stretches_of_any_place_and_length(x, first, end):
    gap = x.sel(lead=['I', 'V1']).copy()
    gap[:, first:end] = np.nan
    found = ecg.complete(gap, 2, seed=0, leads=8)
    assert np.isfinite(found.values).all() and float(abs(found).max()) < 4


def test_a_lead_that_came_off_is_filled_from_the_others(x):
    off = x.copy()
    off.loc[dict(lead='V3')] = off.sel(lead='V3').where(off.time < 6)
    found = ecg.complete(off, 1, seed=0, leads=8)[0]
    a, b = (v.sel(lead='V3', time=slice(6.2, 9.5)).values for v in (found, x))
    assert np.corrcoef(a, b)[0, 1] > .85 and (found.sel(lead='V3', time=slice(0, 5.9)) == x.sel(lead='V3', time=slice(0, 5.9))).all()


def test_completed_files_say_so(x, tmp_path):
    write(ecg.complete(x.sel(lead=['I', 'II']), 1, seed=0)[0], tmp_path/'a.hea')
    assert 'completed from the leads I, II' in sentence(read(tmp_path/'a.hea'))


@pytest.mark.parametrize('spoil, said', [
    (lambda x: x[:, ::2], '250 Hz; complete takes 500 Hz'),
    (lambda x: x*0, 'no stretch of 2 s or more has a whole beat'),
    (lambda x: x[:, :900], 'no stretch of 2 s or more has a whole beat'),
    (lambda x: x*np.nan, 'at least one lead must be whole'),
    (lambda x: x.assign_coords(lead=['aVR', *x.lead.values[1:]])[:1], 'none of the leads I, II'),
])
def test_what_cannot_be_completed_is_refused(x, spoil, said):
    with pytest.raises(ValueError, match=said):
        ecg.complete(spoil(x))
    with pytest.raises(ValueError, match='it does not cut it'):
        ecg.complete(x, seconds=5)


def test_better_than_linear_regression_on_another_collection(real_ecg, tell):
    "LUDB, of which nothing was learnt: from I, II and V2 the other five, beside what regression makes of LUDB itself."
    others, found = ['V1', 'V3', 'V4', 'V5', 'V6'], dict(complete=[], linear=[])
    records = [to_8_lead(read(path)) for path in sorted((real_ecg/'ludb'/'data').glob('*.hea'))[::5]]
    flat = [r.values - np.median(r.values, -1, keepdims=True) for r in records]
    rows, rest = [0, 1, 3], [2, 4, 5, 6, 7]
    all_of_it = np.concatenate(flat, 1)
    guess = np.linalg.lstsq(all_of_it[rows].T, all_of_it[rest].T, rcond=None)[0].T
    for record, v in zip(records, flat, strict=True):
        try:
            made = ecg.complete(record.sel(lead=['I', 'II', 'V2']), 10, seed=0, leads=others).mean('record').values
        except ValueError:
            continue
        for name, one in (('complete', made), ('linear', guess@v[rows])):
            found[name].append([np.corrcoef(a[500:4500], b[500:4500])[0, 1] for a, b in zip(one, v[rest], strict=True)])
    medians = {name: np.median(v, 0).round(3) for name, v in found.items()}
    tell(f'from I, II, V2 on {len(found["complete"])} of 30 records of LUDB, correlation: {medians}')
    assert len(found['complete']) >= 28 and np.median(found['complete']) > .9
    assert medians['complete'][0] > medians['linear'][0] and medians['complete'][3] > medians['linear'][3]      # V1, V5


def test_the_model_is_a_gaussian():
    "Given all leads nothing is left to guess; given none of the chest, much is."
    hearts = load_hearts()
    shape = hearts.mean[:960].reshape(8, 120)
    sure, unsure = (np.sqrt((hearts.given(shape[rows], hearts.mean[960:], rows)[1]**2).sum(0)).reshape(8, 120)[5].mean()
                    for rows in (list(range(8)), [0]))
    assert sure < .03 < .08 < unsure


def test_beats_are_found_in_one_lead(x):
    (first, end, marks), = beats_in(x.sel(lead=['II']))
    assert (first, end) == (0, 5000) and (np.diff(marks.ravel()) > 0).all() and len(marks) >= 10
