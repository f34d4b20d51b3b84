"Networks that read ECGs: what they may not depend on, what they refuse, and how they do on real records."
import numpy as np, pandas as pd, pytest, torch
import deepsynthbody_nb.cardiovascular.ecg as ecg
from conftest import REAL, skip_or_fail
from deepsynthbody_nb.classifiers import NETWORKS, load_classifier
from deepsynthbody_nb.classifiers.labels import SUPERCLASSES
from deepsynthbody_nb.classifiers.picture_net import PictureNet
from deepsynthbody_nb.classifiers.resnet import Regressor
from deepsynthbody_nb.evaluation.classification import auroc
from deepsynthbody_nb.images.pixels import phantom, to_grey
from deepsynthbody_nb.signals.files import read
from deepsynthbody_nb.signals.leads import as_ecg
from deepsynthbody_nb.catalogue.weights import card_table


@pytest.fixture(scope='module')
def x(): return ecg.sample(5, seed=41)


def test_a_probability_belongs_to_the_record_alone(x):
    model = load_classifier('superclass')
    together = model.predict_proba(x)
    assert list(together.columns) == ['NORM', 'MI', 'STTC', 'CD', 'HYP'] and together.to_numpy().min() >= 0 and together.to_numpy().max() <= 1
    alone = pd.concat([model.predict_proba(x[k:k + 1]) for k in range(5)])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(x.sel(lead=['V6', 'V5', 'V4', 'V3', 'V2', 'V1', 'II', 'I'])), together, atol=1e-5)   # order and derived leads do not matter
    np.testing.assert_allclose(model.predict_proba(x.values), together, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(x[0])[:1], together[:1], atol=1e-5)


def test_offset_does_not_matter(x):
    model = load_classifier('superclass')
    np.testing.assert_allclose(model.predict_proba(x + .7), model.predict_proba(x), atol=1e-4)   # an electrode's offset, mV


@pytest.mark.parametrize('spoil, said', [
    (lambda x: x.where(x.time < 5), 'has NaN'), (lambda x: x[..., ::2], '250 Hz'), (lambda x: x[..., :1000], 'lasts 2 s'),
    (lambda x: x.sel(lead=['I', 'II']), 'V1'), (lambda x: x[:0], 'no record')])
def test_what_it_cannot_take_it_refuses(x, spoil, said):
    with pytest.raises(ValueError, match=said): load_classifier('superclass').predict_proba(spoil(x))


def test_unknown_network():
    with pytest.raises(ValueError, match="unknown network 'resnet50'; known are superclass"): load_classifier('resnet50')


def test_every_network_loads_and_answers(x):
    load_classifier.cache_clear(); before = torch.get_rng_state()
    for name in NETWORKS:
        model = load_classifier(name)
        image = phantom(5, 128).image
        given = x if not isinstance(model, PictureNet) else to_grey(image) if model.channels == 1 else image
        found = model.predict(given) if isinstance(model, Regressor) else model.predict_proba(given)
        assert len(found) == 5 and np.isfinite(np.asarray(found)).all() and not any(p.requires_grad for p in model.parameters()), name
    assert torch.equal(torch.get_rng_state(), before)                                            # loading draws nothing from the user's stream


def test_weights_loaded_in_inference_mode_still_allow_gradients():
    from deepsynthbody_nb.generators.pulse2pulse import _load_pulse2pulse, folded_decoder, load_pulse2pulse
    from deepsynthbody_nb.signals.delineate import load_delineator
    from deepsynthbody_nb.xai.known_truth import FINDINGS, load_detector
    for load in (load_pulse2pulse, folded_decoder, load_delineator, load_classifier, lambda: load_detector(next(iter(FINDINGS)))):
        for cache in (load_classifier, load_detector, folded_decoder, _load_pulse2pulse, load_delineator): cache.cache_clear()
        with torch.inference_mode(): model = load()
        assert not any(p.is_inference() for p in model.parameters())


def test_the_shipped_cross_validation_holds():
    kept = card_table('superclass', 'cross_validation.csv')
    assert kept.groupby('patient').fold.nunique().max() == 1                                     # no patient in two folds
    labels, said = (kept[[f'{c}_{kind}' for c in SUPERCLASSES]].set_axis(list(SUPERCLASSES), axis=1) for kind in ('label', 'logit'))
    found = auroc(labels, said)
    assert found.macro >= .90 and found.drop('macro').min() > .85


@pytest.mark.parametrize('name, limit', [('qrs_ms_beat', 10), ('qt_ms_beat', 20), ('pr_ms_beat', 14), ('heart_rate_bpm', 1.5), ('qrs_ms', 10), ('qt_ms', 20), ('pr_ms', 14)])
def test_measuring_networks_agree_with_cardiologists(name, limit, tell):
    kept = card_table('intervals', 'intervals.csv')
    own = kept[kept.network == name].error.dropna()
    tell(f'{name} on LUDB: mean absolute error {own.abs().mean():.2f} of {len(own)} records')
    assert len(own) > 120 and own.abs().mean() <= limit
    if not (REAL/'ludb').exists(): skip_or_fail('LUDB is not here: errors come from the shipped table only')
    records = [r for r in kept[kept.network == name].dropna().record.head(6)]
    x = as_ecg(np.stack([read(REAL/'ludb'/'data'/f'{r}.hea').values for r in records]), 500)
    again = load_classifier(name).predict(x).to_numpy()
    table = kept[(kept.network == name) & kept.record.isin(records)]
    np.testing.assert_allclose(again, table.found, atol=2)                                      # ms, bpm: the shipped errors are the shipped network's; beats were found on eight leads there
