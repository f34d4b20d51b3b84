"Broken files are named, good ones survive, and a killed run leaves nothing half-written."
import os, signal, subprocess, sys, time
from pathlib import Path
import numpy as np, pytest, xarray as xr
import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.signals.files import read, write
from deepsynthbody_nb.signals.leads import as_ecg

SUFFIXES = ('.asc', '.hea', '.dat', '.mat', '.csv', '.npy')


@pytest.fixture(scope='module')
def x(): return ecg.sample(1, seed=0)[0]


@pytest.fixture
def folder(tmp_path, x):
    write(x, tmp_path/'a.hea'); write(x, tmp_path/'m.mat'); write(x, tmp_path/'a.csv')
    return tmp_path


def break_(path, old, new):
    "Replace the first `old` in a text file."
    text = path.read_text(); assert old in text; path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize('name, damage, error, says', [
    ('gone.hea', lambda f: None, FileNotFoundError, 'gone.hea: there is no such file'),
    ('gone', lambda f: None, FileNotFoundError, 'gone: its header gone.hea is not in'),
    ('b.xyz', lambda f: (f/'b.xyz').write_text(''), ValueError, "unknown format '.xyz'; known are"),
    ('a.dat', lambda f: (f/'a.hea').unlink(), FileNotFoundError, 'its header a.hea is not in'),
    ('a.hea', lambda f: (f/'a.dat').unlink(), FileNotFoundError, 'a.hea: names the signal file a.dat, which is not in'),
    ('a.hea', lambda f: os.truncate(f/'a.dat', 1001), ValueError, 'a.dat: is cut short; it has 1001 bytes, .* promises 120000'),
    ('m.hea', lambda f: os.truncate(f/'m.mat', 500), ValueError, 'm.mat: is cut short'),
    ('a.hea', lambda f: (f/'a.dat').write_bytes(bytes(120000)), ValueError, 'a.hea: the signal does not have the checksum'),
    ('a.hea', lambda f: (f/'a.hea').write_text(''), ValueError, 'a.hea: is empty'),
    ('a.hea', lambda f: (f/'a.hea').write_text('what is this\n'), ValueError, 'a.hea: cannot be read as .hea'),
    ('a.hea', lambda f: break_(f/'a.hea', '/mV', '/furlong'), ValueError, "a.hea: unknown units .'furlong'"),
    ('a.hea', lambda f: break_(f/'a.hea', ' III\n', ' II\n'), ValueError, 'a.hea: cannot be read as .hea'),
    ('s.asc', lambda f: (f/'s.asc').write_text('1 2 3 4 5 6 7 8\n1 2 3 4 5 6 7\n'), ValueError, 's.asc: line 2 has 7 columns, the first has 8'),
    ('s.asc', lambda f: (f/'s.asc').write_text('1 2 3\n'), ValueError, 's.asc: has 3 columns; an .asc file has 8'),
    ('s.asc', lambda f: (f/'s.asc').write_text('a b c d e f g h\n'), ValueError, 's.asc: cannot be read as .asc'),
    ('s.asc', lambda f: (f/'s.asc').write_text(''), ValueError, 's.asc: is empty'),
    ('s.asc', lambda f: (f/'s.asc').write_text('1 2 3 4 5 6 7 nan\n'), ValueError, 's.asc: 1 samples are missing .NaN or infinite., the first in lead V6 at 0.000 s'),
    ('a.csv', lambda f: break_(f/'a.csv', 'time_s,I,', '0.0,1.5,'), ValueError, 'a.csv: the first line is no header'),
    ('a.csv', lambda f: break_(f/'a.csv', '\n0.002,', '\n0.9,'), ValueError, 'a.csv: .*do not rise in equal steps'),
    ('t.csv', lambda f: (f/'t.csv').write_text('I,II\n1,2\n'), ValueError, 't.csv: has no column time_s; pass sampling_rate='),
    ('t.csv', lambda f: (f/'t.csv').write_text('time_s,I\n0,x\n1,y\n'), ValueError, r"t.csv: the columns \['I'\] are not all numbers"),
    ('t.csv', lambda f: (f/'t.csv').write_text(''), ValueError, 't.csv: the first line is no header'),
    ('s.asc', lambda f: (f/'s.asc').write_text('1 2 3 4 5 6 7 8\n1 2 3 4 5 6 7 8'), ValueError, 's.asc: is cut short; its last line has no end'),
    ('s.asc', lambda f: (f/'s.asc').write_text('.1 .2 .3 .4 .5 .6 .7 .8\n'), ValueError, 's.asc: holds numbers that are not whole'),
    ('s.asc', lambda f: (f/'s.asc').write_bytes(bytes([255, 254, 200])), ValueError, 's.asc: cannot be read as .asc'),
    ('a.hea', lambda f: break_(f/'a.hea', ' 12 500 5000', ' 12'), ValueError, 'a.hea: the header gives no sampling rate; pass sampling_rate='),
    ('a.hea', lambda f: break_(f/'a.hea', ' 12 500', ' 11 500'), ValueError, 'a.hea: '),
    ('m.dat', lambda f: (f/'m.dat').write_bytes(b'12'), ValueError, 'm.dat: is not the signal of m.hea, which names m.mat'),
    ('t.csv', lambda f: (f/'t.csv').write_text('time_s,I,I\n0,1,1\n.002,1,1\n'), ValueError, 't.csv: .*a lead may occur once'),
    ('t.csv', lambda f: (f/'t.csv').write_text('time_s,I\na,1\nb,1\n'), ValueError, 't.csv: the column time_s does not hold seconds'),
    ('t.csv', lambda f: (f/'t.csv').write_text('time_s,I\n'), ValueError, 't.csv: has a header and no samples'),
    ('t.csv', lambda f: (f/'t.csv').write_text('time_s,I\n0,500\n.002,-400\n'), ValueError, 't.csv: reaches 500 mV'),
    ('n.npy', lambda f: np.save(f/'n.npy', np.zeros((3, 5000))), ValueError, 'n.npy: .*an array of shape .3, 5000. has 3 leads'),
    ('n.npy', lambda f: (f/'n.npy').write_bytes(b'\x93NUMPY'), ValueError, 'n.npy: cannot be read as .npy'),
    ('n.npy', lambda f: np.save(f/'n.npy', np.full((8, 5000), np.nan)), ValueError, 'n.npy: 40000 samples are missing'),
])
def test_a_broken_file_is_named(folder, name, damage, error, says):
    damage(folder)
    with pytest.raises(error, match=says) as e: read(folder/name)
    assert '\n' not in str(e.value)                                          # one sentence


@pytest.mark.parametrize('change, suffix, error, says', [
    (lambda x: x.where(x.time != 1), '.hea', ValueError, '12 samples are missing'),
    (lambda x: x.where(x.time != 1), '.asc', ValueError, 'samples are missing'),
    (lambda x: x*1000, '.hea', ValueError, 'more than this format holds; check its unit'),
    (lambda x: x.sel(lead=['I', 'V1']), '.asc', ValueError, 'carries no lead names'),
    (lambda x: x.isel(time=slice(None, None, 2)), '.npy', ValueError, 'this ECG has 250; resample'),
    (lambda x: x*np.inf, '.csv', ValueError, 'samples are missing .NaN or infinite.'),
    (lambda x: x, '/ü.hea', ValueError, 'has letters, digits'),
    (lambda x: x, '/', ValueError, 'unknown format'),
    (lambda x: xr.concat([x, x], 'record'), '.hea', ValueError, 'holds one record, this ECG has 2'),
    (lambda x: x, '.tiff', ValueError, "unknown format '.tiff'; known are"),
    (lambda x: x, '/b.asc', FileNotFoundError, 'there is no such folder'),
])
def test_write_refuses_what_would_be_lost(tmp_path, x, change, suffix, error, says):
    with pytest.raises(error, match=says): write(change(x), f'{tmp_path}/a{suffix}')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_a_record_survives_every_format(tmp_path, x, suffix):
    back = read(write(x, tmp_path/f'a{suffix}'))
    np.testing.assert_allclose(back, x, atol=.00051)                         # mV: files hold whole µV, derived leads half ones
    assert back.attrs['sampling_rate'] == 500 and list(back.lead.values) == list(x.lead.values)
    np.testing.assert_array_equal(back.time, x.time)


@pytest.mark.parametrize('rate', [100, 257, 360.5, 1000])
@pytest.mark.parametrize('suffix', ['.hea', '.mat', '.csv'])
def test_a_rate_survives_where_the_format_carries_it(tmp_path, rate, suffix):
    x = as_ecg(np.random.default_rng(0).normal(size=(2, 700)), rate, ['V1', 'MLII'])
    back = read(write(x, tmp_path/f'a{suffix}'))
    assert back.attrs['sampling_rate'] == pytest.approx(rate, abs=1e-4) and list(back.lead.values) == ['V1', 'MLII']
    np.testing.assert_allclose(back.time, x.time, atol=1e-6)                 # s


def test_wfdb_can_read_what_we_write(tmp_path, x):
    import wfdb
    for suffix in ('.hea', '.mat'):
        theirs = wfdb.rdrecord(str(write(x, tmp_path/f'a{suffix}').with_suffix('')))
        np.testing.assert_allclose(theirs.p_signal.T, x, atol=.00051)        # mV
        assert theirs.comments == ['synthetic: generator pulse2pulse 1.1.2, seed 0, record 0']


def test_nan_is_kept_when_asked_for(tmp_path, x):
    write(x, tmp_path/'a.csv'); text = (tmp_path/'a.csv').read_text().splitlines(); text[6] = text[6].rsplit(',', 1)[0] + ','       # behind the mark and the header
    (tmp_path/'a.csv').write_text('\n'.join(text) + '\n')
    with pytest.raises(ValueError, match='the first in lead V6 at 0.008 s'): read(tmp_path/'a.csv')
    assert int(np.isnan(read(tmp_path/'a.csv', allow_nan=True)).sum()) == 1


def test_a_file_that_says_its_rate_is_not_overruled(folder):
    with pytest.raises(ValueError, match='a.hea: says 500 Hz, and sampling_rate=250 was passed'): read(folder/'a.hea', 250)
    break_(folder/'a.hea', ' 12 500 5000', ' 12 0 5000')
    assert read(folder/'a.hea', 250).attrs['sampling_rate'] == 250


def test_several_files_stack_or_say_why_not(tmp_path, x):
    paths = [write(x, tmp_path/'a.hea'), write(2*x, tmp_path/'b.csv')]
    both = read(paths)
    assert both.dims == ('record', 'lead', 'time') and list(both.record.values) == ['a', 'b'] and both.attrs['units'] == 'mV'
    assert both.attrs['provenance'] == 'synthetic' and both.attrs['model'] == 'pulse2pulse'
    with pytest.raises(ValueError, match=r'c.hea: .*does not stack with'): read([*paths, write(x[:, :100], tmp_path/'c.hea')])
    halves = [write(x[:, part], tmp_path/f'h{k}.csv') for k, part in enumerate((slice(0, 1000), slice(1000, 2000)))]
    with pytest.raises(ValueError, match=r'h1.csv: .*leads and times alike'): read(halves)


@pytest.mark.parametrize('place', ['file', 'file/below'])
def test_an_out_folder_that_is_a_file(tmp_path, place):
    (tmp_path/'file').write_text('here')
    with pytest.raises(NotADirectoryError, match='is a file or lies inside one, where a folder is wanted'): ecg.generate(1, tmp_path/place)


def test_a_read_only_folder_is_named(tmp_path):
    folder = tmp_path/'closed'; folder.mkdir(mode=0o500)
    ecg.sample(1)                                                            # load all there is to load, before rights are given up
    root, real = os.geteuid() == 0, os.geteuid()
    for parent in (tmp_path, *tmp_path.parents[:3]): os.chmod(parent, 0o755)
    if root: os.seteuid(65534)                                               # root may write anywhere: try as nobody
    try:
        with pytest.raises(PermissionError, match='closed: cannot be written to|closed/deeper: cannot be made'): ecg.generate(1, folder)
        with pytest.raises(PermissionError, match='cannot be made'): ecg.generate(1, folder/'deeper')
    finally:
        if root: os.seteuid(real)


@pytest.mark.parametrize('format', ['asc', 'wfdb'])
def test_a_killed_run_leaves_no_half_written_record(tmp_path, format):
    run = subprocess.Popen([Path(sys.executable).parent/'deepsynthbody', 'generate', '5000', str(tmp_path), '--seed', '0', '--format', format], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while len(list(tmp_path.glob('*.*'))) < 40 and run.poll() is None and time.monotonic() < until: time.sleep(.005)
    run.send_signal(signal.SIGKILL); run.wait()
    shown = [p for p in tmp_path.iterdir() if not p.name.startswith('.')]
    records = [p for p in shown if p.suffix in ('.asc', '.hea')]
    assert run.returncode == -signal.SIGKILL and len(records) >= 19
    for path in records: assert read(path).shape == (8, 5000)
    beside = {path.with_suffix('.json') for path in records if path.suffix == '.asc'} | {path.with_suffix('.dat') for path in records}
    assert len([p for p in shown if p not in records and p not in beside]) <= 1   # at most what was about to be followed by its record
    assert all(path.with_suffix('.json').exists() for path in records if path.suffix == '.asc')
