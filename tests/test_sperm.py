"Videos of cells: what is asked holds, records do not depend on their company, sets resume, bad input is refused."
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import deepsynthbody_nb.reproductive.sperm as sperm
from deepsynthbody_nb.bulk import make_set, verify
from deepsynthbody_nb.catalogue import body, cards
from deepsynthbody_nb.classifiers.cells import find_cells, load_cell_finder
from deepsynthbody_nb.evaluation import report
from deepsynthbody_nb.evaluation.spots import average_precision
from deepsynthbody_nb.generators.microscope import load_microscope
from deepsynthbody_nb.generators.swimmers import FIELD, PICTURE, man_of, scene
from deepsynthbody_nb.signals.tracks import link, measure_tracks
from deepsynthbody_nb.widgets.cell_player import CellPlayer


def test_it_stands_on_the_shelf():
    assert cards().system['sperm'] == 'reproductive.sperm'
    assert 'sperm' in body().doors['reproductive']


def test_a_record_depends_on_seed_and_number_alone():
    several = sperm.sample(3, frames=4, seed=4)
    assert several.attrs['seed'] == 4 and several.attrs['model'] == 'sperm' and several.video.attrs['provenance'] == 'synthetic'
    one = sperm.sample(1, frames=4, seed=4)
    for name in ('video', 'box', 'swims'):
        np.testing.assert_array_equal(several[name][:1], one[name])
    assert abs(several.video[1] - several.video[2]).mean() > .01
    assert sperm.sample(0, seed=1).video.shape == (0, 50, *PICTURE)


def test_some_pictures_of_a_scene_are_those_of_all():
    microscope = load_microscope()
    one = scene(microscope.swimmers, {}, 5, 0, 6)
    np.testing.assert_array_equal(microscope.film(one, 5, 0, [4])[0], microscope.film(one, 5, 0)[4])


@pytest.mark.parametrize('asked', [dict(motile=10, speed=30), dict(motile=90, speed=30), dict(motile=50, speed=70)])
def test_what_was_asked_is_in_the_tracks(asked):
    swimmers, paths = load_microscope().swimmers, []
    for record in range(4):
        one = scene(swimmers, asked | dict(cells=40, straightness=70), 6, record, 75)
        wide, high = PICTURE[1] + 2*FIELD, PICTURE[0] + 2*FIELD
        step = np.diff(one.heads, axis=0)
        step = (step.real + wide/2) % wide - wide/2 + 1j*((step.imag + high/2) % high - high/2)
        x = np.concatenate([0*step[:1], step.cumsum(0)])
        paths.append(pd.DataFrame(dict(record=record, frame=np.repeat(np.arange(75), x.shape[1]), track=np.tile(np.arange(x.shape[1]), 75),
                                       x=x.real.ravel(), y=x.imag.ravel())))
    measured = measure_tracks(pd.concat(paths), 25)
    fast = measured[measured.motile]
    assert abs(100*measured.motile.mean() - asked['motile']) < 12
    assert abs(fast.vcl.median() - asked['speed']) < .25*asked['speed'] and .5 < fast.lin.median() < .9


def test_men_have_what_is_asked_of_them():
    swimmers, chance = load_microscope().swimmers, np.random.default_rng(0)
    men = pd.DataFrame([man_of(swimmers, dict(cells=12, straightness=50), chance) for _ in range(100)])
    assert (men.cells == 12).all() and (men.straightness == 50).all() and men.motile.between(0, 100).all() and men.speed.std() > 3


def test_boxes_lie_on_the_heads():
    x = sperm.sample(3, frames=2, seed=8, condition=dict(cells=35))
    table = sperm.tracks(x)
    own = [average_precision(find_cells(x.video[k], sure=.05), table[table.record == k], near=5) for k in range(3)]
    moved = table.assign(x=table.x + 20)
    off = [average_precision(find_cells(x.video[k], sure=.05), moved[moved.record == k], near=5) for k in range(3)]
    assert np.mean(own) > .65 and np.mean(off) < .3


def test_a_cell_is_followed():
    x = sperm.sample(1, frames=30, seed=9, condition=dict(cells=15, motile=50, speed=40))
    found, true = link(find_cells(x.video[0])), sperm.tracks(x)
    longest = found.groupby('track').size().max()
    assert longest == 30 and .5 < found.track.nunique()/true.track.nunique() < 3


def test_files_hold_what_was_drawn(tmp_path):
    import av
    film, = sperm.generate(1, tmp_path, 3, frames=8, seed=2)
    assert film.name == '3.mp4' and sorted(p.name for p in tmp_path.iterdir()) == ['3.csv', '3.mp4']
    with av.open(str(film)) as opened:
        assert 'synthetic' in opened.metadata['comment']
        pictures = np.stack([frame.to_ndarray(format='gray') for frame in opened.decode(video=0)])
    x = sperm.sample(4, frames=8, seed=2).isel(record=[3])
    assert pictures.shape == (8, *PICTURE) and abs(pictures/255 - x.video[0].values).mean() < .02
    table = pd.read_csv(film.with_suffix('.csv'), comment='#')
    np.testing.assert_allclose(table.x, sperm.tracks(x).x, atol=.01)
    assert 'synthetic' in film.with_suffix('.csv').read_text().splitlines()[0]
    gif, = sperm.generate(1, tmp_path/'gif', frames=3, seed=2, format='gif')
    assert gif.read_bytes()[:3] == b'GIF'


def test_a_set_is_written_and_verified(tmp_path):
    folder = make_set(1, tmp_path/'set', seed=3, generator='sperm', condition=dict(cells=10), progress=False)
    assert list(verify(folder, progress=False).index) == []
    kept, drawn = xr.open_zarr(folder/'video.zarr').load(), sperm.sample(1, seed=3, condition=dict(cells=10))
    assert kept.attrs['provenance'] == 'synthetic' and float(abs(kept.video - drawn.video).max()) <= .5/255 + 1e-6
    np.testing.assert_allclose(kept.box, drawn.box, atol=.01)
    np.testing.assert_array_equal(kept.swims, drawn.swims)
    with pytest.raises(ValueError, match='for video use'):
        make_set(2, tmp_path/'other', seed=3, generator='sperm', format='wfdb', progress=False)


def test_a_report_takes_videos_and_bodies():
    a, b = sperm.sample(4, frames=5, seed=0), sperm.sample(4, frames=5, seed=1)
    found = report(a, b, splits=2, progress=False)
    assert set(found.table.axis) >= {'fidelity', 'coverage'} and found.table.measure.str.contains('brightness').any()
    import deepsynthbody_nb.cardiovascular.pulse as pulse
    x, y = pulse.sample(10, seconds=8, seed=0), pulse.sample(10, seconds=8, seed=1, condition=dict(heart_rate_bpm=120))
    found = report(x, y, splits=2, progress=False).table.set_index('measure').value
    assert found['KS, heart_rate_bpm'] > .6 and found['KS, pulse_rate_bpm'] > .6
    with pytest.raises(ValueError, match='of one kind'):
        report(a, x, progress=False)


@pytest.mark.parametrize('wrong, said', [
    (lambda: sperm.sample(1, frames=1), 'frames'), (lambda: sperm.sample(1, condition=dict(speed=500)), 'speed'),
    (lambda: sperm.sample(1, condition=dict(colour=3)), 'colour'), (lambda: sperm.sample(-1), 'n must'),
    (lambda: sperm.sample(1, generator='polyps'), 'polyps'), (lambda: sperm.generate(1, 'x', format='avi'), 'avi'),
    (lambda: find_cells(np.zeros((2, 3, 240, 320))), 'a video is grey'), (lambda: CellPlayer(speed=1), 'speed is 15 to 90'),
])
def test_bad_input_gets_a_clear_error(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()


def test_the_finder_is_the_one_on_its_card():
    assert sum(p.numel() for p in load_cell_finder().parameters()) > 1e5
    player = CellPlayer(seed=1, cells=10, frames=3)
    player._sliders['cells'].value = 40
    assert player.figures['tracks'] > 20 and player.png(2)[:4] == b'\x89PNG'


def test_the_player_says_what_was_asked_though_fast_cells_come_and_go():
    told = [CellPlayer(seed=seed, cells=45, motile=20, speed=75, straightness=90, frames=2).figures['motile'] for seed in range(4)]
    assert abs(np.mean(told) - 20) < 8, told
