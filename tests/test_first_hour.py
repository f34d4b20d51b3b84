"The first hour as a user has it: the wheel in an empty folder, the commands of the page, a lesson in JupyterLab."
import json, os, re, shutil, subprocess, sys, time, zipfile
from pathlib import Path
import pandas as pd, pytest
from browser_bench import Notebook, jupyterlab
from conftest import ROOT

PAGE = json.loads((ROOT/'nbs'/'explanations'/'15_first_hour.ipynb').read_text())['cells']
LESSONS = sorted(p.name for p in (ROOT/'nbs'/'tutorials').glob('*.ipynb'))


def texts(kind): return [''.join(cell['source']) for cell in PAGE if cell['cell_type'] == kind]


def shell(command, folder, env):
    "Run a command of the page; returns what it prints."
    ran = subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, f'{command}\n{ran.stdout}{ran.stderr}'
    return ran.stdout


@pytest.fixture(scope='module')
def hour(tmp_path_factory, wheel):
    "A folder in which only the wheel is, installed as the page says; yields it and the environment of its terminal."
    folder, installed = tmp_path_factory.mktemp('hour'), tmp_path_factory.mktemp('far')/'installed'
    shutil.copy(wheel, folder)
    lines = re.search(r'```sh\n(.*?)```', '\n'.join(texts('markdown')), re.S)[1].splitlines()
    install, = [line for line in lines if line.startswith('pip install ')]
    env = {**os.environ, 'PATH': f"{installed/'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}", 'OMP_NUM_THREADS': '1', 'MPLBACKEND': 'agg'}
    env.pop('PYTHONPATH', None)
    shell(install, folder, env | {'PIP_NO_DEPS': '1', 'PIP_TARGET': str(installed), 'PIP_DISABLE_PIP_VERSION_CHECK': '1'})   # what it depends on is there
    return folder, env | {'PYTHONPATH': str(installed)}


def test_the_wheel_holds_the_lessons(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert sorted(name.split('/')[-1] for name in names if name.startswith('deepsynthbody_nb/lessons/')) == LESSONS != []


def test_the_page_from_the_wheel(hour, tell):
    folder, env = hour
    begun = time.perf_counter()
    typed = [cell.partition('\n')[2] for cell in texts('code') if cell.startswith('%%sh')]
    said = [shell(command, folder, env) for command in typed]
    cells = [cell for cell in texts('code') if not cell.startswith(('%%', '#| hide'))]
    script = '\n'.join([*cells, 'import deepsynthbody_nb', 'print(deepsynthbody_nb.__file__)'])
    (folder/'page.py').write_text(script)
    assert shell(f'{sys.executable} page.py', folder, env).splitlines()[-1] == f"{env['PYTHONPATH']}/deepsynthbody_nb/__init__.py"
    assert sorted(p.name for p in (folder/'course').iterdir()) == LESSONS and f'{len(LESSONS)} of {len(LESSONS)} lessons' in said[0]
    assert json.loads((folder/'heart_set'/'manifest.json').read_text())['records'] == 100
    assert len(list((folder/'my_ecgs').glob('*.hea'))) == 20 and 'synthetic' in (folder/'walked.hea').read_text()
    scores = pd.read_csv(folder/'auroc.csv', index_col=0, header=[0, 1])
    assert scores.loc['macro'].between(.5, 1).all() and (folder/'report.html').stat().st_size > 10_000
    assert [line.split(':')[0] for line in said[-1].splitlines()] == ['fidelity', 'coverage', 'usefulness', 'privacy', 'written']
    tell(f'the first hour: its page from the wheel in {time.perf_counter() - begun:.0f} s')


def first_exercise(folder):
    "The first lesson with an exercise: its name, the exercise as students get it, and answered."
    for path in sorted((folder/'course').glob('*.ipynb')):
        answered = json.loads((folder/'teacher'/f'{path.stem}_answers.ipynb').read_text())['cells']
        whole = {cell['id']: ''.join(cell['source']) for cell in answered}
        for cell in json.loads(path.read_text())['cells']:
            given = ''.join(cell['source'])
            if cell['cell_type'] == 'code' and given != whole[cell['id']]: return path.name, given, whole[cell['id']]
    raise AssertionError('no lesson has an exercise')


def test_a_lesson_stops_at_the_first_exercise_and_goes_on(hour, page, tmp_path):
    folder, env = tmp_path/'class', hour[1]
    folder.mkdir()
    shell('deepsynthbody lessons course; deepsynthbody lessons teacher --answers', folder, env)
    name, given, answer = first_exercise(folder)
    with jupyterlab(tmp_path/'lab', folder, PYTHONPATH=env['PYTHONPATH'], PATH=env['PATH']) as address:
        Notebook(page, address, f'course/{name}').run_all()
        hint = page.locator('.jp-OutputArea-output', has_text='✗')
        hint.wait_for(state='attached', timeout=60_000)                                    # `text_content`: what is out of sight has no inner text
        assert len(hint.text_content().strip().splitlines()) == 1                          # no traceback
        assert hint.text_content().startswith('✗ ') and 'Put your answer where the three dots are.' in hint.text_content()
        if shot := os.environ.get('SCREENSHOTS'): page.screenshot(path=f'{shot}/hint.png')
        page.locator('.jp-CodeCell', has_text=given.splitlines()[-1]).last.locator('.cm-content').click()
        page.keyboard.press('ControlOrMeta+a')
        page.keyboard.insert_text(answer)
        for _ in range(2): page.keyboard.press('Shift+Enter')                              # the answer, and the check behind it
        right = page.locator('.jp-OutputArea-output', has_text='✓')
        right.wait_for(state='attached', timeout=60_000)
        assert hint.count() == 0 and len(right.text_content().strip().splitlines()) == 1
        if shot: page.screenshot(path=f'{shot}/right.png')
    assert page.console_errors == page.offsite == []
