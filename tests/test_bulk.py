"Sets of ECGs: whole after kills, the same from any engine, clear about what is wrong."
import json, os, random, re, signal, subprocess, sys, threading, time, urllib.request
from pathlib import Path
import numpy as np, pandas as pd, pytest, torch, xarray as xr
import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.bulk import ECGSet, make_set, verify
from deepsynthbody_nb.command_line import main
from deepsynthbody_nb.generators.fast import fast_pulse2pulse
from deepsynthbody_nb.generators.pulse2pulse import noise_stream
from deepsynthbody_nb.signals.files import read

COMMAND = Path(sys.executable).parent/'deepsynthbody'
KILLS = int(os.environ.get('KILLS', 1))


def contents(folder): return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob('*')) if p.is_file()}


@pytest.fixture(scope='module')
def whole(tmp_path_factory): return contents(make_set(330, tmp_path_factory.mktemp('whole'), seed=5, progress=False))


def test_a_record_does_not_depend_on_its_neighbours():
    noise, fast = torch.stack([drawn for drawn, _ in zip(noise_stream(5), range(50))]), fast_pulse2pulse()
    made, order = fast(noise), torch.randperm(50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(fast(noise[order]), made[order])
    assert torch.equal(fast(torch.cat((noise[:3], torch.zeros(47, 8, 5000))))[:3], made[:3])


def test_three_formats_hold_the_same(tmp_path):
    kept = {form: make_set(60, tmp_path/form, seed=5, start_id=980, format=form, leads=12, progress=False) for form in ('zarr', 'wfdb', 'asc')}
    zarr = xr.open_zarr(kept['zarr']/'ecg.zarr').ecg.load()
    lines = (kept['wfdb']/'RECORDS').read_text().split()
    assert lines[0] == 'records/000000/980' and lines[-1] == 'records/001000/1039' and len(lines) == 60
    for i in (0, 19, 20, 59):
        wfdb, text = read(kept['wfdb']/f'{lines[i]}.hea'), np.loadtxt(kept['asc']/f'{lines[i]}.asc', dtype=int).T
        np.testing.assert_array_equal(np.rint(zarr[i].values*1000), text)
        np.testing.assert_array_equal(np.rint(wfdb.values*1000), text)
        assert zarr.record[i] == 980 + i and f'seed 5, record {980 + i}' in wfdb.attrs['comments'][0]
    assert abs(read(kept['zarr']/'ecg.zarr').values - ecg.sample(60, seed=5).values).max() > 1                       # record 980 is not record 0
    text = make_set(2, tmp_path/'bytes', seed=5, format='asc', progress=False)/'records'/'000000'/'1.asc'
    np.savetxt(tmp_path/'numpy.asc', np.loadtxt(text, dtype=int), fmt='%i')
    assert text.read_bytes() == (tmp_path/'numpy.asc').read_bytes()


def test_less_than_three_fifths_of_raw(whole): assert sum(map(len, whole.values())) < .6*330*8*5000*2


def test_killed_and_resumed_it_is_the_same(tmp_path, whole, tell):
    chance, survived = random.Random(), []
    for turn in range(KILLS):
        folder, command = tmp_path/str(turn), [COMMAND, 'make_set', '330', tmp_path/str(turn), '--seed', '5']
        running, enough = subprocess.Popen(command, stderr=subprocess.DEVNULL), chance.randrange(7)
        while running.poll() is None and len(list(folder.glob('ecg.zarr/ecg/c/*'))) < enough: time.sleep(.002)
        time.sleep(chance.uniform(0, .3))
        running.kill(); running.wait()
        survived.append(len(list(folder.glob('ecg.zarr/ecg/c/*/0/0'))))
        assert all(whole[str(p.relative_to(folder))] == p.read_bytes() for p in folder.rglob('c/*/0/0') if p.is_file())   # what has its name is complete
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
        assert contents(folder) == whole
    tell(f'{KILLS} times killed, with {survived} of 7 chunks there: resumed to the same bytes')


def test_a_dask_worker_killed_loses_nothing(tmp_path, whole, capsys):
    from distributed import Client, LocalCluster
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=':0') as cluster, Client(cluster) as client:
        victims = list(client.run(os.getpid).values())
        def kill():
            while len(list(tmp_path.glob('set/ecg.zarr/ecg/c/*'))) < 2: time.sleep(.01)
            os.kill(victims[0], signal.SIGKILL)
        killer = threading.Thread(target=kill, daemon=True); killer.start()
        make_set(330, tmp_path/'set', seed=5, engine='dask', scheduler=client)
        killer.join(timeout=10)
        assert not killer.is_alive()
        dashboard = re.search(r'http\S+', capsys.readouterr().out)[0]
        with urllib.request.urlopen(dashboard, timeout=60) as page: assert page.status == 200 and b'bokeh' in page.read()
    assert contents(tmp_path/'set') == whole


def test_verify_names_what_is_wrong(tmp_path, capsys):
    folder = make_set(70, tmp_path/'wfdb', seed=5, format='wfdb', progress=False)
    assert len(verify(folder, progress=False)) == 0 and len(verify(folder, records=50, progress=False)) == 0
    records = folder/'records'/'000000'
    values = np.fromfile(records/'52.dat', '<i2'); values[[100, 108]] += 5, -5                    # one lead, its checksum unchanged
    values.tofile(records/'52.dat')
    (records/'69.hea').unlink(); os.truncate(records/'60.dat', 1000)
    bad = verify(folder, progress=False)
    assert list(bad.index) == [52, 60, 69] and 'differs by up to 5' in bad.problem[52] and 'cut short' in bad.problem[60] and bad.problem[69] == 'is missing'
    assert main(['verify', str(folder)]) == 2 and 'record 52 differs' in capsys.readouterr().err.splitlines()[-1]
    folder = make_set(3, tmp_path/'asc', seed=5, format='asc', leads=12, progress=False)
    table = np.loadtxt(folder/'records'/'000000'/'1.asc', dtype=int); table[:, 3] = 777                # a derived lead
    np.savetxt(folder/'records'/'000000'/'1.asc', table, fmt='%i'); np.savetxt(folder/'records'/'000000'/'2.asc', table[:4000], fmt='%i')
    bad = verify(folder, progress=False)
    assert list(bad.index) == [1, 2] and 'has the shape' in bad.problem[2]
    folder = make_set(60, tmp_path/'zarr', seed=5, measures=True, progress=False)
    os.truncate(folder/'ecg.zarr'/'ecg'/'c'/'0'/'0'/'0', 5000); (folder/'measures'/'000000000050.parquet').unlink()
    bad = verify(folder, progress=False)
    assert len(bad) == 60 and bad.problem[0].startswith('cannot be read') and bad.problem[55] == 'was not measured'
    with pytest.raises(ValueError, match='not complete, 1 of 2'): ECGSet(folder, 'qt_ms')
    with pytest.raises(ValueError, match='has no measures'): ECGSet(tmp_path/'asc', 'qt_ms')


def test_a_data_loader_reads_any_format(tmp_path):
    seen = []
    for form in ('zarr', 'asc'):
        records = ECGSet(make_set(55, tmp_path/form, seed=5, format=form, progress=False))
        loader = torch.utils.data.DataLoader(records, batch_size=16, shuffle=True, num_workers=1, generator=torch.Generator().manual_seed(1))
        seen.append(torch.cat(list(loader)))
    assert torch.equal(*seen) and seen[0].shape == (55, 8, 5000) and seen[0].dtype == torch.float32
    folder = make_set(60, tmp_path/'late', seed=5, start_id=9_980, measures=True, progress=False)                # file names grow a digit
    table = pd.concat(pd.read_parquet(p) for p in (folder/'measures').iterdir())
    for i in (0, 25, -1): assert float(ECGSet(folder, 'rr_ms')[i][1]) == np.float32(table.rr_ms[range(9_980, 10_040)[i]])


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='peak memory is asked of Linux')
def test_memory_does_not_grow_with_the_set(tmp_path, tell):
    code = r"""import re, sys; from deepsynthbody_nb.bulk import make_set; make_set(int(sys.argv[1]), sys.argv[2], seed=0, progress=False)
print(int(re.search(r'VmHWM:\s+(\d+)', open('/proc/self/status').read())[1])/1024)"""                           # of this process alone: getrusage begins with its parent's
    peaks = [float(subprocess.run([sys.executable, '-c', code, str(n), tmp_path/str(n)], capture_output=True, text=True, check=True).stdout) for n in (100, 500)]
    tell(f'peak memory of 100 and 500 records: {peaks[0]:.0f} and {peaks[1]:.0f} MB')
    assert peaks[1] < 1.3*peaks[0]


@pytest.mark.parametrize('words, says', [
    (dict(n=0), 'n must be a whole number, at least 1'), (dict(format='tiff'), 'unknown format'), (dict(engine='spark'), 'unknown engine'), (dict(leads=['I', 'V9']), "unknown leads"),
    (dict(leads=['II'], format='asc'), 'carries no lead names'), (dict(workers=0), 'workers must be'), (dict(scheduler='tcp://127.0.0.1:1'), "belongs to engine='dask'")])
def test_wrong_arguments_are_named(words, says, tmp_path):
    with pytest.raises(ValueError, match=says): make_set(**{'n': 10, 'folder': tmp_path/'set', **words})
    assert not (tmp_path/'set').exists()


def test_wrong_folders_are_named(tmp_path):
    folder = make_set(10, tmp_path/'set', seed=5, progress=False)
    before = contents(folder)
    with pytest.raises(ValueError, match='records 10, not 20'): make_set(20, folder, progress=False)
    with pytest.raises(ValueError, match='seed 5, not 6'): make_set(10, folder, seed=6, progress=False)
    assert contents(folder) == before
    (tmp_path/'other').mkdir(); (tmp_path/'other'/'thesis.txt').write_text('mine')
    with pytest.raises(ValueError, match='thesis.txt and no manifest'): make_set(10, tmp_path/'other', progress=False)
    assert list(contents(tmp_path/'other')) == ['thesis.txt']
    with pytest.raises(NotADirectoryError, match='is a file'): make_set(10, tmp_path/'other'/'thesis.txt')
    manifest = folder/'manifest.json'
    said = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(said | {'weights_sha256': 'abc'}))
    with pytest.raises(ValueError, match="weights_sha256 'abc'"): make_set(10, folder)
    for key, value in (('records', '3'), ('format', 'tiff'), ('seed', None)):
        manifest.write_text(json.dumps(said | {key: value}))
        with pytest.raises(ValueError, match=f'{key} is missing or of the wrong kind'): verify(folder)
    manifest.write_text('[]')
    with pytest.raises(ValueError, match='is no manifest'): verify(folder)
    manifest.write_text('{')
    with pytest.raises(ValueError, match='is not JSON'): verify(folder)
    with pytest.raises(FileNotFoundError, match='is not a set'): verify(tmp_path/'other')
    with pytest.raises(ConnectionError, match='cannot be reached'): make_set(10, tmp_path/'far', engine='dask', scheduler='tcp://127.0.0.1:1')


def test_one_writer_at_a_time(tmp_path):
    from filelock import FileLock
    (tmp_path/'set').mkdir()
    with FileLock(tmp_path/'set'/'.lock'), pytest.raises(BlockingIOError, match='being written by another process'): make_set(10, tmp_path/'set', seed=5)


def test_a_full_disk_is_one_sentence_and_nothing_is_lost(tmp_path, whole, capsys):
    "On a small file system of its own."
    disk = tmp_path/'disk'; disk.mkdir()
    small = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', disk], capture_output=True).returncode == 0
    if not small: pytest.skip('this user may not mount a file system')
    try:
        for form in ('zarr', 'asc', 'wfdb'):
            assert main(['make_set', '150', str(disk/form), '--seed', '5', '--format', form]) == 2
            said = capsys.readouterr().err.splitlines()[-1]
            assert 'the disk is full' in said, said
            if form == 'zarr': there = contents(disk/form); assert all(whole[name] == kept for name, kept in there.items() if 'ecg/c/' in name) and len(there) > 2
            else: assert not any(0 < p.stat().st_size < 80_000 for p in disk.glob(f'{form}/records/*/*.[da]*'))
            if form == 'zarr':
                subprocess.run(['mount', '-o', 'remount,size=60m', disk], check=True)
                assert not main(['make_set', '150', str(disk/form)]) and len(verify(disk/form, progress=False)) == 0
                subprocess.run(['mount', '-o', 'remount,size=12m', disk], check=True)
    finally: subprocess.run(['umount', '--lazy', disk], check=True)
