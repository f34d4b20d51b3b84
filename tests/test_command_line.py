"The command `deepsynthbody` as a shell runs it: one sentence and exit status 2 for a mistake, never a traceback."
import os, subprocess, sys
from pathlib import Path
import pandas as pd, pytest
from conftest import ROOT
import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.command_line import main
from deepsynthbody_nb.signals.files import read, write

COMMAND = Path(sys.executable).parent/'deepsynthbody'
SAMPLE = ROOT/'data'/'sample.hea'


def run(*words, cwd=None): return subprocess.run([COMMAND, *map(str, words)], capture_output=True, text=True, cwd=cwd)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp('out')
    ran = run('generate', 3, folder, '--leads', 12, '--format', 'wfdb', '--seed', 0)
    assert ran.returncode == 0, ran.stderr
    return folder


def test_generate_as_in_the_readme(made):
    assert sorted(p.name for p in made.iterdir()) == ['0.dat', '0.hea', '1.dat', '1.hea', '2.dat', '2.hea']


def test_draw_measure_convert(made, tmp_path):
    ran = run('draw', made/'0.hea', tmp_path/'a.png')
    assert ran.returncode == 0, ran.stderr
    inside = lambda *words: main([*map(str, words)])                         # without a shell
    for picture in ('a.svg', 'a.pdf'): assert not inside('draw', made/'0.hea', tmp_path/picture)
    assert all((tmp_path/picture).stat().st_size > 10_000 for picture in ('a.png', 'a.svg', 'a.pdf'))
    ran = run('measure', made/'0.hea', made/'1.hea', '--csv', tmp_path/'m.csv')
    assert ran.returncode == 0 and 'heart_rate_bpm' in ran.stdout
    assert (tmp_path/'m.csv').read_text().startswith('# synthetic: generator pulse2pulse 1.1.2, seed 0\nfile,heart_rate_bpm,')
    assert list(pd.read_csv(tmp_path/'m.csv', comment='#').file) == ['0.hea', '1.hea']
    assert not inside('convert', made/'0.hea', tmp_path/'0.asc', '--leads', 8)
    assert len((tmp_path/'0.asc').read_text().splitlines()[0].split()) == 8


@pytest.mark.parametrize('words, says', [
    (('generate', '-1', 'out'), 'num_ecg must be a whole number'), (('generate', '1', 'out', '--device', 'abacus'), 'unknown device'),
    (('generate', '1', 'out', '--format', 'tiff'), 'unknown format'), (('generate', '1', 'out', '--leads', '3'), 'leads must be 8, 12'),
    (('generate', 'many', 'out'), 'invalid int value'), (('generate', '1', __file__), 'is a file'),
    (('draw', 'gone.hea', 'a.png'), 'there is no such file'), (('draw', str(SAMPLE), 'a.png', '--layout', '5x5'), 'unknown layout'), (('draw', str(SAMPLE), 'no/a.png'), 'there is no folder no'), (('draw', str(SAMPLE), 'a.bmp'), 'unknown kind of picture'),
    (('measure', str(SAMPLE), '--csv', 'no/a.csv'), 'there is no folder no'), (('download', 'ludb', 'x', '--records', '-1'), 'records must be at least 1'),
    (('measure',), 'at least one file'), (('convert', 'gone.csv', 'a.asc'), 'there is no such file'), (('download', 'mitbih', 'x'), 'unknown collection'),
    (('make_set', '0', 'x'), 'n must be a whole number'), (('make_set', '3', 'x', '--scheduler', 'tcp://127.0.0.1:1'), "belongs to engine='dask'"), (('verify', 'x'), 'is not a set'),
    (('dance',), "unknown command 'dance'; known are generate"),
])
def test_a_mistake_is_one_sentence(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try: status, usage = main(list(words)), 0
    except SystemExit as e: status, usage = e.code, 1                       # of argparse, which says how it should be
    said = capsys.readouterr().err.splitlines()
    assert status == 2 and says in said[-1] and (len(said) == 1 or usage) and list(tmp_path.iterdir()) == []


def test_a_mistake_in_the_shell(tmp_path):
    ran = run('draw', 'gone.hea', 'a.png', cwd=tmp_path)
    assert ran.returncode == 2 and 'there is no such file' in ran.stderr and len(ran.stderr.splitlines()) == 1


def test_help_names_every_command():
    said = run('--help').stdout
    assert all(name in said for name in ('generate', 'draw', 'measure', 'convert', 'download', 'make_set', 'verify')) and run().stdout == said
    assert '--seed' in run('generate', '--help').stdout


def test_every_command_works_without_utf8(tmp_path):
    "In a locale that knows ASCII only, with a folder and a comment that need more."
    plain = os.environ | dict(LC_ALL='C', LANG='C', PYTHONCOERCECLOCALE='0', PYTHONUTF8='0')
    folder = tmp_path/'été 心'
    folder.mkdir()
    write(ecg.sample(1, seed=0)[0].assign_attrs(comments=['Vorhofflimmern – über 5 Jahre', '心律']), folder/'a.hea')

    def plainly(*words):
        ran = subprocess.run([COMMAND, *words], cwd=folder, env=plain, capture_output=True)
        assert ran.returncode == 0, ran.stderr.decode()

    plainly('generate', '1', folder/'made', '--seed', '0')
    plainly('draw', folder/'a.hea', folder/'ä.png')
    plainly('measure', folder/'a.hea', '--csv', folder/'ä.csv')
    plainly('convert', folder/'a.hea', folder/'b.edf')
    plainly('convert', folder/'a.hea', folder/'b.hea')
    plainly('make_set', '2', folder/'set', '--seed', '0')
    plainly('verify', folder/'set')
    plainly('train', folder/'run', '--records', folder/'made', '--model', 'small', '--steps', '1', '--batch', '2', '--tracking', 'none')
    assert read(folder/'b.hea').attrs['comments'][:2] == ['Vorhofflimmern – über 5 Jahre', '心律']
