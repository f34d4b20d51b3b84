"Heart, pulse and breath: what is asked holds, records do not depend on their company, sets resume, bad input is refused."
import numpy as np
import pytest
import xarray as xr

import deepsynthbody_nb.cardiovascular.ecg as ecg
import deepsynthbody_nb.cardiovascular.pulse as pulse
from deepsynthbody_nb.bulk import formats, make_set, sets, verify
from deepsynthbody_nb.catalogue import body, cards
from deepsynthbody_nb.evaluation.coupling import coupling
from deepsynthbody_nb.generators.body import Stream, as_condition, person, stretch
from deepsynthbody_nb.signals.breath import breath_rate, modulations
from deepsynthbody_nb.signals.pulse import find_pulses
from deepsynthbody_nb.signals.wfdb_files import read_body
from deepsynthbody_nb.widgets.body_monitor import PRESETS, REST, LiveBody


def onsets(x, record=0, kind=None):
    marks = x.beat[record].values
    return x.time.values[marks > 0 if kind is None else marks == kind]


def heights(x, record=0):
    II, rate = x.ecg.sel(lead='II')[record].values, x.ecg.attrs['sampling_rate']
    return np.array([np.ptp(II[int(t*rate):int(t*rate) + round(.1*rate)]) for t in onsets(x, record)])


def test_it_stands_on_the_shelf():
    assert cards().system['body'] == 'cardiovascular.pulse'
    assert 'pulse' in body().doors['cardiovascular']


def test_a_record_depends_on_seed_and_number_alone():
    several = pulse.sample(3, seconds=8, seed=4)
    assert several.attrs['seed'] == 4 and several.attrs['model'] == 'body' and several.ppg.attrs['provenance'] == 'synthetic'
    one = pulse.sample(1, seconds=8, seed=4)
    for name in ('ecg', 'ppg', 'respiration', 'beat', 'pulse'):
        np.testing.assert_array_equal(several[name][:1], one[name])
    longer = pulse.sample(1, seconds=16, seed=4)
    np.testing.assert_array_equal(longer.ppg[..., :2000], one.ppg)
    assert not np.allclose(several.ppg[1], several.ppg[2], atol=.1)


@pytest.mark.parametrize('rate', [125, 250, 500])
def test_rates_are_the_same_body(rate):
    x = pulse.sample(1, seconds=10, seed=2, rate=rate, condition=dict(noise='none'))
    assert x.ecg.shape == (1, 8, 10*rate) and x.ppg.attrs['sampling_rate'] == rate
    fine = pulse.sample(1, seconds=10, seed=2, rate=500, condition=dict(noise='none'))
    np.testing.assert_allclose(x.ppg, fine.ppg[..., ::500//rate], atol=1e-5)
    np.testing.assert_allclose(onsets(x), onsets(fine), atol=1/rate)


def test_a_stretch_is_the_same_whoever_drew_before():
    request = as_condition(dict(motion=.5, ectopic_per_min=5), 1)[0]
    who = person(request, 6, 0)
    whole = stretch(Stream(who, 6, 0), 0, 12, 250)
    part = stretch(Stream(who, 6, 0), 5, 9, 250)
    for name in ('ecg', 'ppg', 'respiration'):
        np.testing.assert_allclose(part[name], whole[name][..., 1250:2250], atol=2e-3, err_msg=name)


@pytest.mark.parametrize('rate', [10, 14, 20, 28])
def test_the_breath_that_was_asked_is_in_all_three(rate):
    x = pulse.sample(2, seconds=120, seed=rate, condition=dict(respiratory_rate_bpm=rate, heart_rate_bpm=85))
    for record in range(2):
        own = modulations(r_peaks_s=onsets(x, record), r_heights=heights(x, record), pulse=x.ppg[[record]], seconds=120)
        assert abs(breath_rate(own).breaths_bpm - rate) < 1.5
        assert abs(breath_rate(x.respiration[[record]]).breaths_bpm - rate) < 1.5


def test_breathing_moves_the_intervals_by_what_was_asked():
    x = pulse.sample(1, seconds=120, seed=1, condition=dict(rsa_ms=150, respiratory_rate_bpm=10, heart_rate_bpm=65))
    rr, at = np.diff(onsets(x)), onsets(x)[:-1]
    breath = np.interp(at + .4, x.time.values, x.respiration[0].values)
    slope = np.polyfit(breath, rr, 1)[0]
    assert -.2 < slope < -.1, slope                                            # s per breath: in, the heart hurries


def test_an_ectopic_beat_is_early_and_weak():
    x = pulse.sample(3, seconds=60, seed=8, condition=dict(ectopic_per_min=8, heart_rate_bpm=70, noise='none'))
    early, weak, usual = [], [], []
    for record in range(3):
        at, kinds = onsets(x, record), x.beat[record].values[x.beat[record].values > 0]
        found = find_pulses(x.ppg[[record]])
        begins, which = (v[x.pulse[record].values > 0] for v in (x.time.values, x.pulse[record].values))
        high = np.array([found.amplitude.iloc[np.abs(found.onset_s - t).argmin()] for t in begins])
        for k in np.flatnonzero(kinds[1:-1] == 2) + 1:
            early.append((at[k] - at[k - 1])/np.median(np.diff(at)))
        weak += high[which == 2].tolist()
        usual += high[which == 1].tolist()
    assert len(early) > 10 and max(early) < .8
    assert np.median(weak) < .85*np.median(usual)


def test_heart_and_pulse_belong_together_and_strangers_do_not():
    x = pulse.sample(2, seconds=120, seed=3, condition=dict(heart_rate_bpm=70, rsa_ms=80, noise='none'))
    own, other = (coupling(onsets(x), heights(x), x.ppg[[k]]) for k in (0, 1))
    assert own.interval_r > .7 > .4 > abs(other.interval_r)
    assert own.delay_sd_ms < .7*other.delay_sd_ms


def test_stiffness_makes_the_pulse_early_and_holds_it_up():
    soft, stiff = (pulse.sample(6, seconds=20, seed=5, condition=dict(stiffness=s, heart_rate_bpm=65, noise='none')) for s in (0, 1))

    def of(x):
        late, up = [], []
        for k in range(6):
            begins = x.time.values[x.pulse[k].values > 0]
            late += [t - onsets(x, k)[onsets(x, k) < t].max() for t in begins[1:]]
            wave = x.ppg[k].values
            up += [np.mean(wave[i + 75:i + 100] - wave[i])/np.ptp(wave[i:i + 100]) for i in np.flatnonzero(x.pulse[k])[1:-2]]
        return np.median(late), np.median(up)

    (late_soft, up_soft), (late_stiff, up_stiff) = of(soft), of(stiff)
    assert late_stiff < late_soft - .08 and up_stiff > up_soft + .1


def test_sets_are_the_same_in_parts(tmp_path, monkeypatch):
    for module in (formats, sets): monkeypatch.setattr(module, 'GROUP', 2)            # records computed together
    arguments = dict(generator='body', condition=[dict(heart_rate_bpm=60), dict(heart_rate_bpm=100)], seed=1, progress=False)
    folder = make_set(3, tmp_path/'set', **arguments)
    x = xr.open_zarr(folder/'body.zarr').load()
    assert x.ecg.shape == (3, 8, 15000) and x.heart_rate_bpm.values[:2].tolist() == [60, 100]
    alone = pulse.sample(2, seed=1, condition=arguments['condition'])
    np.testing.assert_allclose(x.ppg[:2], alone.ppg, atol=6e-4)
    np.testing.assert_array_equal(x.beat[:2], alone.beat)
    kept = (folder/'body.zarr'/'ppg'/'c'/'1'/'0').read_bytes()
    (folder/'body.zarr'/'ppg'/'c'/'1'/'0').unlink()
    make_set(3, folder, **arguments)
    assert (folder/'body.zarr'/'ppg'/'c'/'1'/'0').read_bytes() == kept
    assert list(verify(folder, progress=False).index) == []


def test_a_set_of_waveforms_is_what_was_drawn_and_its_damage_is_seen(tmp_path):
    arguments = dict(seed=1, generator='body', format='wfdb', progress=False, condition=dict(ectopic_per_min=6))
    folder = make_set(2, tmp_path/'set', **arguments)
    place = folder/'records'/'000000'
    assert sorted(p.name for p in place.iterdir()) == sorted(f'{k}{end}' for k in (0, 1) for end in ('.atr', '.dat', '.hea', '.ppg'))
    one, back = pulse.sample(2, seed=1, condition=arguments['condition']), read_body(place/'1.hea')
    for name, off in dict(ecg=6e-4, ppg=6e-4, respiration=6e-4, beat=0, pulse=0).items():
        np.testing.assert_allclose(back[name], one[name][1], atol=off, err_msg=name)
    assert 'synthetic' in (place/'1.hea').read_text() and (back['beat'] == 2).any()
    assert list(verify(folder, progress=False).index) == []
    (place/'0.atr').write_bytes((place/'1.atr').read_bytes())
    assert list(verify(folder, progress=False).index) == [0]
    make_set(2, tmp_path/'again', **arguments)
    assert (tmp_path/'again'/'records'/'000000'/'1.ppg').read_bytes() == (place/'1.ppg').read_bytes()


@pytest.mark.parametrize('wrong, said', [
    (dict(heart_rate_bpm=300), 'between'), (dict(blood='A'), 'blood'), (dict(rhythm='samba'), 'sinus'),
    (dict(rhythm='atrial fibrillation', rsa_ms=40), 'atrial fibrillation')])
def test_wrong_requests_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        pulse.sample(1, condition=wrong)


def test_an_ecg_that_is_too_short_is_refused():
    x = pulse.sample(1, seconds=5, seed=0, condition=dict(heart_rate_bpm=40)).ecg[..., :500]
    with pytest.raises(ValueError, match='at least five'):
        pulse.from_ecg(x)


def test_a_given_ecg_keeps_its_own_history():
    heart = ecg.sample(1, seed=3)
    for given in (heart, heart.drop_attrs().assign_attrs(units='mV', sampling_rate=500)):     # of another generator; of a patient
        body = pulse.from_ecg(given, seed=1)
        assert body.ecg.attrs == given.attrs
        assert body.ppg.attrs['model'] == body.attrs['model'] == 'body'


def test_the_monitor_follows_its_sliders():
    live = LiveBody(seed=1)
    for _ in range(40):
        live.next()
    for _ in range(60):
        curves, rates = live.next(**REST | PRESETS['Exercise'])
    assert np.isfinite(curves).all() and rates[0] > 115 and abs(rates[0] - rates[1]) <= 4 and rates[2] > 24


def test_the_monitor_runs_in_jupyterlab(lab):
    import nbformat
    cell = nbformat.v4.new_code_cell('from deepsynthbody_nb.widgets import BodyMonitor\nBodyMonitor(seed=3)')
    kernel = dict(kernelspec=dict(display_name='Python 3', language='python', name='python3'))
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), lab.folder/'monitor.ipynb')
    notebook = lab.open('monitor.ipynb').run_all()
    page, canvas = notebook.page, notebook.page.locator('.dsb-monitor canvas').first
    canvas.wait_for(timeout=60_000)
    beats = 'e => +(e.getAttribute("aria-label").match(/heart rate (\\d+)/) || [0, 0])[1]'
    page.wait_for_function(f'e => {{ const n = ({beats})(e); return n > 45 && n < 95 }}', arg=canvas.element_handle(), timeout=60_000)
    page.get_by_role('button', name='Exercise').click()
    page.wait_for_function(f'e => ({beats})(e) > 110', arg=canvas.element_handle(), timeout=60_000)
    drawn = canvas.evaluate('e => new Set(e.getContext("2d").getImageData(0, 0, e.width, e.height).data).size')
    assert drawn > 20 and notebook.errors() == []
