"The history of a record: synthetic stays synthetic, a real one says that it was edited, and files keep it."
import numpy as np
import pytest

import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.command_line import main
from deepsynthbody_nb.evaluation.features import alike, collection
from deepsynthbody_nb.records.provenance import is_synthetic, sentence
from deepsynthbody_nb.signals.files import read, write
from deepsynthbody_nb.signals.leads import as_ecg
from deepsynthbody_nb.signals.resampling import bandpass, cut, resample
from deepsynthbody_nb.training.records import read_records


def as_real(x):
    "The same signal without a mark, as a recorder writes it."
    return as_ecg(x.values, 500, list(x.lead.values))


EDITS = [
    (lambda x: resample(x, 250), 'resampled from 500 to 250 Hz'),
    (lambda x: resample(x, 1000), 'resampled from 500 to 1000 Hz'),
    (lambda x: cut(x, 4), 'first 4 s of 10 s'),
    (lambda x: bandpass(x, .5, 40), 'filtered, 0.5 to 40 Hz'),
]


@pytest.mark.parametrize('edit, said', EDITS)
def test_an_edit_is_added_to_the_history(edit, said):
    x = ecg.sample(2, seed=4, leads=8)
    assert edit(x).attrs['provenance'] == f'synthetic, edited: {said}'
    assert sentence(edit(x)[1]) == f'synthetic: generator pulse2pulse 1.1.2, seed 4, record 1; {said}'
    assert edit(as_real(x)).attrs['provenance'] == f'real, edited: {said}'
    assert sentence(as_real(x)[0]) == ''                                     # the given array is left as it was


def test_nothing_done_is_nothing_said():
    x = as_real(ecg.sample(1, seed=4))
    assert 'provenance' not in cut(resample(x, 500), 10).attrs


@pytest.mark.parametrize('chain', [('.hea', '.csv', '.mat', '.zarr', '.csv'), ('.csv', '.hea'), ('.zarr', '.mat')])
def test_converted_files_keep_their_history(tmp_path, chain, capsys):
    synthetic = cut(resample(ecg.sample(1, seed=4)[0], 250), 4)
    real = cut(resample(as_real(ecg.sample(1, seed=4)[0]), 250), 4)
    for name, x in (('synthetic', synthetic), ('real', real)):
        path = write(x, tmp_path/f'{name}0.csv')
        for k, suffix in enumerate(chain):
            target = tmp_path/f'{name}{k + 1}{suffix}'
            assert main(['convert', str(path), str(target), '--leads', '8']) == 0
            path = target
        back = read(path)
        back = back[0] if 'record' in back.dims else back
        assert sentence(back).startswith(sentence(x)), capsys.readouterr().err
        assert is_synthetic(back) == (name == 'synthetic')


def test_prepared_records_keep_what_their_histories_share(tmp_path):
    def prepared(*records):
        folder = tmp_path/str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for k, x in enumerate(records):
            write(x, folder/f'r{k}.csv')
        return read_records(folder, progress=False).ecg.attrs.get('provenance')

    one, two = ecg.sample(2, seed=4, leads=8)
    band = 'filtered, 0.5 to 100 Hz'
    assert prepared(one, two) == f'synthetic, edited: {band}'
    assert prepared(one, resample(two, 250)) == 'synthetic, edited'
    assert prepared(as_real(one), as_real(two)) == f'real, edited: {band}'
    assert prepared(as_real(one), resample(as_real(two), 250)) == 'real, edited'
    assert prepared(one, as_real(two)) is None                               # nothing is true of both


def test_records_that_began_at_other_times_are_one_set(tmp_path):
    long = as_real(ecg.sample(1, seed=4, leads=8)[0])
    write(long, tmp_path/'a.csv')
    write(long.assign_coords(time=long.time + 60.), tmp_path/'b.csv')        # a minute into a long recording
    both = read_records(tmp_path, progress=False).ecg
    assert both.shape == (2, 8, 5000) and np.isfinite(both.values).all()
    np.testing.assert_array_equal(both[0], both[1])


def test_the_report_knows_what_it_changed():
    x = ecg.sample(10, seed=4, leads=8)
    (a, b), said = alike([collection('real', as_real(x)), collection('synthetic', cut(resample(x, 250), 5))])
    assert a.values.attrs['provenance'] == 'real, edited: resampled from 500 to 250 Hz; first 5 s of 10 s'
    assert b.values.attrs['provenance'] == 'synthetic, edited: resampled from 500 to 250 Hz; first 5 s of 10 s'
    assert said == ['real: resampled from 500 to 250 Hz', 'real: cut to the first 5 s of 10 s']
