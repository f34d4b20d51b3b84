"The running mean of weights: to the bit what each training had written for itself before."
import copy

import pytest
import torch

from deepsynthbody_nb.classifiers.resnet import Classifier
from deepsynthbody_nb.generators.flow import Flow
from deepsynthbody_nb.signals.delineate import Delineator
from deepsynthbody_nb.training.averaging import running_mean


def of_the_delineator(mean, network, keep):
    for kept, new in zip(mean.state_dict().values(), network.state_dict().values()):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - keep)
        else:
            kept.copy_(new)


def of_the_flow(mean, network, keep):
    for kept, new in zip(mean.parameters(), network.parameters()):
        kept.data.lerp_(new.data, 1 - keep)


@pytest.mark.parametrize('build, before, limit', [
    (Delineator, of_the_delineator, .995),
    (lambda: Classifier(['a', 'b']), of_the_delineator, .99),
    (lambda: Flow().velocity, of_the_flow, .999),
])
def test_the_running_mean_is_what_it_was_to_the_bit(build, before, limit):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build()
        own, old = copy.deepcopy(network), copy.deepcopy(network)
        for step in range(30):
            for tensor in network.state_dict().values():
                tensor.add_(torch.randn_like(tensor) if tensor.is_floating_point() else 1)
            keep = min(limit, (step + 1)/(step + 10))
            running_mean(own, network, keep)
            with torch.no_grad():
                before(old, network, keep)
    a, b, now = own.state_dict(), old.state_dict(), network.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in b)
    assert any(not torch.equal(a[name], now[name]) for name in b)
    assert all(torch.equal(a[name], now[name]) for name in b if not a[name].is_floating_point())
