"Networks of others: declared once, given the leads and the rate that they take, or refused in one sentence."
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.classifiers.declared import declared
from deepsynthbody_nb.signals.leads import LEADS_8, LEADS_12, as_ecg, to_8_lead
from deepsynthbody_nb.widgets import SaliencyExplorer
from deepsynthbody_nb.xai import attribute
from deepsynthbody_nb.xai.attribution import METHODS, draw_attribution


@pytest.fixture(scope='module')
def x():
    return ecg.sample(2, seed=43)


def network(channels=8, outputs=2, seed=0, **says):
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Conv1d(channels, 6, 25, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, outputs))
    for name, value in says.items():
        setattr(body, name, value)
    return body


@pytest.mark.parametrize('says', [
    dict(classes=('sinus', 'AF'), leads=LEADS_8, rate=500), dict(class_names=['sinus', 'AF'], lead_names=8, sampling_rate=500),
    dict(labels={0: 'sinus', 1: 'AF'}, leads=list(LEADS_8), fs=500), dict(labels={'sinus': 0, 'AF': 1}, leads=8, fs=500),
])
def test_what_a_network_says_of_itself_is_enough(x, says):
    model = declared(network(**says))
    assert model.classes == ('sinus', 'AF') and model.leads == LEADS_8
    expected = network()(torch.tensor(to_8_lead(x).values)).sigmoid().detach()
    np.testing.assert_allclose(model.predict_proba(x), expected, atol=1e-6)
    found = attribute(network(**says), x, 'AF', 'saliency')
    np.testing.assert_allclose(found.sel(lead=list(LEADS_8)), attribute(network(), to_8_lead(x), 1, 'saliency'), atol=1e-6)
    assert float(abs(found.sel(lead=['III', 'aVR'])).max()) == 0


@pytest.mark.parametrize('leads', [8, 12])
def test_any_network_with_class_names_works_in_the_explorer(x, leads):
    with pytest.warns(UserWarning, match=f'takes {leads} channels, taken for the standard leads'):
        explorer = SaliencyExplorer(x, model=network(leads, classes=('sinus', 'AF')))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        told = SaliencyExplorer(x, model=network(leads), classes=('sinus', 'AF'), reads=leads, rate=500)
    explorer.target = told.target = 'AF'
    explorer.method = told.method = 'input_x_gradient'
    np.testing.assert_array_equal(explorer.attribution, told.attribution)
    np.testing.assert_allclose(explorer.shares.values.sum(), 1, atol=1e-6)
    given = dict(x=x, model=network(leads))
    exec(told.code.replace('draw_attribution(x, attribution)', ''), given)
    np.testing.assert_allclose(given['attribution'][0], told.attribution, atol=1e-6)
    assert told.draw() is not None
    explorer.close()
    told.close()


def test_softmax_probabilities_and_thinned_rates(x):
    model = declared(network(classes=('a', 'b')), leads=8, rate=250, output='softmax')
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1, atol=1e-6)
    explorer = SaliencyExplorer(x, model=model)
    assert explorer.known['target'] == ['a', 'b'] and explorer.attribution.shape == (12, 5000)
    explorer.close()


@pytest.mark.parametrize('build, says', [
    (lambda x: declared(nn.Conv1d(12, 2, 5)), r'does not state its classes and rate; declare it once, such as declared\(network, classes='),
    (lambda x: declared(network(classes='ab', leads=12, rate=500)), 'first layer takes 8 leads, and 12 are declared'),
    (lambda x: declared(network(classes='ab', leads=8, rate=0)), 'rate is a positive number'),
    (lambda x: declared(network(classes='ab', leads=8, rate=500), output='relu'), "unknown output 'relu'"),
    (lambda x: declared(network(classes='abc', leads=8, rate=500)).predict_proba(x), 'gives 2 numbers per record, and 3 classes are named'),
    (lambda x: declared(network(classes='ab', leads=8, rate=300)).predict_proba(x), 'the ECG has 500 Hz; this network takes 300 Hz'),
    (lambda x: attribute(network(), x, 0), 'first layer takes 8 leads, and this ECG has 12'),
    (lambda x: SaliencyExplorer(x, model=network()), 'does not state its classes'),
    (lambda x: SaliencyExplorer(x, model=Answers(lambda y: (y, y), classes='ab', leads=8, rate=500)), 'returned a tuple'),
    (lambda x: SaliencyExplorer(x, model=Answers(lambda y: dict(logits=y), classes='ab', leads=8, rate=500)), 'returned a dict'),
])
def test_what_is_missing_or_wrong_is_said_in_one_sentence(x, build, says):
    with warnings.catch_warnings(), pytest.raises(ValueError, match=says) as e:
        warnings.simplefilter('ignore')
        build(x)
    assert '\n' not in str(e.value) and 'Given groups' not in str(e.value)


class Answers(nn.Module):
    def __init__(self, change, **says):
        super().__init__()
        self.body, self.change = network(), change
        for name, value in says.items():
            setattr(self, name, value)

    def forward(self, v):
        return self.change(self.body(v))


@pytest.mark.parametrize('change, says', [
    (lambda y: (y, y), 'returned a tuple of 2'), (lambda y: dict(logits=y), 'returned a dict of 1'), (lambda y: None, 'returned a NoneType'),
    (lambda y: y.numpy(force=True), 'returned a ndarray'), (lambda y: y[:, :, None], r'shape \(n,\) or \(n, classes\)'),
    (lambda y: y.sum(), r'this one gave \(\)'), (lambda y: y.detach(), 'no gradient with respect to the ECG'),
    (lambda y: y.argmax(1).float()[:, None].expand(-1, 2), 'no gradient with respect to the ECG'),
    (lambda y: y.round().long(), 'no gradient with respect to the ECG'), (lambda y: y*float('nan'), 'not finite'),
])
@pytest.mark.parametrize('method', ['saliency', 'integrated_gradients', 'grad_cam'])
def test_one_gate_for_what_a_network_returns(x, change, says, method):
    with pytest.raises(ValueError, match=says) as e:
        attribute(Answers(change), to_8_lead(x[:1]), 0, method)
    assert '\n' not in str(e.value)


def test_a_network_in_double_is_said(x):
    with pytest.raises(ValueError, match='cannot take an ECG of the shape'):
        attribute(network().double(), to_8_lead(x[:1]), 0)


def test_a_saturated_answer_gives_an_empty_map_that_is_said_and_drawn(x):
    eight = to_8_lead(x[:1])
    with pytest.warns(UserWarning, match='zero everywhere'):
        found = attribute(Answers(lambda y: (1e4 + 0*y).sigmoid()), eight, 0, 'saliency')
    assert 'empty map' in draw_attribution(eight, found).axes[0].get_title('left')


def test_a_flat_line_is_no_finding_of_any_network(x):
    flat = as_ecg(np.concatenate([np.zeros((1, 12, 5000), 'float32'), x.values[:1]]), 500, LEADS_12)
    with pytest.warns(UserWarning, match='record 0 has a signal'):
        found = declared(network(classes='ab', leads=8, rate=500)).predict_proba(flat)
    assert found.iloc[0].isna().all() and found.iloc[1].notna().all()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        explorer = SaliencyExplorer(flat)
    assert 'no usable signal' in explorer.said['note']
    explorer.record = 1
    assert explorer.said['note'] == ''
    explorer.close()


def test_methods_that_exist_are_tried(x):
    model = network(classes=('sinus', 'AF'), leads=8, rate=500)
    for method in METHODS:
        found = attribute(model, x[:1], 'AF', method, progress=False)
        assert found.shape == x[:1].shape and np.isfinite(found).all()
