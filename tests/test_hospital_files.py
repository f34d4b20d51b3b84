"Files of hospitals and recorders: read back to the same numbers by us and by others, refused when damaged, and silent about the person."
import ast
import base64
import binascii
import json
import struct
import warnings

import h5py
import numpy as np
import pydicom
import pyedflib
import pytest
import xarray as xr
from pydicom.data import get_testdata_file

from conftest import ROOT
from deepsynthbody_nb.records.provenance import made
from deepsynthbody_nb.signals.channels import with_identity
from deepsynthbody_nb.signals.dicom_files import LEAD_OF_NUMBER
from deepsynthbody_nb.signals.files import read, write
from deepsynthbody_nb.signals.long_records import LongRecord
from deepsynthbody_nb.signals.leads import LEADS_8, LEADS_12, as_ecg
from deepsynthbody_nb.signals.named_arrays import read_variable
from deepsynthbody_nb.signals.scp_files import standard_table

UV = np.fromfile(ROOT/'data'/'sample.dat', '<i2').reshape(-1, 12).T.astype(int)     # µV; 12 leads, 500 Hz
EIGHT = UV[[list(LEADS_12).index(n) for n in LEADS_8]]
PERSON = dict(name='Erika Mustermann', patient_id='4711-0815', birth_date='1950-01-02', sex='F', age_years='70', recorded='2020-02-03')


def writers():
    "What the pages show of how others write: the functions of their cells."
    known = dict(np=np, base64=base64, binascii=binascii, struct=struct, LEAD_OF_NUMBER=LEAD_OF_NUMBER)
    known['codes'] = {number: bits for _, _, number, bits in standard_table() if number is not None}
    for page in ('13_xml_files', '14_scp_files', '15_ishne_files'):
        for cell in json.loads((ROOT/'nbs'/'signals'/f'{page}.ipynb').read_text())['cells']:
            text = ''.join(cell['source'])
            if cell['cell_type'] == 'code' and not text.startswith('#|'):
                functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
                exec(compile(ast.Module(functions, []), page, 'exec'), known)
    return known


OTHERS = writers()
FOREIGN = {                                            # suffix: bytes, the leads inside, step in µV
    'aecg.xml': (OTHERS['as_aecg'](UV, LEADS_12, 500, 2).encode(), LEADS_12, 2),
    'muse.xml': (OTHERS['as_muse'](EIGHT, LEADS_8, 500).encode('latin-1'), LEADS_8, 4.88),
    'philips.XML': (OTHERS['as_philips'](UV, LEADS_12, 500).encode(), LEADS_12, 5),
    'plain.xml': (OTHERS['as_philips'](UV, LEADS_12, 500, 'Uncompressed').encode(), LEADS_12, 5),
    'a.scp': (OTHERS['as_scp'](UV, LEADS_12, 500, 2, True, 2500), LEADS_12, 2.5),
    'a.ecg': (OTHERS['as_ishne'](UV[[1, 6, 10]], ['II', 'V1', 'V5'], 500, 2500), ('II', 'V1', 'V5'), 2.5),
}


def ours(folder, suffix, x=None):
    return write(as_ecg(UV/1000, 500, list(LEADS_12)) if x is None else x, folder/f'own{suffix}').read_bytes()


@pytest.mark.parametrize('name', FOREIGN)
def test_what_others_write_is_read_within_half_a_step(tmp_path, name):
    data, leads, step = FOREIGN[name]
    (tmp_path/name).write_bytes(data)
    x = read(tmp_path/name)
    assert list(x.lead.values) == list(leads) and x.attrs['sampling_rate'] == 500
    truth = UV[[list(LEADS_12).index(n) for n in leads]]
    off = step if name.startswith('aecg') else step/2                               # that page rounds down
    assert np.abs(x.values*1000 - truth).max() <= off + 1e-3                        # µV
    chosen = read(tmp_path/name, leads=['V1', 'II'])
    np.testing.assert_array_equal(chosen.values, x.sel(lead=['V1', 'II']).values)
    with pytest.raises(ValueError, match='sampling_rate=1000 was passed'):
        read(tmp_path/name, sampling_rate=1000)


@pytest.mark.parametrize('rate, samples', [(500, 5000), (500, 4999), (250, 1001), (360, 3600), (1000, 20000), (257, 2570), (249.97, 24997)])
def test_our_edf_is_read_alike_by_another_library(tmp_path, rate, samples):
    values = np.tile(UV, 5)[:, :samples]
    path = write(as_ecg(values/1000, rate, list(LEADS_12)), tmp_path/'a.edf')
    theirs = pyedflib.EdfReader(str(path))
    assert theirs.getSignalLabels() == [f'ECG {n}' for n in LEADS_12]
    assert np.ptp([*theirs.getSampleFrequencies(), rate]) < 1e-9*rate and set(theirs.getNSamples()) == {samples}
    for k in range(12):
        assert theirs.getPhysicalDimension(k) == 'uV'
        assert np.abs(theirs.readSignal(k) - values[k]).max() <= .5                  # µV; ours are whole
    theirs.close()
    x = read(path)
    assert x.attrs['sampling_rate'] == rate and np.abs(x.values*1000 - values).max() < 1e-3


def test_our_edf_is_read_alike_by_mne(tmp_path):
    import mne
    path = write(as_ecg(UV/1000, 500, list(LEADS_12)), tmp_path/'a.edf')
    theirs = mne.io.read_raw_edf(path, verbose='error')
    assert theirs.ch_names == [f'ECG {n}' for n in LEADS_12] and theirs.info['sfreq'] == 500
    assert np.abs(theirs.get_data()*1e6 - UV).max() <= .5                            # µV; ours are whole
    mne.export.export_raw(tmp_path/'theirs.edf', theirs, physical_range=(-20_000, 20_000), verbose='error')
    x = read(tmp_path/'theirs.edf')
    assert list(x.lead.values) == list(LEADS_12)
    assert np.abs(x.values*1000 - UV).max() <= 40_000/65_535                         # µV: a step


@pytest.mark.parametrize('name', ['own.edf', 'a.ecg', 'nameless'])
def test_a_piece_is_what_the_whole_has_there(tmp_path, name):
    path = tmp_path/name
    path.write_bytes(ours(tmp_path, '.edf') if name == 'own.edf' else FOREIGN['a.ecg'][0])
    whole, record = read(path), LongRecord(path)
    assert record.leads == tuple(whole.lead.values) and record.seconds == 10
    for begin, end in ((0, 10), (0.35, 0.4), (3.3, 9.998)):
        xr.testing.assert_allclose(record.piece(begin, end).drop_attrs(), whole.sel(time=slice(begin - 1e-4, end - 1e-3)).drop_attrs())
    assert LongRecord(path, leads=['V5', 'II']).piece(1, 2).equals(record.piece(1, 2).sel(lead=['V5', 'II']))


def test_what_edf_cannot_hold_is_said(tmp_path):
    with pytest.raises(ValueError, match='EDF cannot hold 77 samples at 128 Hz'):
        write(as_ecg(UV[:, :77]/1000, 128, list(LEADS_12)), tmp_path/'a.edf')
    assert not list(tmp_path.iterdir())


def test_their_edf_is_read_beside_brain_waves_and_at_its_own_rate(tmp_path):
    path = tmp_path/'NIGHT.EDF'
    out = pyedflib.EdfWriter(str(path), 3, file_type=pyedflib.FILETYPE_EDFPLUS)
    for k, (label, rate, unit) in enumerate([('EEG C4-A1', 100, 'uV'), ('EKG', 250, 'mV'), ('SpO2', 1, '%')]):
        out.setSignalHeader(k, dict(label=label, dimension=unit, sample_frequency=rate, physical_max=100., physical_min=-100.,
                                    digital_max=32767, digital_min=-32768, transducer='', prefilter=''))
    out.setPatientName('Erika_Mustermann')
    beats = UV[1, ::2][:2500]/1000
    out.writeSamples([np.zeros(1000), beats, np.full(10, 97.)])
    out.writeAnnotation(2, -1, 'seen by Dr. Mustermann')
    out.close()
    with pytest.warns(UserWarning, match='EEG C4-A1, SpO2 are no ECG leads'):
        x = read(path)
    assert list(x.lead.values) == ['EKG'] and x.attrs['sampling_rate'] == 250 and 'Mustermann' not in str(x.attrs)
    assert np.abs(x.values[0] - beats).max() <= 200/65535                            # mV: a step
    with pytest.warns(UserWarning):
        assert read(path, keep_identity=True).attrs['identity']['name'] == 'Erika Mustermann'
    assert float(abs(read(write(x, tmp_path/'again.edf')) - x).max()) <= .5e-3 + 1e-6


@pytest.mark.parametrize('leads, rate, kind', [(LEADS_12, 500, '12-lead'), (('X', 'Y', 'Z'), 1000, 'General'), (('II', 'ECG2'), 128, 'Ambulatory')])
def test_our_dicom_is_read_alike_by_pydicom(tmp_path, leads, rate, kind):
    values = UV[:len(leads)]
    path = write(as_ecg(values/1000, rate, list(leads)), tmp_path/'a.dcm')
    theirs = pydicom.dcmread(path)
    assert theirs.SOPClassUID.name.startswith(kind) and theirs.SyntheticData == 'NO'
    np.testing.assert_array_equal(theirs.waveform_array(0).T, values)                # µV
    path.rename(tmp_path/'1.2.840.99')                                               # archives name files by their numbers
    x = read(tmp_path/'1.2.840.99')
    assert list(x.lead.values) == list(leads) and x.attrs['sampling_rate'] == rate
    assert np.abs(x.values*1000 - values).max() < 1e-3


def test_their_dicom_is_read_in_its_own_unit():
    path = get_testdata_file('waveform_ecg.dcm')
    x, theirs = read(path), pydicom.dcmread(path).waveform_array(0).T/1000           # pydicom scales to µV
    assert list(x.lead.values) == list(LEADS_12) and x.attrs['sampling_rate'] == 1000
    assert np.abs(x.values - theirs).max() < 1e-5
    assert set(x.attrs) <= {'units', 'sampling_rate', 'source'}


@pytest.mark.parametrize('suffix', ['.edf', '.dcm'])
def test_a_synthetic_record_comes_back_as_one(tmp_path, suffix):
    x = made(as_ecg(UV/1000, 500, list(LEADS_12)), 'pulse2pulse', '1', 7).assign_coords(record=3)
    back = read(write(x, tmp_path/f'a{suffix}'))
    assert {k: back.attrs[k] for k in ('provenance', 'model', 'version', 'seed')} == dict(provenance='synthetic', model='pulse2pulse', version='1', seed=7)
    assert back.record.item() == 3


@pytest.mark.parametrize('suffix', ['.asc', '.hea', '.mat', '.csv', '.npy', '.zarr', '.edf', '.dcm'])
def test_nobody_is_named_unless_asked(tmp_path, suffix):
    x = with_identity(as_ecg(UV/1000, 500, list(LEADS_12)), True, **PERSON)
    path = write(x, tmp_path/f'a{suffix}')
    everything = b''.join(p.read_bytes() for p in tmp_path.rglob('*') if p.is_file())
    assert not any(word in everything for word in (b'Mustermann', b'4711', b'1950', b'19500102', b'02-JAN-1950'))
    assert 'identity' not in read(path).attrs
    if suffix in ('.edf', '.dcm'):
        kept = read(write(x, tmp_path/f'b{suffix}', keep_identity=True), keep_identity=True).attrs['identity']
        assert {k: kept[k].replace('_', ' ') for k in ('name', 'patient_id', 'birth_date', 'sex', 'recorded')} == {k: v for k, v in PERSON.items() if k != 'age_years'}


def test_headers_of_others_hand_on_no_name(tmp_path):
    for name in ('muse.xml', 'philips.XML', 'a.scp', 'a.ecg'):
        (tmp_path/name).write_bytes(FOREIGN[name][0])
        x = read(tmp_path/name)
        assert 'identity' not in x.attrs and set(x.coords) == {'lead', 'time'}
        assert read(tmp_path/name, keep_identity=True).attrs['identity']['name'] in ('Müller', 'Roe', 'Anna')


def test_what_is_cut_short_is_never_read_without_a_word(tmp_path, tell):
    "33 places in each of 9 kinds of files: 297 cuts."
    kinds = {name: data for name, (data, _, _) in FOREIGN.items()} | {f'own{s}': ours(tmp_path, s) for s in ('.edf', '.dcm')}
    kinds['theirs.dcm'] = open(get_testdata_file('waveform_ecg.dcm'), 'rb').read()
    cuts = refused = 0
    for name, data in kinds.items():
        path = tmp_path/name
        for at in np.linspace(0, len(data) - 40, 33).astype(int):
            path.write_bytes(data[:at])
            cuts += 1
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter('always')
                try:
                    x = read(path)
                except (ValueError, OSError) as e:
                    assert str(path) in str(e) and '\n' not in str(e), (name, at, e)
                    refused += 1
                    continue
            whole = name == 'theirs.dcm' and x.shape == (12, 10000)                  # the cut lies behind the waveform
            assert heard or whole, (name, at)
    tell(f'{cuts} files cut short: {refused} refused in one sentence')
    assert cuts == 297


def test_a_changed_byte_is_noticed_where_the_format_has_checksums(tmp_path):
    "200 bytes of SCP-ECG files and ISHNE headers."
    draw = np.random.default_rng(17)
    for name, span in (('a.scp', None), ('a.ecg', 522)):
        data = FOREIGN[name][0]
        for at in draw.integers(8 if span else 0, span or len(data), 100):
            changed = bytearray(data)
            changed[at] ^= 1 << draw.integers(8)
            (tmp_path/name).write_bytes(changed)
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter('always')
                try:
                    read(tmp_path/name)
                except ValueError as e:
                    assert str(tmp_path/name) in str(e)
                    continue
            assert heard, (name, at)


XML = [('<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>', '', "units ['no unit']"), ('MICROVOLTS', 'FURLONGS', 'units'),
       ('<SampleBase>500</SampleBase>', '', 'samplebase'), ('<SampleBase>500', '<SampleBase>5', 'cannot be'), ('<LeadID>II<', '<LeadID>I<', 'once'),
       ('<LeadSampleCountTotal>5000', '<LeadSampleCountTotal>5001', '5001 are promised'), ('<LeadSampleSize>2', '<LeadSampleSize>4', 'bytes'),
       ('Rhythm', 'Median', 'no rhythm'), ('<WaveFormData>', '<WaveFormData>!', 'Base64'), ('RestingECG', 'Breakfast', 'another kind')]


@pytest.mark.parametrize('old, new, says', XML)
def test_a_muse_document_that_lacks_something_says_what(tmp_path, old, new, says):
    text = OTHERS['as_muse'](EIGHT, LEADS_8, 500)
    assert old in text
    (tmp_path/'a.xml').write_text(text.replace(old, new), encoding='latin-1')
    with pytest.raises(ValueError) as e:
        read(tmp_path/'a.xml')
    assert says in str(e.value) and str(tmp_path/'a.xml') in str(e.value)


def test_what_hospitals_archives_also_hold_is_refused_by_kind(tmp_path):
    with pytest.raises(ValueError, match='modality CT'):
        read(get_testdata_file('CT_small.dcm'))
    (tmp_path/'a.h5').write_bytes(b'')
    with pytest.raises(ValueError, match='read_variable'):
        read(tmp_path/'a.h5')
    (tmp_path/'a.ecg').write_bytes(b'something else')
    with pytest.raises(ValueError, match='is no ISHNE file'):
        read(tmp_path/'a.ecg')


def test_a_recipe_reads_what_has_no_header(tmp_path):
    with h5py.File(tmp_path/'a.h5', 'w') as file:
        file['x/tracings'], file['id'] = np.stack([UV.T, 2*UV.T]), [b'00001', b'00002']
    recipe = dict(dims=('record', 'time', 'lead'), sampling_rate=500, leads=12, units='uV')
    x = read_variable(tmp_path/'a.h5', 'x/tracings', names='id', records=slice(1, 2), **recipe)
    assert x.record.values.tolist() == ['00002'] and np.abs(x.values[0]*1000 - 2*UV).max() < 1e-2
    with pytest.warns(UserWarning, match="Einthoven's law"):
        read_variable(tmp_path/'a.h5', 'x/tracings', **recipe | dict(leads=list(LEADS_12[::-1])))
    with pytest.raises(ValueError, match='known are id, x/tracings'):
        read_variable(tmp_path/'a.h5', 'ecg', **recipe)
    assert isinstance(x, xr.DataArray)
