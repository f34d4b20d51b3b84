"Latents, walks, controls and inversion: what holds for every input, and on records never used to find the controls."
import time, warnings
import numpy as np, pytest
from PIL import Image
from scipy.stats import spearmanr
import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.evaluation.walks import jumps
from deepsynthbody_nb.latent.bottleneck import along, decode, draw_latents, latents, leftover, moved_to, reach
from deepsynthbody_nb.latent.controls import CONTROLS, move
from deepsynthbody_nb.latent.inversion import nearness
from deepsynthbody_nb.signals.files import read, write
from deepsynthbody_nb.signals.measure import measure
from deepsynthbody_nb.catalogue.weights import card_table


@pytest.mark.parametrize('space', ['bottleneck', 'noise'])
def test_a_walk_visits_its_seeds_exactly(space):
    x = ecg.walk([5, 6, 5], 3, space=space)
    assert x.sizes['record'] == 7
    for k, seed in ((0, 5), (3, 6), (6, 5)): np.testing.assert_array_equal(x[k], ecg.sample(1, seed=seed)[0])
    assert not any(np.array_equal(a, b) for a, b in zip(x.values, x.values[1:]))


def test_what_is_between_says_so(tmp_path):
    x = ecg.walk([5, 6], 2)
    assert x.origin.item(1) == '50 % of the way from seed 5, record 0 to seed 6, record 0'
    assert read(write(x[1], tmp_path/'x.hea')).attrs['comments'] == ['synthetic: generator pulse2pulse 1.1.2, 50 % of the way from seed 5, record 0 to seed 6, record 0']
    moved = ecg.vary('t_amplitude', [1.5], seed=5)
    assert read(write(moved[0], tmp_path/'y.hea')).attrs['comments'] == ['synthetic: generator pulse2pulse 1.1.2, seed 5, record 0, t_amplitude +1.5 SD']


@pytest.mark.parametrize('control', list(CONTROLS))
def test_a_value_does_not_depend_on_its_company(control):
    many = ecg.vary(control, [-1, 0, 1.25], seed=8, leads=8)
    np.testing.assert_array_equal(many[2], ecg.vary(control, 1.25, seed=8, leads=8)[0])
    np.testing.assert_array_equal(many[1], ecg.sample(1, seed=8, leads=8)[0])
    assert len({record.tobytes() for record in many.values}) == 3


def test_several_controls_at_once():
    one = latents(1, seed=8)
    both = move(one, {'heart_rate': [0, 1.5], 'r_amplitude': -1})
    assert len(both) == 2 and both.origin[1].endswith('heart_rate +1.5 SD, r_amplitude -1 SD')
    np.testing.assert_array_equal(decode(both[0]), decode(move(one, {'r_amplitude': -1})))
    assert move(one, {}) is one


def test_moving_keeps_the_leftover():
    some = latents(5, seed=9)
    there = along(some) + 1
    moved = moved_to(some, there)
    np.testing.assert_allclose(along(moved), there, atol=2e-3)
    np.testing.assert_allclose(leftover(moved), leftover(some), atol=2e-2)


def test_sliders_on_fresh_seeds(tell):
    "A few seeds of the many whose figures ship, made again."
    shipped, values = card_table('controls', 'effects.csv'), np.linspace(-2, 2, 9)
    again = {}
    for control in ('heart_rate', 'r_amplitude', 't_amplitude'):
        with warnings.catch_warnings(action='ignore'): found = [measure(ecg.vary(control, values, seed=seed))[CONTROLS[control]] for seed in range(700, 704)]
        again[control] = np.mean([spearmanr(values, f)[0] for f in found])
    tell('slider against its measure, Spearman, mean over 4 fresh seeds: ' + ', '.join(f'{c} {r:.3f}' for c, r in again.items()))
    assert again['heart_rate'] > .95 and min(again.values()) > .8
    means = shipped.groupby('control').spearman.mean()
    assert shipped.groupby('control').start.nunique().min() >= 50 and set(means.index) == set(CONTROLS)


def test_neighbours_on_a_walk_are_alike():
    "No beat slides or grows by more than the shipped bound from one of sixty steps to the next."
    bound = card_table('controls', 'jumps.csv').set_index('share')
    found = jumps(ecg.walk([71, 72], 60, leads=8))
    assert found.slide_ms.abs().quantile(.99) <= 2*bound.slide_ms['99 %'] and found.change_mv.abs().quantile(.99) <= 2*bound.change_mv['99 %']


def test_drawn_latents_are_ordinary():
    assert (reach(draw_latents(50, seed=4)) <= 1).mean() > .9
    new, usual = (measure(decode(x)) for x in (draw_latents(25, seed=4), latents(25, seed=5)))
    for column in ('heart_rate_bpm', 'qrs_ms', 'r_amplitude_II_mv'): assert abs(new[column].median() - usual[column].median()) < 1.5*usual[column].std(), column


def test_films_end_where_they_should(tmp_path):
    pages = ecg.generate_interpolation('heart', tmp_path, 3, seed=7, save_frames=True)
    again = ecg.generate_interpolation('again', tmp_path, 5, seed=7, save_frames=True)
    with Image.open(pages[-1]) as last, Image.open(again[-1]) as other, Image.open(pages[0]) as first:
        assert np.array_equal(last, other) and not np.array_equal(last, first)
    gif, = ecg.generate_interpolation('heart', tmp_path, 4, seed=7)
    same, = ecg.generate_interpolation('same', tmp_path, 4, seed=7)
    assert Image.open(gif).n_frames == 4 and gif.read_bytes() == same.read_bytes()
    assert not list(tmp_path.rglob('*.part'))


@pytest.mark.parametrize('call, said', [
    (lambda: ecg.vary('pulse', [1], seed=0), "unknown control 'pulse'; known are heart_rate, rr_variability"),
    (lambda: ecg.vary('heart_rate', [np.nan], seed=0), 'finite numbers'),
    (lambda: ecg.vary('heart_rate', ['fast'], seed=0), 'are numbers'),
    (lambda: ecg.vary('heart_rate', [1], seed=0, latent=latents(1, 0)), 'not with both'),
    (lambda: ecg.vary('heart_rate', [1], latent=latents(2, 0)), 'choose one'),
    (lambda: ecg.vary('heart_rate', [1], seed=-1), 'at least 0'),
    (lambda: ecg.walk([1], 5), 'two seeds or more'),
    (lambda: ecg.walk([1, 2], 0), 'at least 1'),
    (lambda: ecg.walk([1, 2], 2, space='pixel'), 'known are bottleneck, noise'),
    (lambda: ecg.controls('stylegan'), 'unknown generator'),
    (lambda: ecg.generate_interpolation('x', '.', 1), 'at least 2'),
    (lambda: ecg.generate_interpolation('../x', '.', 3), 'plain file name'),
])
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=said): call()


def test_who_walks_too_far_is_warned():
    with pytest.warns(UserWarning, match='outside of where ordinary ones do'): ecg.vary('t_amplitude', [0, 40], seed=3)


def test_the_users_random_stream_is_left_alone():
    import subprocess, sys
    code = "import torch, deepsynthbody_nb.cardiovascular.ecg as ecg\ntorch.manual_seed(3); a = torch.rand(1); torch.manual_seed(3)\necg.vary('heart_rate', 1, seed=0)\nassert torch.rand(1) == a"
    subprocess.run([sys.executable, '-c', code], check=True)


def test_real_records_are_found_and_edited(real_ecg, tell):
    "Two of LUDB's records in sinus rhythm; the distribution over all of them ships with the weights."
    found = []
    for name in (16, 18):
        with warnings.catch_warnings(action='ignore'): x = read(real_ecg/'ludb'/'data'/f'{name}.hea')
        start = time.perf_counter(); latent = ecg.invert(x); seconds = time.perf_counter() - start
        found.append((float(nearness(latent, x).mean()), seconds, latent))
    tell('inversion of LUDB 16, 18: mean correlation ' + ', '.join(f'{r:.2f} in {s:.1f} s' for r, s, _ in found))
    assert min(r for r, _, _ in found) > .85
    rates = measure(ecg.vary('heart_rate', [-2, 2], latent=found[1][2])).heart_rate_bpm
    assert rates.iloc[1] > rates.iloc[0] + 5                                 # the edited record beats faster
    assert ecg.vary('heart_rate', [0], latent=found[1][2]).attrs.get('seed') is None
    shipped = card_table('inversion', 'ludb.csv').correlation
    assert len(shipped) > 100 and shipped.median() >= .85


@pytest.mark.parametrize('x, said', [(np.zeros((12, 4000)), '10 s at 500 Hz'), (np.full((12, 5000), np.nan), 'missing samples'), (np.zeros((12, 5000)), 'without a signal'), (np.zeros((3, 5000)), '8 or 12')])
def test_what_cannot_be_inverted_is_named(x, said):
    with pytest.raises(ValueError, match=said): ecg.invert(x)
