"The reader study: thirty readers at once, a class in a browser with its server killed, and files of other studies."
import contextlib
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import time

import nbformat
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from test_latent_walk import notebook_of

import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.evaluation.reading import over_readers_and_records, results
from deepsynthbody_nb.evaluation.study import Study, make_study
from deepsynthbody_nb.widgets import ClassBoard, TuringTest


@pytest.fixture(scope='module')
def pools():
    return ecg.sample(24, seed=1, leads=8), ecg.sample(24, seed=2, leads=12)


def answer_all(path, reader, said, gate):
    "A reader who looks at everything and answers without a pause; the seconds that each answer took."
    study = Study(path)
    study.begin(reader)
    gate.wait()
    took = []
    for k in range(len(study)):
        start = time.perf_counter()
        seen = study.next(reader)
        study.answer(reader, seen['item'], said[k], 1 + k % 5)
        took.append(time.perf_counter() - start)
    return took


def test_thirty_readers_at_once_lose_no_answer(pools, tmp_path, tell):
    study = make_study(tmp_path/'study.sqlite', *pools, n_real=10, n_synthetic=10)
    context = multiprocessing.get_context('fork')
    said = np.random.default_rng(0).random((30, 20)) < .5
    with context.Manager() as manager, context.Pool(30) as pool:
        gate = manager.Barrier(30)
        jobs = [pool.apply_async(answer_all, (study.path, f'reader {k}', [bool(s) for s in said[k]], gate)) for k in range(30)]
        took = [t for job in jobs for t in job.get(300)]
    answers = study.answers()
    assert len(answers) == 600 and (answers.groupby('reader').size() == 20).all()
    for k in (0, 29):                                          # as said, in the order of this reader
        own = answers[answers.reader == f'reader {k}'].sort_values('place')
        assert own.said.tolist() == said[k].tolist() and own.item.tolist() == study.order(f'reader {k}')
    found = study.results()
    assert found.overall.low['share right'] < .5 < found.overall.high['share right'] and abs(found.kappa) < .1
    tell(f'30 readers at once, next record and answer: median {1000*statistics.median(took):.0f} ms, slowest {1000*max(took):.0f} ms')


def test_the_truth_is_not_in_what_a_reader_gets(pools, tmp_path):
    study = make_study(tmp_path/'study.sqlite', *pools, n_real=6, n_synthetic=6)
    page = TuringTest(study, 'Ada')
    sizes = set()
    for _ in range(12):
        sent = page.get_state()
        text = repr({k: v for k, v in sent.items() if k not in ('_esm', 'shown')}).replace(study.settings['question'], '')
        assert 'pulse2pulse' not in text and "'synthetic'" not in text and 'pool' not in text
        sizes.add(len(page.shown))
        page._asked(dict(do='answer', item=page.state['item'], synthetic=True, confidence=3, seconds=1.))
    assert sizes == {8*5000*2} and page.state['phase'] == 'done'          # eight and twelve leads look alike
    truth = study.answers().set_index('item').synthetic
    assert all(isinstance(int(name, 16), int) for name in truth.index) and truth.sum() == 6


def test_pictures_are_sent_without_a_word_in_them(tmp_path):
    import io

    from PIL import Image

    g = np.random.default_rng(0)
    pool = [xr.DataArray(g.random((12, 32, 32, 3)).astype('float32'), dims=('record', 'y', 'x', 'channel')) for _ in range(2)]
    study = make_study(tmp_path/'study.sqlite', pool[0], pool[1].assign_attrs(provenance='synthetic', model='polyps'), n_real=4, n_synthetic=4)
    seen = study.next('Bo')
    with Image.open(io.BytesIO(seen['shown'])) as picture:
        assert picture.size == (32, 32) and picture.info == {}


def test_two_rounds_show_the_same_records_in_another_order(pools, tmp_path):
    study = make_study(tmp_path/'study.sqlite', *pools, 'class, twice', order='all alike')
    assert study.order('Ada', 1) == study.order('Bo', 1) != study.order('Ada', 2)
    for k in range(32):
        seen = study.next('Ada')
        assert seen['round'] == 1 + (k > 15)
        study.answer('Ada', seen['item'], bool(int(seen['item'], 16) % 3), 2)
    learnt = study.results().learning
    assert learnt.gain[0] == 0 and learnt.kappa[0] == 1 and learnt.records[0] == 16


@pytest.mark.parametrize('change, said', [
    (dict(diagnoses=['MI']), 'offers two at least'),
    (dict(preset='quick'), "unknown preset 'quick'"),
    (dict(n_real=25), 'the real pool has 24 records, and 25 are to be shown'),
    (dict(order='random'), "unknown order 'random'"),
])
def test_a_study_that_cannot_be_is_refused_and_leaves_no_file(pools, tmp_path, change, said):
    with pytest.raises(ValueError, match=said):
        make_study(tmp_path/'study.sqlite', *pools, **change)
    assert list(tmp_path.iterdir()) == []


def test_pools_of_different_kinds_and_torn_files(pools, tmp_path):
    picture = xr.DataArray(np.zeros((12, 8, 8), 'float32'), dims=('record', 'y', 'x'))
    with pytest.raises(ValueError, match='both must be of one kind'):
        make_study(tmp_path/'study.sqlite', pools[0], picture)
    study = make_study(tmp_path/'study.sqlite', *pools)
    torn = tmp_path/'torn.sqlite'
    torn.write_bytes(study.path.read_bytes()[:3000])
    with pytest.raises(ValueError, match='torn.sqlite: is no reader study'):
        study.take_in(torn)


def test_confidence_decides_the_area_under_the_curve():
    answers = pd.DataFrame(dict(
        reader='Ada', round=1, record=list('abcdef'), synthetic=[True]*3 + [False]*3,
        said=[True, True, False, False, False, True], confidence=[5, 3, 1, 4, 2, 1]))
    from sklearn.metrics import roc_auc_score
    rating = np.where(answers.said, answers.confidence, -answers.confidence)
    assert over_readers_and_records(answers, 'area').value == pytest.approx(roc_auc_score(answers.synthetic, rating))
    one = over_readers_and_records(answers)
    share = 4/6
    assert one.value == pytest.approx(share) and one.error == pytest.approx(np.sqrt(share*(1 - share)/5))
    found = results(answers)
    assert np.isnan(found.kappa) and found.records.wrong.tolist() == [1, 1, 0, 0, 0, 0]


# --- in a browser -------------------------------------------------------------------------------------------------------

PAGE = "from deepsynthbody_nb.widgets import TuringTest\nTuringTest({path!r})"


@contextlib.contextmanager
def voila(cell, folder, name):
    "Voila on a notebook of one cell; yields its address and its process."
    nbformat.write(notebook_of(cell), folder/f'{name}.ipynb')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    command = [sys.executable, '-m', 'voila', str(folder/f'{name}.ipynb'), '--no-browser', '--Voila.ip=127.0.0.1', f'--port={port}']
    with open(folder/f'{name}.log', 'w') as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            until = time.monotonic() + 120
            while True:
                try:
                    socket.create_connection(('127.0.0.1', port), 5).close()
                    break
                except OSError:
                    assert server.poll() is None and time.monotonic() < until, (folder/f'{name}.log').read_text()[-3000:]
                time.sleep(.2)
            yield f'http://127.0.0.1:{port}', server
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(30)


def enter(page, address, name, again=False):
    page.goto(address, timeout=120_000)
    page.locator('.dst input[type=text]').fill(name, timeout=90_000)
    page.get_by_role('button', name='Begin').click()
    if again:
        page.get_by_role('button', name=f'I am {name}: go on').click()
    page.locator('.dst[data-phase=read]').wait_for(timeout=60_000)


def press(page, number, key):
    "One answer by the keyboard, and wait for the next record."
    page.keyboard.press(key)
    page.keyboard.press(str(1 + number % 5))
    page.keyboard.press('Enter')
    page.wait_for_function(f"() => document.querySelector('.dst').dataset.answered === '{number + 1}'", timeout=30_000)


def test_forty_answers_in_a_browser_with_the_server_killed_between(pools, page, tmp_path, tell):
    study = make_study(tmp_path/'study.sqlite', *pools, n_real=20, n_synthetic=20, diagnoses=())
    said = ['s' if k % 3 else 'r' for k in range(40)]
    waited = []
    with voila(PAGE.format(path=str(study.path)), tmp_path, 'first') as (address, server):
        enter(page, address, 'Ada')
        page.wait_for_function("() => document.querySelector('.dst canvas').dataset.drawn", timeout=30_000)
        first = page.locator('.dst canvas').evaluate('c => c.toDataURL()')
        for k in range(17):
            start = time.perf_counter()
            press(page, k, said[k])
            waited.append(time.perf_counter() - start)
        assert page.locator('.dst canvas').evaluate('c => c.toDataURL()') != first
        box = page.locator('.dst-view canvas').bounding_box()           # the calipers
        page.mouse.move(box['x'] + 200, box['y'] + 150)
        page.mouse.down()
        page.mouse.move(box['x'] + 260, box['y'] + 190)
        page.mouse.up()
        told = page.locator('.dst-bar output').inner_text()
        assert told.endswith('mV') and 'ms' in told and not told.startswith('0 ms')
        if shot := os.environ.get('SCREENSHOTS'):
            page.screenshot(path=f'{shot}/turing_test.png', full_page=True)
        os.killpg(server.pid, signal.SIGKILL)                             # with its kernels
        server.wait(30)
    assert len(study.answers()) == 17
    with voila(PAGE.format(path=str(study.path)), tmp_path, 'second') as (address, _):
        enter(page, address, 'Ada', again=True)
        for k in range(17, 40):
            press(page, k, said[k])
        page.locator('.dst[data-phase=done]').wait_for(timeout=30_000)
        assert page.locator('.dst tbody tr').count() == 40
    answers = study.answers().sort_values('place')
    assert answers.said.tolist() == [s == 's' for s in said] and answers.confidence.tolist() == [1 + k % 5 for k in range(40)]
    assert (answers.seconds > 0).all()
    tell(f'Turing test in Voila, key to next record: median {1000*statistics.median(waited):.0f} ms of {len(waited)}')


def test_the_teacher_sees_the_class_in_jupyterlab(pools, lab, tmp_path):
    study = make_study(tmp_path/'study.sqlite', *pools, n_real=4, n_synthetic=4)
    cell = nbformat.v4.new_code_cell(f"from deepsynthbody_nb.widgets import ClassBoard\nClassBoard({str(study.path)!r})")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=notebook_of().metadata), lab.folder/'board.ipynb')
    notebook = lab.open('board.ipynb').run_all()
    page = notebook.page
    page.locator('.dst[data-answers="0"]').wait_for(timeout=60_000)
    for name in ('Ada', 'Bo'):
        study.begin(name)
        for _ in range(8):
            study.answer(name, study.next(name)['item'], name == 'Ada', 4)
    page.locator('.dst[data-answers="16"]').wait_for(timeout=30_000)        # by itself
    page.get_by_role('button', name='Show the results').click()
    page.get_by_text('It is not shown that readers stay below 60%').wait_for(timeout=30_000)
    if shot := os.environ.get('SCREENSHOTS'):
        page.screenshot(path=f'{shot}/class_board.png')
    assert notebook.errors() == []


def test_the_board_says_when_nobody_has_answered(pools, tmp_path):
    board = ClassBoard(make_study(tmp_path/'study.sqlite', *pools))
    board._results()
    assert board.rows == [] and 'nobody has answered yet' in board.found
