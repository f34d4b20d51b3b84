"Explaining networks that read pictures: the truth that we built, networks of others, bad input."
import numpy as np
import pytest
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter
from torch import nn

from deepsynthbody_nb.classifiers import load_classifier
from deepsynthbody_nb.classifiers.picture_net import PictureNet
from deepsynthbody_nb.images.pixels import as_image, phantom, to_grey
from deepsynthbody_nb.xai import attribute
from deepsynthbody_nb.xai.pictures import PICTURE_METHODS, picture_curves, score_maps, twin_pictures


class LooksAt(nn.Module):
    "Its answer depends on the red of one square, and on nothing else."

    def __init__(self, rows, columns):
        super().__init__()
        self.first, self.relu = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.ReLU()
        self.rows, self.columns = rows, columns
        with torch.no_grad():
            self.first.weight.zero_()
            self.first.weight[0, 0, 1, 1] = 2.

    def forward(self, x):
        seen = self.relu(self.first(x))
        return 30*seen[:, :1, self.rows, self.columns].mean((2, 3))


@pytest.fixture
def pictures():
    clouds = gaussian_filter(np.random.default_rng(0).standard_normal((3, 64, 64, 3)), (0, 5, 5, 0))
    return as_image((.6 + .12*clouds/clouds.std()).clip(.2, 1).astype('float32'))


@pytest.mark.parametrize('method', [name for name in PICTURE_METHODS if name not in ('random', 'grad_cam', 'guided_grad_cam')])
def test_a_map_lies_where_the_network_looks(pictures, method):
    network, place = LooksAt(slice(16, 32), slice(40, 56)), np.zeros((3, 64, 64), bool)
    place[:, 16:32, 40:56] = True
    found = attribute(network, pictures, method=method, baseline='black')
    assert found.shape == pictures.shape and found.dims == pictures.dims
    score = score_maps(found, place).mean()
    wide = method in ('occlusion', 'region_ablation', 'smooth_grad')              # squares and regions reach beyond
    least = dict(region_ablation=(.75, .2), occlusion=(.9, .35), smooth_grad=(.9, .35)).get(method, (.97, .8))
    assert score.ranking > least[0] and score.mass > least[1], score.to_dict()
    if not wide:
        assert abs(found.values[~place]).max() < 1e-6 and abs(found.values[..., 1:]).max() < 1e-6


def test_networks_of_others_and_grey_pictures(pictures):
    other = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    grey = to_grey(pictures)
    for method in PICTURE_METHODS:
        assert attribute(other, grey, 2, method).shape == grey.shape
    with pytest.raises(ValueError, match='which output'):
        attribute(other, grey)
    with pytest.raises(ValueError, match='cannot take pictures'):
        attribute(other, pictures, 0)
    one = attribute(other, grey[0], 0)
    np.testing.assert_allclose(one.values, attribute(other, grey, 0).values[0], atol=1e-6)
    assert other.training                                                         # as it was before


def test_a_twin_is_the_baseline():
    twins, model = twin_pictures(2, seed=12), load_classifier('polyp')
    found = attribute(model, twins, 'polyp', baseline=twins.without)
    with torch.no_grad():
        here, gone = (model(torch.from_numpy(v.values).movedim(-1, 1))[:, 0].numpy() for v in (twins.image, twins.without))
    np.testing.assert_allclose(found.sum(('y', 'x', 'channel')), here - gone, atol=.06*abs(here - gone).max() + .05)
    assert found.attrs == dict(method='integrated_gradients', target='polyp', baseline='given')
    curves = picture_curves(model, twins.image, 'polyp', found, baseline=twins.without)
    by_lot = picture_curves(model, twins.image, 'polyp', None, baseline=twins.without)
    assert curves.shape == by_lot.shape and curves[:, :6].mean() < by_lot[:, :6].mean() + .02


def test_bad_input_is_named(pictures):
    model = load_classifier('polyp')
    with pytest.raises(TypeError, match='nn.Module'):
        attribute('polyp', pictures)
    with pytest.raises(ValueError, match=r'resize\(x, 128\)'):
        attribute(model, pictures)
    with pytest.raises(ValueError, match='unknown method'):
        attribute(model, phantom(1, 128).image, method='lime')
    with pytest.raises(ValueError, match='baseline'):
        attribute(model, phantom(1, 128).image, baseline='zero')
    with pytest.raises(ValueError, match='shaped as the pictures'):
        attribute(model, phantom(1, 128).image, baseline=phantom(1, 64).image)
    with pytest.raises(ValueError, match='unknown class'):
        attribute(model, phantom(1, 128).image, 'cancer')
    with pytest.raises(ValueError, match='same pictures'):
        score_maps(xr.zeros_like(pictures), np.ones((3, 32, 32)))


def test_the_classifier_reads_sizes_that_it_has_learnt():
    network = PictureNet(('a', 'b'), 1, 32, excluding=True)
    p = network.eval().predict_proba(phantom(3, 32).image[..., 0])
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    with pytest.raises(ValueError, match='grey'):
        network.predict_proba(phantom(3, 32).image)
