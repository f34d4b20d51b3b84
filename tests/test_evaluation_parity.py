"The statistics of the report against torchmetrics, prdc, scipy and scikit-learn, on the same inputs."
import numpy as np
import pandas as pd
import pytest

from deepsynthbody_nb.evaluation.distances import (
    balls,
    frechet,
    interval,
    kernel_distance,
    overlap,
    proportion,
    wasserstein,
)

def two_samples(n=300, m=240, d=16, seed=0):
    "Correlated features whose means and covariances differ."
    g = np.random.default_rng(seed)
    mix = g.standard_normal((2, d, d))/d**.5
    return g.standard_normal((n, d)) @ mix[0], g.standard_normal((m, d)) @ (.8*mix[0] + .2*mix[1]) + .3


def as_images(features):
    "One row per picture: what the identity below hands to torchmetrics as features."
    import torch
    return torch.as_tensor(features, dtype=torch.float64).reshape(len(features), 1, 1, -1)


def identity():
    import torch

    class Identity(torch.nn.Module):
        num_features = 16

        def forward(self, x):
            return x.reshape(len(x), -1)
    return Identity()


@pytest.mark.parametrize('seed', range(3))
def test_frechet_as_torchmetrics(seed):
    image = pytest.importorskip('torchmetrics.image.fid')
    a, b = two_samples(seed=seed)
    other = image.FrechetInceptionDistance(feature=identity(), normalize=False, input_img_size=(1, 1, 16))
    other.update(as_images(a), real=True)
    other.update(as_images(b), real=False)
    assert frechet(a, b) == pytest.approx(float(other.compute()), rel=1e-6)


def test_frechet_as_the_definition_with_a_matrix_root():
    from scipy.linalg import sqrtm
    a, b = two_samples(seed=7)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    by_root = ((a.mean(0) - b.mean(0))**2).sum() + np.trace(cov_a + cov_b - 2*sqrtm(cov_a @ cov_b).real)
    assert frechet(a, b) == pytest.approx(by_root, rel=1e-8)


@pytest.mark.parametrize('seed', range(3))
def test_kernel_distance_as_torchmetrics(seed):
    kid = pytest.importorskip('torchmetrics.image.kid')
    import torch
    a, b = (v[:200] for v in two_samples(seed=seed))
    other = kid.poly_mmd(torch.as_tensor(a), torch.as_tensor(b), degree=3, gamma=None, coef=1.)
    assert kernel_distance(a, b) == pytest.approx(float(other), rel=1e-9)


@pytest.mark.parametrize('k', [3, 5])
def test_balls_as_prdc(k):
    prdc = pytest.importorskip('prdc')
    a, b = two_samples(seed=k)
    other, own = prdc.compute_prdc(a, b, nearest_k=k), balls(a, b, k)
    for name in ('precision', 'recall', 'density', 'coverage'):
        assert getattr(own, name) == pytest.approx(other[name], abs=1e-12), name


def test_balls_do_not_depend_on_the_size_of_blocks(monkeypatch):
    from deepsynthbody_nb.evaluation import distances
    a, b = two_samples()
    whole = balls(a, b)
    monkeypatch.setattr(distances, '_BLOCK', 37)
    assert balls(a, b) == whole


def test_wasserstein_and_overlap_by_hand():
    g = np.random.default_rng(0)
    a, b = g.normal(70, 10, 500), g.normal(75, 10, 500)
    assert wasserstein(a, b) == pytest.approx(np.abs(np.sort(a) - np.sort(b)).mean(), rel=1e-9)
    assert .7 < overlap(a, b) < .9            # two Gaussians half a deviation apart share 0.80
    assert overlap(a, b + 1000) == 0


def test_intervals_cover_the_truth_as_often_as_they_say():
    "95 % intervals of a mean over 60 patients with two records each: 400 repetitions."
    g, hits = np.random.default_rng(0), 0
    for k in range(400):
        values = np.repeat(g.standard_normal(60), 2) + .3*g.standard_normal(120)
        _, low, high = interval(values, np.repeat(np.arange(60), 2), draws=200, seed=k)
        hits += low < 0 < high
    assert .90 < hits/400 < .98               # binomial noise of 400 is 0.011


@pytest.mark.parametrize('right, n, rounded', [(22, 44, (.346, .654)), (1781, 3000, (.576, .611))])
def test_proportions_of_published_counts_as_scipy(right, n, rounded):
    "22 of 44 and 1,781 of 3,000 readings right: exact intervals, against scipy's own."
    from scipy.stats import binomtest
    value, low, high = proportion(right, n)
    other = binomtest(right, n).proportion_ci(method='exact')
    assert (low, high) == pytest.approx((other.low, other.high), abs=1e-9) and value == right/n
    assert (low, high) == pytest.approx(rounded, abs=6e-4)
    _, low, high = proportion(right, n, 'wilson')
    other = binomtest(right, n).proportion_ci(method='wilson')
    assert (low, high) == pytest.approx((other.low, other.high), abs=1e-6)


def test_auroc_as_scikit_learn_also_with_ties():
    from sklearn.metrics import roc_auc_score

    from deepsynthbody_nb.evaluation.classification import auroc
    g = np.random.default_rng(3)
    y = pd.DataFrame(g.integers(0, 2, (200, 3)).astype(float), columns=list('abc'))
    p = pd.DataFrame(g.uniform(0, 1, (200, 3)).round(1), columns=list('abc'))
    y.loc[:20, 'b'] = np.nan
    for c in y:
        told = y[c].notna()
        assert auroc(y, p)[c] == pytest.approx(roc_auc_score(y[c][told], p[c][told]), abs=1e-12)
    with pytest.raises(ValueError, match='a probability is missing'):
        auroc(y, p.where(p > .05))


def test_training_on_synthetic_as_scikit_learn_by_hand():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from deepsynthbody_nb.evaluation.usefulness import by_regression
    g = np.random.default_rng(0)
    y = g.integers(0, 2, 200)
    train, test = g.standard_normal((200, 6)) + y[:, None], g.standard_normal((100, 6)) + g.integers(0, 2, 100)[:, None]
    by_hand = make_pipeline(StandardScaler(), LogisticRegression(C=.01)).fit(train, y).decision_function(test)
    own = by_regression(train, pd.DataFrame({'MI': y.astype(float)}), test).MI
    assert own.to_numpy() == pytest.approx(by_hand, abs=1e-4)


@pytest.fixture(scope='module')
def sets_of_ecgen_eval():
    pytest.importorskip('ecgen_eval.metrics')
    import deepsynthbody_nb.cardiovascular.ecg as ecg
    return ecg.sample(60, seed=1, leads=8), ecg.sample(60, seed=2, leads=8, generator='conditional')


def test_frechet_beside_ecgen_eval(sets_of_ecgen_eval, tell):
    "It takes the root of the symmetric part of a product of covariances: right only where the two commute."
    from ecgen_eval.metrics._frechet_utils import frechet_distance
    from ecgen_eval.metrics.fd import FDMetric
    from scipy.linalg import sqrtm
    a, b = sets_of_ecgen_eval
    theirs = FDMetric().compute(a.values, b.values).per_lead_scores
    own, by_root = [], []
    for k in range(8):
        x, y = (FDMetric._extract_features(v.values[:, k]) for v in (a, b))
        centre, scale = x.mean(0), x.std(0) + 1e-9
        x, y = (x - centre)/scale, (y - centre)/scale
        cov = [np.cov(v.T) for v in (x, y)]
        own.append(frechet(x, y))
        by_root.append(((x.mean(0) - y.mean(0))**2).sum() + np.trace(cov[0] + cov[1] - 2*sqrtm(cov[0] @ cov[1]).real))
    assert own == pytest.approx(by_root, rel=1e-5)
    tell(f'Fréchet distance on features of ecgen-eval: ours {np.mean(own):.2f}, '
         f'theirs {np.mean(list(theirs.values())):.2f}')
    assert all(wrong > 1.005*right for wrong, right in zip(theirs.values(), by_root, strict=True))
    assert frechet(x, 2*x + 1) == pytest.approx(frechet_distance(x, 2*x + 1, eps=0), rel=1e-6)       # these commute


def test_precision_and_heart_rate_beside_ecgen_eval(sets_of_ecgen_eval, tell):
    "It asks only the ball of the nearest record, so its precision and recall are never above the definition's."
    from ecgen_eval.metrics.heart_rate import HeartRateMetric
    from ecgen_eval.metrics.pr_dist import PRDistMetric

    from deepsynthbody_nb.signals.measure import measure
    a, b = sets_of_ecgen_eval
    theirs = PRDistMetric().compute(a.values, b.values).extra
    for k in range(8):
        x, y = (PRDistMetric._extract_features(v.values[:, k]) for v in (a, b))
        own = balls(x/(x.std(0) + 1e-9), y/(x.std(0) + 1e-9), 3)
        assert theirs['precision'][f'L{k + 1}'] <= own.precision and theirs['recall'][f'L{k + 1}'] <= own.recall
    rate = HeartRateMetric().compute(a.values, b.values).extra['L2']                                 # lead II
    for x, name in ((a, 'real_hr_mean'), (b, 'synth_hr_mean')):
        own = measure(x).heart_rate_bpm.mean()
        tell(f'mean heart rate of 60 records: ours {own:.1f}, ecgen-eval {rate[name]:.1f} bpm')
        assert own == pytest.approx(rate[name], abs=2)
