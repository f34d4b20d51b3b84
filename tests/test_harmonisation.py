"Two hospitals of phantoms with a known difference: what the bench says of it, and of methods that destroy."
import numpy as np
import pytest

from deepsynthbody_nb.evaluation.features import image_measures
from deepsynthbody_nb.evaluation.harmonisation import HarmonyBench, Site, edges_kept, paired_gain, structure_kept
from deepsynthbody_nb.images.pixels import phantom, to_grey
from deepsynthbody_nb.images.standardise import Standardiser

LIMIT = .5  # brightness: a bump has pixels above it
SHARE = .09  # of a picture: a large bump has more


def hospital(n, seed, lamp=False, masks=False):
    "Grey phantoms, whose bump is large or not; another lamp makes them darker and flatter."
    x = phantom(n, 40, seed=seed)
    image = to_grey(x.image)
    bump = image.where(x.mask > 0)
    image = (image + .25*(x.mask.values > 0) - .15).clip(0, 1).astype('float32')
    truth = x.mask.values > 0 if masks else ((x.mask.values > 0).mean((1, 2)) > SHARE).astype(int)
    assert bump.notnull().any()
    return Site(image*np.float32(.5) + np.float32(.1) if lamp else image, truth, np.array([f'{seed} {k}' for k in range(n)]))


def outlines(image):
    return image.values > LIMIT


def is_large(image):
    share = outlines(image).mean((1, 2))
    return 1/(1 + np.exp(-(share - SHARE)/.005))


def looks(image):
    return np.nan_to_num(image_measures(image).to_numpy())


class Blank:
    "Makes every picture one and the same."
    method, strength = 'blank', 1.

    def __init__(self, image):
        self.image = image.mean('record')

    def apply(self, x):
        return x.copy(data=np.broadcast_to(self.image.values, x.shape).astype('float32'))


@pytest.fixture(scope='module')
def bench():
    return HarmonyBench(is_large, hospital(100, 1), hospital(100, 2, lamp=True), looks)


@pytest.fixture(scope='module')
def fitted():
    return Standardiser('colour').fit(hospital(60, 3).image)


def test_a_known_change_is_undone_and_the_bench_says_so(bench, fitted):
    found = bench.judge(fitted).set_index('measure')
    accuracy = found.loc['accuracy']
    assert accuracy.home > .9 and accuracy.before < .6 and accuracy.after > .8
    assert accuracy.low > .2 and accuracy.low <= accuracy.gain <= accuracy.high
    assert accuracy.vendor > .95 and accuracy.vendor_after < .65             # chance is 0.5; 200 pictures
    assert accuracy.distance > 5*accuracy.distance_after
    assert accuracy.found < .1 and accuracy.found_after > .7                 # the ill, of whom darkness hid nearly all
    assert accuracy.edges > .99 and accuracy.lost_home < .15
    assert bench.score(fitted, 'accuracy') == pytest.approx(accuracy.after)


def test_masks_are_judged_by_dice(fitted):
    away = hospital(60, 2, lamp=True, masks=True)
    found = HarmonyBench(outlines, hospital(60, 1, masks=True), away, looks).judge(fitted)
    assert found.found[0] < .2 and found.found_after[0] > .8
    assert found.measure.tolist() == ['dice'] and found.low[0] > .2 and found.home[0] > .8 > .2 > found.before[0]


def test_equal_hospitals_give_no_gain(fitted):
    found = HarmonyBench(is_large, hospital(100, 1), hospital(100, 4), looks).judge(fitted).set_index('measure')
    assert found.vendor.iloc[0] < .65 and found.distance.iloc[0] < 2
    assert found.low.auroc <= 0 and found.gain.abs().max() < .1


def test_who_wipes_everything_away_is_found_out(bench):
    found = bench.judge(Blank(bench.home.image)).set_index('measure')
    assert found.loc['auroc', 'after'] == .5 and found.edges.iloc[0] < .5
    assert found.lost_home.iloc[0] > .3                                      # one answer for all: one class is lost


def test_a_gain_is_known_better_than_its_parts():
    g = np.random.default_rng(0)
    truth = g.integers(0, 2, 200)
    p = np.clip(.5 + .25*(truth - .5) + .25*g.standard_normal(200), 0, 1)
    q = np.clip(p + .05*(truth - .5), 0, 1)
    found = paired_gain(p, q, truth, np.arange(200))
    wide = (found.high - found.low)
    assert wide.gain < wide.before/3 and found.loc['gain', 'value'] == pytest.approx(found.value.after - found.value.before)
    clustered = paired_gain(np.repeat(p, 4), np.repeat(q, 4), np.repeat(truth, 4), np.repeat(np.arange(200), 4))
    assert clustered.high.before - clustered.low.before == pytest.approx(wide.before, rel=.15)   # copies are no patients


def test_structure():
    a = hospital(2, 1).image
    assert edges_kept(a[0], a[0]) == pytest.approx(1) and structure_kept(a[0], a[0]) == pytest.approx(1)
    assert edges_kept(a[0], a[0]*.5 + .2) == pytest.approx(1) and edges_kept(a[0], a[1]) < .5


@pytest.mark.parametrize('home, away, said', [
    (hospital(20, 1)._replace(truth=np.zeros(20, int)), hospital(20, 2), 'home needs pictures of both classes'),
    (hospital(20, 1), hospital(20, 2)._replace(groups=np.arange(3)), 'away has 20 pictures, 20 truths and 3 groups'),
    (hospital(20, 1), hospital(20, 2, masks=True), 'one has classes and the other masks')])
def test_what_is_wrong_is_said(home, away, said):
    with pytest.raises(ValueError, match=said):
        HarmonyBench(is_large, home, away, looks)


def test_an_unknown_measure_is_said():
    with pytest.raises(ValueError, match='unknown measure .luck.; known are auroc, accuracy, dice'):
        paired_gain([.1, .9], [.1, .9], [0, 1], [0, 1], 'luck')
