"The command `deepsynthbody` as a shell runs it: one sentence and exit status 2 for a mistake, never a traceback."
import subprocess, sys
from pathlib import Path
import pandas as pd, pytest
from conftest import ROOT
from deepsynthbody_nb.command_line import main

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
