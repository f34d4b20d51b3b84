"Sets of any card: balanced requests, killed and resumed, through Dask, of images, and what ECGSet opens."
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.bulk import ECGSet, make_set, verify
from deepsynthbody_nb.bulk.sets import balanced
from deepsynthbody_nb.classifiers.labels import SUPERCLASSES
from deepsynthbody_nb.command_line import main
from deepsynthbody_nb.signals.files import read, write
from test_house import toy

COMMAND = Path(sys.executable).parent/'deepsynthbody'
ONE_LINE = ['--generator', 'conditional', '--balanced', 'superclass', '--seed', '3']


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob('*')) if p.is_file()}


@pytest.fixture(scope='module')
def hearts(tmp_path_factory):
    "120 conditional ECGs, balanced over the superclasses."
    folder = tmp_path_factory.mktemp('hearts')/'set'
    return make_set(120, folder, generator='conditional', condition=balanced('superclass', 'conditional'), seed=3, progress=False)


def test_balanced_requests_are_labels(hearts):
    labels = pd.read_csv(hearts/'labels.csv', index_col='record')
    assert labels.superclass.value_counts().to_dict() == dict.fromkeys(SUPERCLASSES, 24)
    assert labels.provenance[7] == 'synthetic: generator conditional 3, seed 3, record 7'
    x = xr.open_zarr(hearts/'ecg.zarr').ecg.load()
    assert x.superclass.values.tolist() == labels.superclass.tolist() and x.attrs['model'] == 'conditional'
    each = [dict(superclass=c) for c in labels.superclass[50:53]]
    alone = ecg.sample(53, seed=3, leads=8, generator='conditional', condition=[None]*50 + each)
    assert abs(alone.values[50:] - x.values[50:53]).max() < 6e-4               # mV, half a step
    assert len(verify(hearts, progress=False)) == 0


def test_killed_and_resumed_from_the_shell_it_is_the_same(tmp_path, hearts):
    command = [COMMAND, 'make_set', '120', tmp_path/'set', *ONE_LINE]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while running.poll() is None and not list(tmp_path.glob('set/ecg.zarr/ecg/c/*/0/0')):
        time.sleep(.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert len(list(tmp_path.glob('set/ecg.zarr/ecg/c/*/0/0'))) < 3
    subprocess.run(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    assert contents(tmp_path/'set') == contents(hearts)


def test_two_dask_workers_make_the_same_bytes(tmp_path, hearts):
    how = dict(generator='conditional', condition=balanced('superclass', 'conditional'), seed=3)
    assert contents(make_set(120, tmp_path/'set', engine='dask', workers=2, progress=False, **how)) == contents(hearts)


def test_a_set_in_two_parts_is_the_set(tmp_path, hearts):
    how = dict(generator='conditional', condition=balanced('superclass', 'conditional'), seed=3, progress=False)
    part = xr.open_zarr(make_set(20, tmp_path/'part', start_id=100, **how)/'ecg.zarr').ecg.load()
    whole = xr.open_zarr(hearts/'ecg.zarr').ecg[100:].load()
    np.testing.assert_array_equal(part.values, whole.values)
    assert part.superclass.values.tolist() == whole.superclass.values.tolist()


def test_a_table_of_requests(tmp_path, capsys):
    table = tmp_path/'requests.csv'
    table.write_text('superclass,sex,age\nMI|CD,female,60\n,male,\n')
    assert main(['make_set', '4', str(tmp_path/'set'), '--generator', 'conditional', '--requests', str(table), '--seed', '1', '--format', 'wfdb']) == 0
    back = read(tmp_path/'set'/'records'/'000000'/'2.hea')
    assert back.superclass.item() == 'MI|CD' and float(back.age) == 60 and back.attrs['comments'][-1] == 'requested: superclass MI|CD; sex female; age 60.0'
    table.write_text('superclass,sex,age\nMI,female,600\n')
    assert main(['make_set', '4', str(tmp_path/'other'), '--generator', 'conditional', '--requests', str(table)]) == 2
    assert 'row 2: age must be between 5 and 95' in capsys.readouterr().err
    table.write_text('superclass,height\nMI,180\n')
    assert main(['make_set', '4', str(tmp_path/'other'), '--generator', 'conditional', '--requests', str(table)]) == 2
    assert "has the column 'height'" in capsys.readouterr().err and not (tmp_path/'other').exists()
    assert main(['make_set', '1', str(tmp_path/'other'), '--generator', 'conditional', '--requests', '{"age": }']) == 2


@pytest.mark.parametrize('words, says', [
    (dict(generator='stylegan'), 'unknown generator'), (dict(generator='wavegan'), 'ships without weights'),
    (dict(condition=dict(age=60)), 'takes no condition'), (dict(generator='conditional', condition=[dict(sex='x')]), "'female' or 'male'"),
    (dict(generator='conditional', condition='none.csv'), 'no such table'), (dict(format='png'), 'the format .png. holds image; for ecg use zarr or wfdb or asc'),
    (dict(generator='conditional', condition=[dict(heart_rate_bpm=150, qt_ms=450)]), 'do not fit between beats'),
    (dict(condition='as in real records'), 'has no table of usual requests')])
def test_what_cannot_be_made_is_said_before_anything_is_written(words, says, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        make_set(**{'n': 10, 'folder': tmp_path/'set', **words})
    assert not (tmp_path/'set').exists()


@pytest.mark.parametrize('format', ['zarr', 'png'])
def test_images_of_a_card_from_outside(tmp_path, format):
    card = toy(tmp_path/'toy')
    folder = make_set(70, tmp_path/'set', generator=card, condition=[dict(hue='red'), {}], seed=2, format=format, progress=False)
    assert len(verify(folder, generator=card, progress=False)) == 0
    labels = pd.read_csv(folder/'labels.csv', keep_default_na=False)
    assert labels.hue[:3].tolist() == ['red', '', 'red']
    if format == 'png':
        from PIL import Image
        picture = Image.open(folder/'records'/'000000'/'3.png')
        assert picture.size == (16, 16) and picture.text['Description'] == 'synthetic: generator colour_noise 1, seed 2, record 3'
        drawn = np.random.default_rng((2, 3)).random((16, 16, 3), 'float32')
        assert abs(np.asarray(picture)/255 - drawn).max() <= .5/255 + 1e-6
        (folder/'records'/'000000'/'3.png').unlink()
        assert list(verify(folder, generator=card, progress=False).index) == [3]
    else:
        x = xr.open_zarr(folder/'image.zarr')
        assert x.image.shape == (70, 16, 16, 3) and x.attrs['provenance'] == 'synthetic' and x.hue.values[2] == 'red'
        assert 0 <= float(x.image.min()) < .01 and .99 < float(x.image.max()) <= 1
    with pytest.raises(ValueError, match='pass generator=FOLDER'):
        verify(folder)
    with pytest.raises(ValueError, match='set of images|pass generator'):
        ECGSet(folder, generator=card)
    with pytest.raises(ValueError, match="hue must be 'red' or 'blue'; got 'mauve'"):
        make_set(3, tmp_path/'mauve', generator=card, condition=dict(hue='mauve'))


def test_another_generator_does_not_continue_a_set(tmp_path):
    make_set(3, tmp_path/'set', seed=1, progress=False)
    with pytest.raises(ValueError, match="generator 'pulse2pulse', not 'conditional'"):
        make_set(3, tmp_path/'set', seed=1, generator='conditional', progress=False)
    said = json.loads((tmp_path/'set'/'manifest.json').read_text())
    assert said['generator'] == 'pulse2pulse' and said['version'] == '1.1.2' and said['condition'] == []


def test_labels_are_targets(hearts):
    records = ECGSet(hearts, 'superclass')
    assert records.target_names == list(SUPERCLASSES) and records.sampling_rate == 500
    x, y = next(iter(torch.utils.data.DataLoader(records, batch_size=10)))
    assert x.shape == (10, 8, 5000) and torch.equal(y, torch.eye(5).repeat(2, 1))
    with pytest.raises(ValueError, match="unknown targets .'height'.|has no measures"):
        ECGSet(hearts, 'height')


@pytest.mark.parametrize('form', ['.zarr', '.mat', '.csv', '.npy', 'wfdb', 'asc'])
def test_a_dataset_opens_what_write_writes(tmp_path, form):
    each = [dict(superclass='MI', age=40), dict(superclass='CD', age=70), None]
    x = ecg.sample(3, seed=1, leads=8, generator='conditional', condition=each)
    path = write(x, tmp_path/f'set{form}') if form.startswith('.') else write(x, tmp_path/'set', format=form)
    records = ECGSet(path)
    assert len(records) == 3 and abs(records[-1].numpy() - x.values[-1]).max() < 6e-4
    if form in ('.zarr', 'wfdb'):
        one, y = ECGSet(path, ['superclass', 'age'])[0]
        assert y.tolist() == [0, 1, 40]                                      # CD, MI, age


def test_labels_that_were_changed_are_found(tmp_path, hearts):
    import shutil
    shutil.copytree(hearts, tmp_path/'set')
    path = tmp_path/'set'/'labels.csv'
    lines = path.read_text().splitlines(keepends=True)
    lines[5] = lines[5].replace('HYP', 'MI')
    path.write_text(''.join(lines))
    assert verify(tmp_path/'set', progress=False).problem.to_dict() == {4: 'has another line in labels.csv'}


def test_a_set_requested_as_in_real_records(tmp_path):
    how = dict(generator='conditional', condition='as in real records', seed=3, progress=False)
    folder = make_set(60, tmp_path/'whole', **how)
    part = make_set(30, tmp_path/'part', start_id=30, **how)
    labels, later = (pd.read_csv(f/'labels.csv', index_col='record', comment='#') for f in (folder, part))
    pd.testing.assert_frame_equal(labels.loc[30:59], later)
    assert labels.superclass.str.contains('NORM').mean() > .3 and labels.age.std() > 5 and labels.heart_rate_bpm.nunique() > 50
    assert len(verify(folder, progress=False)) == 0
    assert main(['make_set', '60', str(tmp_path/'shell'), '--generator', 'conditional', '--requests', 'as in real records', '--seed', '3']) == 0
    assert (tmp_path/'shell'/'labels.csv').read_bytes() == (folder/'labels.csv').read_bytes()
    x = ecg.sample(3, seed=3, leads=8, generator='conditional', condition='as in real records')
    assert x.superclass.values.tolist() == labels.superclass.iloc[:3].tolist()
