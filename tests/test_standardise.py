"Pictures brought to a reference: near to it in what the method promises, the same whatever is beside them, with what is seen in its place."
import copy

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from skimage.metrics import structural_similarity

from deepsynthbody_nb.images.pixels import as_image, as_mask, paired, phantom, resize, to_grey
from deepsynthbody_nb.images.standardise import METHODS, Standardiser
from deepsynthbody_nb.images.style import changed, detail_bands, restyled, train_style_net, unstyled
from deepsynthbody_nb.records.chance import stream


def pictures(n, seed, channels=3, size=64, gamma=1., blur=1.):
    "Blobs on a ground, as another lamp and another lens would show them."
    from scipy.ndimage import gaussian_filter
    g = np.random.default_rng(seed)
    values = np.stack([gaussian_filter(g.random((size, size, channels)), (blur, blur, 0)) for _ in range(n)])
    values = (values - values.min())/np.ptp(values)
    return as_image((values**gamma*.9 + .05).astype('float32') if channels == 3 else (values[..., 0]**gamma).astype('float32'))


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('method', METHODS)
def test_a_picture_comes_nearer_and_its_content_stays(method, channels):
    reference, other = pictures(12, 0, channels), pictures(6, 1, channels, gamma=2., blur=1.5)
    found = Standardiser(method).fit(reference).apply(other)
    assert found.dims == other.dims and found.dtype == np.float32 and 0 <= float(found.min()) and float(found.max()) <= 1
    apart = [abs(float(x.mean()) - float(reference.mean())) for x in (other, found)]
    assert apart[1] < .5*apart[0]
    alike = [structural_similarity(a, b, data_range=1, channel_axis=-1 if channels == 3 else None) for a, b in zip(found.values, other.values)]
    assert np.mean(alike) > .5
    assert f'standardised by {method}' in found.attrs['provenance']


def test_each_method_keeps_its_promise():
    reference, other = pictures(12, 0), pictures(6, 1, gamma=2., blur=2.)
    by = {m: Standardiser(m).fit(reference).apply(other).values.astype(float) for m in METHODS}
    shares = np.linspace(.02, .98, 20)
    usual = np.mean([np.quantile(p, shares, axis=(0, 1)) for p in reference.values], 0)
    assert max(np.abs(np.quantile(p, shares, axis=(0, 1)) - usual).max() for p in by['histogram']) < .01
    spread = np.mean([rgb2lab(p).std((0, 1)) for p in reference.values], 0)
    assert max(np.abs(rgb2lab(p).std((0, 1))/spread - 1).max() for p in by['colour']) < .1
    def fine(p): return np.diff(p, axis=0).std()
    was, wanted, got = (np.mean([fine(p) for p in x]) for x in (other.values, reference.values, by['bands']))
    assert abs(got - wanted) < abs(was - wanted)/2                           # nearly as sharp as the reference
    phases = [np.angle(np.fft.fft2(p[..., 0]))[:2, 1:3] for p in (other.values[0].astype(float), by['fourier'][0])]
    np.testing.assert_allclose(*phases, atol=.05)


@pytest.mark.parametrize('method', METHODS)
def test_the_answer_does_not_depend_on_the_company(method):
    fitted, other = Standardiser(method, seed=3).fit(pictures(8, 0)), pictures(6, 1)
    whole = fitted.apply(other)
    np.testing.assert_array_equal(fitted.apply(other[:2]), whole[:2])
    np.testing.assert_array_equal(fitted.apply(other[0]), whole[0])
    half = copy.copy(fitted)
    half.strength = .5
    np.testing.assert_allclose(half.apply(other), (whole + other.values)/2, atol=2e-3)


def test_masks_and_what_is_known_travel_along():
    other = pictures(3, 1).assign_coords(record=['a', 'b', 'c'], centre=('record', ['x', 'y', 'z']))
    pair = paired(other, as_mask((other.values[..., 0] > .5)).assign_coords(record=['a', 'b', 'c']))
    found = Standardiser('colour').fit(pictures(4, 0)).apply(pair)
    assert found.mask.identical(pair.mask) and found.centre.values.tolist() == ['x', 'y', 'z']


def as_tensor(image):
    values = image.values if 'channel' in image.dims else image.values[..., None]
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, 1)))


@pytest.fixture(scope='module', params=[1, 3])
def kind(request):
    return to_grey if request.param == 1 else as_image


@pytest.fixture(scope='module')
def learned(kind):
    return Standardiser('learned').fit(kind(phantom(40, 48, seed=1).image))


def strange(image, seed, strength=1.):
    "The same pictures as other devices would show them."
    made = restyled(as_tensor(image), stream(seed, 0), strength).movedim(1, -1).numpy()
    return image.copy(data=made.reshape(image.shape))


def test_a_network_takes_a_change_of_style_back(kind, learned):
    true = kind(phantom(24, 48, seed=2).image)
    for seed in (5, 6):
        other = strange(true, seed)
        found = learned.apply(other)
        before, after = (abs(x - true).mean(('y', 'x')).values.reshape(24, -1).mean(1) for x in (other, found))
        assert after.mean() < .5*before.mean() and (after < before).mean() > .8
        assert structural_similarity(found.values[0], true.values[0], data_range=1, channel_axis=-1 if found.ndim == 4 else None) > .5
    assert float(abs(learned.apply(true) - true).mean()) < .03               # what was right stays
    still = copy.copy(learned)
    still.strength = 0
    np.testing.assert_array_equal(still.apply(other), other)


def test_a_network_moves_no_edge(kind, learned):
    true = kind(phantom(12, 48, seed=3).image)
    other = strange(true, 7, .5)
    found = learned.apply(other)
    def edges(x): return np.hypot(*np.gradient(x.values.reshape(12, 48, 48, -1).mean(-1), axis=(1, 2)))
    def alike(x, y): return np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(edges(x), edges(y), strict=True)])
    y = as_tensor(other)
    said = learned.usual(y)
    lit = changed(y, **said | dict(gains=torch.zeros_like(said['gains']))).clamp(0, 1)
    assert alike(other, other.copy(data=lit.movedim(1, -1).numpy().reshape(other.shape))) > .8   # by curve and light alone
    assert alike(true, found) > alike(true, other)                           # grain has edges, and is taken away
    # a brighter pixel stays brighter where light is even
    even = said | dict(fields=torch.zeros_like(said['fields']), gains=torch.zeros_like(said['gains']))
    plain = changed(y, **even)
    order = y[0, 0].flatten().argsort()
    assert (plain[0, 0].flatten()[order].diff() > -1e-6).all()


def test_a_network_answers_alike_at_other_sizes(kind, learned):
    other = strange(kind(phantom(4, 96, seed=4).image), 8, .7)
    large = resize(other, (192, 192), 'bilinear')
    apart = abs(resize(learned.apply(large), (96, 96), 'box') - learned.apply(other))
    assert float(apart.mean()) < .02
    wide = learned.apply(other[:, :, :60])
    assert wide.shape == other[:, :, :60].shape


def test_what_a_network_learns_depends_on_its_seed_alone():
    x = as_tensor(phantom(8, 32, seed=1).image)
    plain = train_style_net(x, 3, 4).state_dict()
    torch.manual_seed(99)
    before = torch.get_rng_state()
    try:
        with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
            again = train_style_net(x, 3, 4).state_dict()
    finally:
        assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(plain[name], again[name]) for name in plain)
    other = train_style_net(x, 4, 4).state_dict()
    assert not all(torch.equal(plain[name], other[name]) for name in plain)


def test_bands_are_the_picture_and_no_change_is_none():
    x = as_tensor(phantom(3, 40, seed=1).image)
    torch.testing.assert_close(detail_bands(x, 1.7).sum(0), x)
    torch.testing.assert_close(restyled(x, stream(0, 0), 0), x.clamp(1e-4, 1))
    fresh = train_style_net(x, 0, 1)
    torch.testing.assert_close(unstyled(fresh, x), x, atol=.05, rtol=0)      # after one step it has hardly begun
    with pytest.raises(ValueError, match='8 × 8 pixels or more'):
        train_style_net(x[..., :5])


@pytest.mark.parametrize('call, said', [
    (lambda: Standardiser('magic'), 'known are histogram'), (lambda: Standardiser(strength=2), 'strength must be'),
    (lambda: Standardiser().apply(pictures(1, 0)), 'has seen no reference yet'),
    (lambda: Standardiser().fit(pictures(2, 0)).apply(pictures(2, 0, 1)), 'the reference is in colour, these pictures are grey'),
    (lambda: Standardiser('noise').fit(pictures(2, 0)).apply(pictures(2, 0, size=32)), 'as large as its reference: 64 × 64 pixels, these have 32 × 32'),
    (lambda: Standardiser().fit(np.zeros((2, 8, 8), 'uint8')), 'from_bytes')])
def test_what_is_wrong_is_said(call, said):
    with pytest.raises(ValueError, match=said): call()


def test_the_explorer_shows_what_the_controls_say():
    from deepsynthbody_nb.widgets import StandardiseExplorer
    reference, other = pictures(12, 0), pictures(8, 1, gamma=2., blur=2.)
    explorer = StandardiseExplorer(reference, other, method='histogram', strength=0, number=3)
    before, said = explorer._pictures[1].value, explorer._said.value
    np.testing.assert_array_equal(explorer.x, other[3])
    explorer.strength.value = 1
    assert explorer._pictures[1].value != before and explorer._said.value != said and explorer._pictures[0].value.count('<img') == 1
    np.testing.assert_array_equal(explorer.x, Standardiser().fit(reference).apply(other)[3])
    was, now = explorer.doubt
    assert was > .9 and now < was
    explorer.number.value = 5
    np.testing.assert_array_equal(explorer.x, Standardiser().fit(reference).apply(other)[5])
    explorer.method.value = 'colour'
    assert 'colour, 100%' in explorer._pictures[1].value
