"Files of other people: hundreds of spellings of one table are read to the same numbers, refused in one sentence, or warned about."
import itertools, warnings
import numpy as np, pytest, torch
from deepsynthbody_nb.classifiers.resnet import load_classifier
from deepsynthbody_nb.signals.draw import draw_ecg
from deepsynthbody_nb.signals.files import read
from deepsynthbody_nb.signals.leads import LEADS_12, as_ecg
from deepsynthbody_nb.signals.measure import measure
from conftest import ROOT

UV = np.fromfile(ROOT/'data'/'sample.dat', '<i2').reshape(-1, 12).T[:2, :1200]     # I and II, 500 Hz
SCALE = {'mV': 1000, 'µV': 1, 'V': 1e6}                                            # µV in one unit
CLOCKS = {'time_s': 1/500, 'Zeit [ms]': 2, 'time (ms)': 2, 'Time': 1/500, None: None}
NAMES = [('I', 'II'), ('Lead I', 'ECG II'), ('i', 'ii'), ('MDC_ECG_LEAD_I', 'MDC_ECG_LEAD_II')]


def spelled(separator, decimal, clock, unit, names, encoding, quote, trailing, end, marker, preamble):
    "The table as text, in bytes."
    def number(v):
        text = f'{v:.7f}' if unit == 'V' else f'{v:.3f}'
        text = text.replace('.', decimal)
        return f'"{text}"' if quote or decimal == separator else text
    head = [f'{n} [{unit}]' for n in names] + ['marker']*marker
    rows = [[number(v/SCALE[unit]) for v in column] + ['1']*marker for column in UV.T]
    if clock:
        head = [clock, *head]
        rows = [[number(k*CLOCKS[clock]), *row] for k, row in enumerate(rows)]
    lines = ['Name' + separator + 'A Person', 'Sample Rate' + separator + '500 Hz', '']*preamble
    lines += [separator.join(row) + separator*trailing for row in [head, *rows]]
    return (end.join(lines) + end).encode(encoding)


def spellings():
    "400 tables, drawn from all combinations."
    draw = np.random.default_rng(17)
    choices = dict(separator=[',', ';', '\t', '|'], decimal=['.', ','], clock=list(CLOCKS), unit=list(SCALE), names=NAMES,
                   encoding=['utf-8', 'utf-8-sig', 'cp1252', 'utf-16'], quote=[False, True], trailing=[False, True], end=['\n', '\r\n'],
                   marker=[False, True], preamble=[False, True])
    for k in range(400):
        yield k, {name: values[draw.integers(len(values))] for name, values in choices.items()}


def test_four_hundred_spellings_of_one_table(tmp_path, tell):
    right, refused = 0, {}
    for k, how in spellings():
        path = tmp_path/f'{k}.csv'
        path.write_bytes(spelled(**how))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                x = read(path, sampling_rate=None if how['clock'] else 500)
        except ValueError as e:
            assert str(path) in str(e) and '\n' not in str(e) and 'Person' not in str(e)
            refused[str(e).split(': ', 1)[1][:60]] = how
            continue
        assert list(x.lead.values) == ['I', 'II'] and x.attrs['sampling_rate'] == 500, how
        np.testing.assert_allclose(x.values, UV/1000, atol=6e-4, err_msg=str(how))              # mV: three decimals
        right += 1
    tell(f'400 spellings of one table: {right} read to the same numbers, {400 - right} refused in one sentence {sorted(refused)}')
    assert right >= 370                                                                        # the rest is open: 80,000 may be 80


DAMAGES = {
    'a field more in one row': lambda lines, k: lines[:k] + [lines[k] + ',0.5'] + lines[k + 1:],
    'a field less in one row': lambda lines, k: lines[:k] + [lines[k].rsplit(',', 1)[0]] + lines[k + 1:],
    'text in a row': lambda lines, k: lines[:k] + [lines[k].rsplit(',', 1)[0] + ',lost'] + lines[k + 1:],
    'a row twice': lambda lines, k: lines[:k] + [lines[k]] + lines[k:],
    'rows lost': lambda lines, k: lines[:k] + lines[k + 40:],
    'an empty line': lambda lines, k: lines[:k] + [''] + lines[k:],
    'a missing value': lambda lines, k: lines[:k] + [lines[k].rsplit(',', 1)[0] + ','] + lines[k + 1:],
    'a decimal comma': lambda lines, k: lines[:k] + [lines[k].replace('.', ',')] + lines[k + 1:],
    'no header': lambda lines, k: lines[1:],
    'a name less': lambda lines, k: ['time_s,I'] + lines[1:],
    'the clock in ms': lambda lines, k: [lines[0].replace('time_s', 'time')] + [f'{2*i},' + line.split(',', 1)[1] for i, line in enumerate(lines[1:])],
    'the clock in samples': lambda lines, k: [lines[0].replace('time_s', 'time')] + [f'{i},' + line.split(',', 1)[1] for i, line in enumerate(lines[1:])],
    'µV without a unit': lambda lines, k: [lines[0]] + [line.split(',')[0] + ''.join(f',{1000*float(v):.0f}' for v in line.split(',')[1:]) for line in lines[1:]],
    'tenths of mV without a unit': lambda lines, k: [lines[0]] + [line.split(',')[0] + ''.join(f',{10*float(v):.3f}' for v in line.split(',')[1:]) for line in lines[1:]],
    'V without a unit': lambda lines, k: [lines[0]] + [line.split(',')[0] + ''.join(f',{float(v)/1000:.7f}' for v in line.split(',')[1:]) for line in lines[1:]],
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_damaged_tables_are_never_read_without_a_word(tmp_path, damage):
    "21 places for each of 15 damages: 315 tables."
    plain = spelled(',', '.', 'time_s', 'mV', ('I', 'II'), 'utf-8', False, False, '\n', False, False).decode().replace(' [mV]', '').splitlines()
    for k in range(3, 1100, 54):
        path = tmp_path/f'{k}.csv'
        path.write_text('\n'.join(DAMAGES[damage](plain, k)) + '\n')
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter('always')
            try:
                read(path)
            except ValueError as e:
                assert str(path) in str(e) and '\n' not in str(e)
                continue
        assert heard, f'{damage} at line {k}: read without a word'


def header(folder, name, rate, lines, n):
    (folder/f'{name}.hea').write_text(f'{name} {len(lines)} {rate} {n}\n' + ''.join(line + '\n' for line in lines))


def checksum(v): return int((v.astype('i8').sum() + 32768) % 65536 - 32768)


@pytest.mark.parametrize('other, unit, per_frame', list(itertools.product(['RESP', 'PLETH', 'ABP', 'EEG C4-A1', 'Temperature'], ['NU', 'mmHg', 'uV', 'degC'], [1, 2, 4])))
def test_an_ecg_is_read_beside_any_other_signal(tmp_path, other, unit, per_frame):
    ecg, beside = UV[1, :1000], np.arange(1000//per_frame, dtype='<i2')
    frames = np.concatenate([ecg.reshape(-1, per_frame), beside[:, None]], 1).astype('<i2')
    frames.tofile(tmp_path/'r.dat')
    header(tmp_path, 'r', f'{500/per_frame:g}', [f'r.dat 16x{per_frame} 1000/mV 16 0 {ecg[0]} {checksum(ecg)} 0 II', f'r.dat 16 0/{unit} 16 0 0 {checksum(beside)} 0 {other}'], len(frames))
    with pytest.warns(UserWarning, match='no ECG lead'):
        x = read(tmp_path/'r.hea')
    assert list(x.lead.values) == ['II'] and x.attrs['sampling_rate'] == 500
    np.testing.assert_allclose(x.values[0], ecg/1000, atol=1e-6)


def test_an_offset_is_no_spike_and_stays_in_its_row():
    x = read(ROOT/'data'/'sample.hea')
    away = (x + np.linspace(-250, 250, 12)[:, None]).assign_attrs(x.attrs)
    assert 'spikes' not in measure(away).quality.iloc[0]
    for line, _, _, middle in draw_ecg(away).traces:
        assert abs(np.median(line.get_ydata()) - middle) < 5                                   # mm


def test_a_flat_line_gets_no_finding():
    x = as_ecg(np.concatenate([np.zeros((1, 12, 5000)), read(ROOT/'data'/'sample.hea').values[None]]), leads=list(LEADS_12))
    with pytest.warns(UserWarning, match='record 0 has a signal'):
        found = load_classifier('superclass').predict_proba(x)
    assert found.iloc[0].isna().all() and found.iloc[1].notna().all()
    assert torch.get_default_dtype() == torch.float32
