"A class on one server: two visitors with a page each, nothing from elsewhere, downloads, and no process left."
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from conftest import ROOT
from test_latent_walk import Board

PAGE = """from deepsynthbody_nb.widgets import LatentWalk
import ipywidgets, random
ipywidgets.VBox([LatentWalk(controls=('heart_rate', 'qtc')), ipywidgets.Button(icon='play', description='an icon'),
                 ipywidgets.Label(f'drawn {random.random()}')])"""


def start(page, folder, visitors=2, **environment):
    "The server as the command starts it, its address, and its processes."
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    log = folder/'log'
    command = [sys.executable, '-c', 'from deepsynthbody_nb.command_line import main; raise SystemExit(main())', 'serve', str(page),
               '--port', str(port), '--visitors', str(visitors), '--ip', '127.0.0.1']
    with open(log, 'w') as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | dict(PYTHONPATH=str(ROOT)) | environment)
    until = time.monotonic() + 120
    while 'Ready' not in log.read_text():
        if server.poll() is not None or time.monotonic() > until:
            server.kill()
            pytest.fail(log.read_text()[-3000:])
        time.sleep(.1)
    return server, f'http://127.0.0.1:{port}', psutil.Process(server.pid).children(recursive=True)


def alive(processes):
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope='module')
def served(tmp_path_factory):
    import nbformat
    folder = tmp_path_factory.mktemp('class')
    kernel = dict(name='python3', display_name='Python 3', language='python')
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell('# Hearts $x^2$'), nbformat.v4.new_code_cell(PAGE)],
                                            metadata=dict(kernelspec=kernel)), folder/'page.ipynb')
    server, address, processes = start(folder/'page.ipynb', folder)
    yield address, processes, folder
    server.terminate()
    server.wait(30)


def test_two_visitors_do_not_meet(page, served, tmp_path):
    address, processes, folder = served
    other = page.context.browser.new_context(viewport=dict(width=1300, height=950)).new_page()
    elsewhere, errors = [], []
    other.on('request', lambda r: None if r.url.startswith((address, address.replace('http', 'ws'), 'data:', 'blob:')) else elsewhere.append(r.url))
    other.on('console', lambda m: errors.append(m.text) if m.type == 'error' else None)
    page.goto(address)
    other.goto(address)
    one, two = Board(page).rested(), Board(other).rested()
    assert one.picture() == two.picture()                                    # the same seed
    drawn = [p.get_by_text('drawn 0.').inner_text() for p in (page, other)]
    assert drawn[0] != drawn[1]                                              # each with chance of its own
    start = two.picture()
    one.handle().focus()
    one.key('ArrowRight')
    one.rested()
    assert one.value() == '+0.25' and one.picture() != start
    assert two.value() == '+0.00' and two.picture() == start
    assert page.evaluate("document.fonts.load('900 14px \"Font Awesome 5 Free\"', '\\uf04b').then(found => found.length)") == 1
    assert page.locator('mjx-container').count() or 'x^2' in page.content()
    with page.expect_download() as png:
        one.press('.png', redraws=False)
    assert png.value.suggested_filename == 'latent_walk_seed0.png' and Path(png.value.path()).read_bytes()[:4] == b'\x89PNG'
    with other.expect_download() as wfdb:
        two.press('.hea', redraws=False)
    assert sorted(zipfile.ZipFile(wfdb.value.path()).namelist()) == ['latent_walk_seed0.dat', 'latent_walk_seed0.hea']
    assert sorted(p.name for p in folder.iterdir() if 'latent_walk_seed' in p.name) == []
    assert page.offsite == [] and elsewhere == []
    assert page.console_errors == [] and errors == []
    other.context.close()


def test_a_page_cannot_reach_another_server(page, served):
    address, *_ = served
    page.goto(address)
    Board(page)
    refused = page.evaluate("fetch('https://example.org').then(() => false, () => true)")
    assert refused and any('Content Security Policy' in e for e in page.console_errors)


def test_kernels_share_memory(served):
    _, processes, _ = served
    warm = processes[0]
    def mb(process, kind):
        return int(re.search(rf'^{kind}:\s+(\d+)', Path(f'/proc/{process.pid}/smaps_rollup').read_text(), re.M)[1])/1024
    if not Path('/proc/self/smaps_rollup').exists():
        pytest.skip('this system does not show which memory is shared')
    kernels = alive(warm.children())
    assert kernels
    for kernel in kernels:
        assert mb(kernel, 'Rss') > 300 and mb(kernel, 'Private_Dirty') < mb(kernel, 'Rss')/2


def test_no_process_is_left(tmp_path):
    import nbformat
    kernel = dict(name='python3', display_name='Python 3', language='python')
    small = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('here = 1')], metadata=dict(kernelspec=kernel))

    def stopped(how):
        folder = tmp_path/how.name
        folder.mkdir()
        nbformat.write(small, folder/'small.ipynb')
        server, _, processes = start(folder/'small.ipynb', folder, 1, TMPDIR=str(folder))
        assert len(processes) >= 2
        server.send_signal(how)
        server.wait(30)
        until = time.monotonic() + 10
        while alive(processes) and time.monotonic() < until:
            time.sleep(.1)
        return len(alive(processes)), sum(path.is_dir() for path in folder.iterdir())

    with ThreadPoolExecutor() as three:
        left = list(three.map(stopped, [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]))
    assert [processes for processes, _ in left] == [0, 0, 0]
    assert [folders for _, folders in left[:2]] == [0, 0]                    # SIGKILL leaves no time to tidy up


def test_mistakes_are_one_sentence(capsys, tmp_path):
    from deepsynthbody_nb.command_line import main
    assert main(['serve', 'latent_wlak']) == 2 and 'ready are latent_walk' in capsys.readouterr().err
    assert main(['serve', 'latent_walk', '--port', '70000']) == 2 and 'from 1 to 65535' in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        assert main(['serve', 'latent_walk', '--ip', '127.0.0.1', '--port', str(taken.getsockname()[1])]) == 2
    assert 'choose another' in capsys.readouterr().err
