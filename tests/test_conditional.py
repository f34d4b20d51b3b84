"The generator that can be asked: it does as asked, whatever else is asked beside."
import numpy as np, pytest
import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.catalogue import find
from deepsynthbody_nb.classifiers import load_classifier
from deepsynthbody_nb.command_line import main
from deepsynthbody_nb.evaluation.classification import auroc
from deepsynthbody_nb.evaluation.generation import asked_classes, asked_rates
from deepsynthbody_nb.signals.files import read
from deepsynthbody_nb.signals.measure import measure
from scipy.stats import spearmanr


def make(n, seed, condition): return ecg.sample(n, seed=seed, leads=8, generator='conditional', condition=condition)


def test_a_record_does_not_depend_on_what_is_made_beside_it(tmp_path):
    each = [dict(superclass=['CD']), dict(heart_rate_bpm=50), {}, dict(sex='male', age=30), None]*4
    whole = make(20, 3, each)
    assert whole[:3].equals(make(3, 3, each[:3]))
    ecg.generate(4, tmp_path, 13, seed=3, format='wfdb', generator='conditional', condition=each[13:17], batch_size=2)
    for k in range(13, 17): np.testing.assert_allclose(read(tmp_path/f'{k}.hea').values, whole[k].values, atol=6e-4)
    assert len({v.tobytes() for v in whole.values}) == 20


def test_asked_heart_rates_are_measured(tell):
    found = asked_rates(make, each=2)
    apart = (found.measured - found.asked).abs()
    assert apart.mean() < 5 and found.measured.notna().all()
    tell(f'conditional generator: asked for 30 to 150 bpm, {len(found)} records, mean absolute error {apart.mean():.1f} bpm, largest {apart.max():.1f}')


def test_asked_findings_are_read(tell):
    y, p = asked_classes(make, load_classifier('superclass').predict_proba, each=24)
    found = auroc(y, p)
    assert found['macro'] > .75
    tell(f"conditional generator: findings asked, 24 records each, read by the shipped classifier: macro-AUROC {found['macro']:.3f}")


@pytest.mark.parametrize('name, asked', [('pr_ms', range(110, 281, 10)), ('qrs_ms', range(70, 171, 6)), ('qt_ms', range(300, 501, 12)), ('qrs_axis_deg', range(-60, 121, 10))])
def test_asked_intervals_are_measured(name, asked, tell):
    asked = np.repeat(list(asked), 2)
    usual = dict(heart_rate_bpm=60, rhythm='sinus')
    x = ecg.sample(len(asked), seed=5, leads=8, generator='conditional', condition=[usual | {name: float(v)} for v in asked])
    found = measure(x)[name]
    rank = spearmanr(asked, found, nan_policy='omit').statistic
    assert rank >= .9 and found.notna().mean() > .9
    tell(f'conditional generator: {name} asked for {asked.min()} to {asked.max()}, {len(asked)} records: Spearman {rank:.3f}, median error {(found - asked).median():.1f}')


def test_fibrillation_is_irregular_and_noise_can_be_left_out():
    def sample(**asked): return ecg.sample(12, seed=6, leads=8, generator='conditional', condition=asked)
    def uneven(x): return measure(x).rr_sd_ms.median()
    assert uneven(sample(rhythm='atrial fibrillation')) > 2*uneven(sample(rhythm='sinus'))
    noisy, quiet = (sample(superclass=['NORM'], noise=noise) for noise in ('as recorded', 'none'))
    apart = (noisy - quiet).std('time')
    assert noisy.equals(sample(superclass=['NORM']).assign_coords(noise=noisy.noise)) and .002 < float(apart.median()) < .05   # mV


@pytest.mark.parametrize('condition, said', [
    (dict(superclass=['AF']), "unknown superclass 'AF'"), (dict(heart_rate_bpm=300), 'between 30 and 160'), (dict(heart_rate_bpm=float('nan')), 'between 30 and 160'), (dict(age='old'), 'age must be'),
    (dict(sex='x'), "'female' or 'male'"), (dict(height=2), "cannot request 'height'"), (['MI'], 'has 1 entries for 2 records'), ('MI', 'is a dict'), (dict(heart_rate_bpm=150, qt_ms=450), 'do not fit between beats at 150 bpm'),
    (dict(rhythm='atrial fibrillation', pr_ms=150), 'has no P waves'), (dict(rhythm='flutter'), "rhythm must be 'sinus' or"), (dict(noise='loud'), 'noise must be')])
def test_what_cannot_be_asked(condition, said):
    with pytest.raises(ValueError, match=said): ecg.sample(2, generator='conditional', condition=condition)


def test_what_only_the_other_generator_does():
    with pytest.raises(ValueError, match='has no named controls'): ecg.controls('wavegan')
    with pytest.raises(ValueError, match='takes no condition'): ecg.sample(1, condition=dict(sex='male'))


def test_sliders_move_what_is_asked_and_the_rest_stays(tmp_path):
    from deepsynthbody_nb.widgets.latent_walk import LatentWalk
    walk = LatentWalk(seed=4, generator='conditional')
    assert list(walk._sliders) == ecg.controls('conditional') and len(walk._sliders) == 13
    rest, rate = walk.ecg, measure(walk.ecg).heart_rate_bpm.item()
    walk.values = dict(heart_rate=1)
    assert abs(measure(walk.ecg).heart_rate_bpm.item() - rate - 15) < 4 and 'synthetic' in walk._page.said['title']
    made = {}
    exec(walk.code, made)
    np.testing.assert_array_equal(made['x'], walk.ecg)
    walk.values = dict(heart_rate=0)
    assert walk.ecg.equals(rest)
    walk.close()
    steering = find('conditional').steering()
    one, two = (load_classifier('superclass').predict_proba(steering.decode(steering.move(steering.start(k), dict(conduction_disturbance=[0, 2])))).CD for k in (4, 9))
    assert one.iloc[1] > one.iloc[0] + .2 and two.iloc[1] > two.iloc[0]


def test_from_the_shell(tmp_path):
    assert main(['generate', '2', str(tmp_path), '--generator', 'conditional', '--superclass', 'MI|CD', '--heart-rate', '95', '--sex', 'female', '--seed', '1', '--format', 'wfdb', '--leads', '12']) == 0
    assert read(tmp_path/'1.hea').sizes['lead'] == 12
    assert main(['generate', '1', str(tmp_path), '--generator', 'conditional', '--superclass', 'XY']) == 2
    assert main(['generate', '2', str(tmp_path/'b'), '--generator', 'conditional', '--requests', '{"qrs_ms": 150}', '--format', 'wfdb']) == 0
    assert float(read(tmp_path/'b'/'1.hea').qrs_ms) == 150
    assert main(['generate', '1', str(tmp_path), '--generator', 'conditional', '--requests', 'as in real records', '--sex', 'male']) == 2


def test_what_was_requested_travels_with_the_record(tmp_path):
    from deepsynthbody_nb.signals.files import write
    each = [dict(superclass=['MI', 'CD'], age=60), dict(sex='female', heart_rate_bpm=70), None]
    x = ecg.sample(3, seed=2, generator='conditional', condition=each)
    assert x.superclass.values.tolist() == ['MI|CD', '', ''] and x.sex.values.tolist() == ['', 'female', ''] and float(x.age[0]) == 60
    for suffix in ('.hea', '.csv', '.npy', '.mat'):
        back = read(write(x[0], tmp_path/f'a{suffix}'))
        assert back.superclass.item() == 'MI|CD' and float(back.age) == 60 and back.attrs['model'] == 'conditional'
    assert read(write(x, tmp_path/'set.zarr')).superclass.values.tolist() == ['MI|CD', '', '']
    assert ecg.sample(0, generator='conditional', condition=[]).shape == (0, 12, 5000)
