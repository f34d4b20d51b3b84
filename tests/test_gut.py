"The gut: the seed framework's calls, requests that are met, sets, walks, sliders, many from one, and bad input."
import os
import time
import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from scipy.stats import spearmanr

import deepsynthbody_nb.digestive.gitract as gi
from deepsynthbody_nb import catalogue
from deepsynthbody_nb.bulk import make_set, verify
from deepsynthbody_nb.generators.restyled import restyled
from deepsynthbody_nb.images.files import read, read_folder, write
from deepsynthbody_nb.images.pixels import phantom
from deepsynthbody_nb.records.provenance import sentence
from deepsynthbody_nb.training.singan import many_like, train_singan
from deepsynthbody_nb.widgets import static_pictures
from test_sets_of_any_generator import contents


def test_the_seed_frameworks_calls_work_unchanged(tmp_path):
    tiles = gi.generate('a', tmp_path, tmp_path/'checkpoints', 2, 2, .5)
    assert [p.name for p in tiles] == ['a_0.png', 'a_1.png'] and read(tiles[0]).shape == (256, 256, 3)
    named = gi.generate(name='b', result_dir=tmp_path, checkpoint_dir='', num_img_per_tile=2, num_of_outputs=2, trunc_psi=.5, seed=3)
    again = gi.generate('c', tmp_path, '', 2, 2, .5, seed=3)
    assert [p.read_bytes() for p in named] == [p.read_bytes() for p in again]
    single = gi.generate('d', tmp_path, '', 1, 8, .5, seed=3)
    corner = read(named[1]).values[:128, 128:]
    np.testing.assert_array_equal(corner, read(single[5]).values)              # record 5 of the seed, whatever the tile
    films = gi.generate_interpolation('e', tmp_path, '', 2, 1, 4, False, .75, seed=3)
    assert [p.name for p in films] == ['e_0.gif'] and Image.open(films[0]).n_frames == 4 and Image.open(films[0]).size == (256, 256)
    frames = gi.generate_interpolation('f', tmp_path, '', 1, 2, 3, save_frames=True, seed=3)
    assert [str(p.relative_to(tmp_path)) for p in frames] == ['f_0/0.png', 'f_0/1.png', 'f_0/2.png', 'f_1/0.png', 'f_1/1.png', 'f_1/2.png']
    ends = gi.sample(4, seed=3, truncation=.75).image.values
    for path, end in zip((frames[0], frames[2], frames[3], frames[5]), ends, strict=True):
        assert abs(read(path).values - end).max() < .0021                      # half a step of 8 bits
    assert not (tmp_path/'checkpoints').exists()
    assert 'synthetic' in Image.open(tiles[0]).text['Description']


def test_a_record_is_its_seed_and_number():
    many = gi.sample(7, seed=5)
    card = catalogue.find('polyps')
    np.testing.assert_array_equal(card.made(2, 5, 5).image.values, many.image.values[5:])
    np.testing.assert_array_equal(gi.sample(1, seed=5).mask.values, many.mask.values[:1])
    assert sentence(many.isel(record=6)) == f'synthetic: generator polyps {card.version}, seed 5, record 6'
    batches = list(gi.door.batches(7, 5, batch_size=3))
    np.testing.assert_array_equal(np.concatenate([b.image.values for b in batches]), many.image.values)
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            assert abs(gi.sample(2, seed=5).image.values - many.image.values[:2]).max() < 1e-3
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_num_threads(threads)


def test_requests_are_met(tell):
    sizes = np.geomspace(2, 35, 24)
    x = gi.sample(24, seed=8, condition=[dict(size=float(s)) for s in sizes])
    by_size = spearmanr(sizes, x.mask.mean(('y', 'x'))).statistic
    places = np.linspace(25, 75, 24)
    x = gi.sample(24, seed=9, condition=[dict(size=8., right=float(p), down=float(100 - p)) for p in places])
    inside = x.mask.values.sum((1, 2)) > 0
    middle = np.array([np.nonzero(m)[1].mean() if m.any() else np.nan for m in x.mask.values])
    by_place = spearmanr(places[inside], middle[inside]).statistic
    none = gi.sample(16, seed=10, condition=dict(polyp='none')).mask.mean(('y', 'x')).values
    tell(f'polyps: Spearman of size asked and made {by_size:.3f}, of place {by_place:.3f}; asked for none, {(none == 0).sum()} of 16 without')
    assert by_size > .9 and by_place > .9 and (none == 0).mean() > .9


def test_a_mask_is_filled(tell):
    rows, columns = np.mgrid[:128, :128]
    wanted = np.stack([np.hypot(rows - y, columns - x) < r for y, x, r in ((64, 64, 25), (40, 90, 15), (90, 40, 30), (60, 50, 20))])
    x = gi.sample(4, seed=2, mask=wanted)
    dice = 2*(x.mask.values.astype(bool) & wanted).sum((1, 2))/(x.mask.values.sum((1, 2)) + wanted.sum((1, 2)))
    tell(f'polyps in masks that were given: Dice {dice.round(2).tolist()}')
    assert np.median(dice) > .8
    one = gi.sample(2, seed=2, mask=wanted[0])
    np.testing.assert_array_equal(one.image.values[0], x.image.values[0])


def test_sets_are_the_same_however_they_are_made(tmp_path):
    how = dict(generator='polyps', condition=[dict(centre='C3'), dict(centre='Kvasir', size=10)], seed=4, progress=False)
    whole, part = (make_set(52, tmp_path/str(workers), workers=workers, **how) for workers in (2, 1))
    assert contents(whole) == contents(part) and len(verify(whole, progress=False)) == 0
    x = xr.open_zarr(whole/'image.zarr', mask_and_scale=False).load()
    assert x.image.shape == (52, 128, 128, 3) and x.mask.shape == (52, 128, 128) and set(np.unique(x.mask)) <= {0, 1}
    assert x.centre.values[:2].tolist() == ['C3', 'Kvasir']
    files = make_set(4, tmp_path/'files', format='png', **how)/'records'/'000000'
    for k in range(4):
        np.testing.assert_array_equal(np.asarray(Image.open(files/f'{k}.png')), x.image[k])
        np.testing.assert_array_equal(np.asarray(Image.open(files/f'{k}_mask.png')) > 0, x.mask[k])
    assert len(verify(files.parent.parent, progress=False)) == 0


def test_walks_begin_and_end_at_their_seeds():
    film = gi.walk([3, 8], 5)
    for end, seed in ((0, 3), (5, 8)):
        np.testing.assert_array_equal(film.image.values[end], gi.sample(1, seed=seed).image.values[0])
    steps = abs(np.diff(film.image.values, axis=0)).mean((1, 2, 3))
    assert steps.max() < .6*abs(film.image.values[-1] - film.image.values[0]).mean() + .02
    own = gi.sample(2, seed=20)
    back = gi.walk(gi.invert(own), 1)
    assert abs(back.image.values - own.image.values).mean() < .12


def test_many_from_one_carry_the_mask_along(tmp_path):
    one = phantom(1, 64, seed=4)
    many = gi.from_one_image(one, n=3, seed=1)
    np.testing.assert_array_equal(many.isel(record=2).image.values, gi.from_one_image(one.image[0], one.mask[0], 3, seed=1).image.values[2])
    red = many.image.values[..., 0] - many.image.values[..., 1]
    for colours, mask in zip(red, many.mask.values.astype(bool), strict=True):
        if mask.any():
            assert colours[mask].mean() > colours[~mask].mean() + .05          # the bump is redder than its surroundings
    folder = write(many, tmp_path/'many', format='png')
    assert read_folder(folder).mask.shape == (3, 64, 64)
    assert 'from one image' in sentence(many.isel(record=0))


@pytest.mark.parametrize('call, says', [
    (lambda: gi.sample(2, condition=dict(centre='Oslo')), "unknown centre 'Oslo'"),
    (lambda: gi.sample(2, condition=dict(size=90)), 'size must be between 0.5 and 60'),
    (lambda: gi.sample(2, condition=dict(polyp='none', down=20)), 'without a polyp'),
    (lambda: gi.sample(2, condition=[{}]), '1 entries for 2'),
    (lambda: gi.sample(2, truncation='.5'), 'truncation must be between'),
    (lambda: gi.sample(2, mask=np.ones((3, 128, 128), bool)), 'mask holds 3 masks for 2'),
    (lambda: gi.sample(2, mask=np.zeros((128, 128), bool)), 'mask is empty'),
    (lambda: gi.sample(1, generator='pulse2pulse'), 'unknown generator'),
    (lambda: gi.generate('a/b', '.', '', 1, 1), 'plain file name'),
    (lambda: gi.generate('a', '.', '', 0, 1), 'num_img_per_tile'),
    (lambda: gi.generate('a', '.', '', 1, 1, 1.7), 'trunc_psi must be between 0.3 and 1'),
    (lambda: gi.generate_interpolation('a', '.', '', 1, 1, 1, False), 'num_of_steps_to_interpolate'),
    (lambda: gi.walk([3], 5), 'got 1'),
    (lambda: gi.invert(phantom(1, 64).image[..., 0]), 'this one is grey'),
    (lambda: gi.from_one_image(phantom(1, 64).image[0], phantom(1, 32).mask[0]), 'resize'),
    (lambda: gi.from_one_image(phantom(1, 600)), '24 to 512'),
])
def test_what_cannot_be_made_is_one_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.clock
def test_a_slider_moves_the_picture_at_once(tell):
    from deepsynthbody_nb.widgets import PictureWalk
    from deepsynthbody_nb.widgets.picture_walk import picture_png
    walk = PictureWalk(seed=2)
    steering, start, times = walk._steering, walk._start, []
    for value in np.linspace(-1.5, 1.5, 12):
        begun = time.perf_counter()
        picture_png(steering.preview(steering.move(start, dict(size=value, brightness=value)))[0])
        times.append(1000*(time.perf_counter() - begun))
    tell(f'PictureWalk: slider to picture, median {np.median(times):.0f} ms, worst {max(times):.0f}')
    assert np.median(times) < 150


def test_damaged_weights_are_refused(tmp_path):
    import shutil
    card = catalogue.find('polyps')
    shutil.copytree(card.folder, tmp_path/'polyps')
    weights = tmp_path/'polyps'/'weights.safetensors'
    weights.write_bytes(weights.read_bytes()[:-1] + b'\0')
    with warnings.catch_warnings(action='error'), pytest.raises(ValueError, match='damaged or another file'):
        gi.sample(1, generator=tmp_path/'polyps')


def test_the_walk_of_pictures_in_jupyterlab(lab):
    notebook = lab.open('widgets/06_picture_walk.ipynb').run_all()
    page, picture = notebook.page, notebook.page.locator('img.dsw-picture').first
    before = picture.get_attribute('src')
    handle = page.locator('.jupyter-widgets.widget-slider .noUi-handle').first
    for _ in range(4):
        handle.press('ArrowRight')
    page.wait_for_function('([e, was]) => e.src != was', arg=[picture.element_handle(), before], timeout=30_000)
    page.locator('.widget-label', has_text='synthetic, polyps, seed 3').first.wait_for(timeout=30_000)
    page.get_by_role('button', name='Code').first.click()
    code = page.locator('.widget-textarea textarea:visible').first.element_handle()
    page.wait_for_function("""e => e.value.includes("{'size': 1.0}")""", arg=code, timeout=30_000)
    if shots := os.environ.get('SCREENSHOTS'):
        page.screenshot(path=f'{shots}/picture_walk.png')
    assert notebook.errors() == []


def test_the_same_pictures_twice_as_fine(tmp_path):
    fine, coarse = gi.sample(3, seed=5, generator='polyps_256'), gi.sample(3, seed=5)
    assert fine.image.shape == (3, 256, 256, 3) and fine.mask.shape == (3, 256, 256)
    small = fine.image.values.reshape(3, 128, 2, 128, 2, 3).mean((2, 4))
    assert abs(small - coarse.image.values).mean() < .03
    assert abs(fine.mask.values.mean((1, 2)) - coarse.mask.values.mean((1, 2))).max() < .01
    np.testing.assert_array_equal(gi.sample(1, seed=5, generator='polyps_256').image.values, fine.image.values[:1])
    made = make_set(6, tmp_path/'set', generator='polyps_256', seed=5, format='png', workers=1, progress=False)
    assert len(verify(made, progress=False)) == 0 and read(next(made.rglob('*.png'))).sizes['y'] == 256
    assert 'polyps_256' in sentence(fine.isel(record=0))


def test_the_look_of_another_picture_keeps_the_mask():
    pair = gi.sample(2, seed=11)
    changed = restyled(pair.isel(record=[0]), pair.image[1], steps=30)
    far, near = (abs(x.image.values[0].mean((0, 1)) - pair.image.values[1].mean((0, 1))).max() for x in (pair, changed))
    assert near < .5*far + .01
    np.testing.assert_array_equal(changed.mask.values, pair.mask.values[:1])
    assert sentence(changed.isel(record=0)).startswith('synthetic') and 'look of another' in changed.attrs['provenance']
    with pytest.raises(ValueError, match='of its size'):
        restyled(pair, pair.image[1, :64, :64])


def test_two_networks_and_one_image():
    one = phantom(1, 64, seed=2).isel(record=0)
    singan = train_singan(one.image, one.mask, side=32, steps=20, seed=1)
    many = many_like(singan, 3, seed=4)
    assert many.image.shape == (3, 32, 32, 3) and 'synthetic' in sentence(many.isel(record=0))
    np.testing.assert_array_equal(many_like(singan, 1, seed=4).image.values, many.image.values[:1])
    for wrong, says in ((dict(side=256), '32 to 128'), (dict(steps=0), 'steps')):
        with pytest.raises(ValueError, match=says):
            train_singan(one.image, one.mask, **wrong)


def test_the_walk_on_a_page_without_a_kernel(tmp_path):
    static_pictures(seed=3, controls=('size',), path=tmp_path/'walk.html')
    text = (tmp_path/'walk.html').read_text()
    assert text.count('sd; polyp') == 8 and 'ynthetic' in text and 'http' not in text


def test_another_generator_stands_behind_the_same_door(tmp_path):
    x = gi.sample(3, seed=1, generator='polyps_gan')
    assert x.attrs['model'] == 'polyps_gan' and x.image.shape == (3, 128, 128, 3) and x.mask.any()
    np.testing.assert_array_equal(gi.sample(1, seed=1, generator='polyps_gan').image, x.image[:1])
    tile, = gi.generate('a', tmp_path, '', 1, 1, seed=1, generator='polyps_gan')
    assert abs(read(tile).squeeze() - x.image[0]).max() < .003
    for wrong, said in ((lambda: gi.walk([1, 2], 3, generator='polyps_gan'), 'no codes'), (lambda: gi.invert(x, generator='polyps_gan'), 'no codes'),
                        (lambda: gi.sample(1, generator='polyps_gan', condition=dict(size=3)), 'takes no condition')):
        with pytest.raises(ValueError, match=said): wrong()
