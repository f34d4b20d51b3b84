"""The browser bench: `lab` opens any notebook in a real JupyterLab in headless Chromium, runs it and tells what went wrong.

    def test_something(lab):
        notebook = lab.open('tutorials/01_first_ecg.ipynb')
        notebook.run_all()
        assert notebook.errors() == []
        notebook.page ...                      # Playwright's page, to move a slider
"""
import contextlib, os, re, shutil, socket, subprocess, sys, time, urllib.request
from pathlib import Path
import pytest
from conftest import REAL, ROOT, skip_or_fail

CHROMIUM = os.environ.get('CHROMIUM') or next((found for name in ('chromium', 'chromium-browser', 'google-chrome') if (found := shutil.which(name))), None)
FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
OURS = re.compile(r'(https?|wss?)://127\.0\.0\.1|data:|blob:|about:')


@pytest.fixture(scope='session')
def chromium():
    if CHROMIUM is None: skip_or_fail('no Chromium found; apt-get install chromium, or set CHROMIUM to its path')
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    "A page that notes what it logs as an error and what it asks of other machines."
    context = chromium.new_context(viewport=dict(width=1300, height=950))
    page = context.new_page()
    page.console_errors, page.offsite = [], []
    page.on('pageerror', lambda e: page.console_errors.append(str(e)))
    page.on('console', lambda m: page.console_errors.append(m.text) if m.type == 'error' else None)
    page.on('request', lambda r: None if OURS.match(r.url) else page.offsite.append(r.url))
    yield page
    context.close()


@contextlib.contextmanager
def jupyterlab(home, tree, **env):
    "JupyterLab on the folder `tree`, with settings of its own in `home`; yields its address."
    news = home/'settings'/'@jupyterlab'/'apputils-extension'/'notification.jupyterlab-settings'
    news.parent.mkdir(parents=True); news.write_text('{"fetchNews": "false", "checkForUpdates": false}')   # no pop-up over the page
    with socket.socket() as s: s.bind(('127.0.0.1', 0)); port = s.getsockname()[1]
    env = {**os.environ, 'JUPYTER_CONFIG_DIR': str(home/'config'), 'JUPYTER_DATA_DIR': str(home/'data'), 'JUPYTERLAB_SETTINGS_DIR': str(home/'settings'),
           'JUPYTERLAB_WORKSPACES_DIR': str(home/'workspaces'), 'DEEPSYNTHBODY_ECG': str(REAL), 'PATH': f"{Path(sys.executable).parent}:{os.environ['PATH']}", **env}
    with open(home/'log', 'w') as log:
        server = subprocess.Popen([sys.executable, '-m', 'jupyterlab', f'--ServerApp.root_dir={tree}', '--no-browser', '--ServerApp.ip=127.0.0.1', f'--ServerApp.port={port}',
            '--IdentityProvider.token=', '--ServerApp.password=', '--ServerApp.disable_check_xsrf=True', '--ServerApp.allow_root=True'], env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + 120
            while True:
                try: urllib.request.urlopen(f'http://127.0.0.1:{port}/api/status', timeout=20); break
                except OSError: assert server.poll() is None and time.monotonic() < until, (home/'log').read_text()[-3000:]
                time.sleep(.2)
            yield f'http://127.0.0.1:{port}'
        finally: server.terminate(); server.wait(30)


@pytest.fixture(scope='session')
def lab_server(tmp_path_factory):
    "JupyterLab on a copy of the notebooks; yields its address and the copy's folder."
    home = tmp_path_factory.mktemp('lab')
    for part in ('nbs', 'data'): shutil.copytree(ROOT/part, home/'tree'/part, ignore=shutil.ignore_patterns('_quarto.yml', '.ipynb_checkpoints'))
    with jupyterlab(home, home/'tree') as address: yield address, home/'tree'


class Notebook:
    "An open notebook in JupyterLab."
    def __init__(self, page, address, path):
        self.page = page
        page.goto(f'{address}/lab/tree/{path}?reset', wait_until='domcontentloaded')
        page.locator('.jp-NotebookPanel:visible .jp-Notebook').first.wait_for(timeout=90_000)
        page.locator('.jp-StatusBar-TextItem', has_text=re.compile(r'\| Idle')).first.wait_for(timeout=90_000)   # Run All before the kernel is there is lost

    def run_all(self, timeout_s=240):
        "Run every cell; waits until none is queued any more (after an error, JupyterLab drops the rest) and the kernel is idle."
        self.page.get_by_role('menuitem', name='Run', exact=True).click()
        self.page.locator('.lm-Menu-itemLabel', has_text=re.compile(r'^Run All Cells$')).click()
        self.page.wait_for_function("""() => { const prompts = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')].map(e => e.textContent);
            return prompts.some(t => /\\[\\d+\\]/.test(t)) && !prompts.some(t => t.includes('*')) }""", timeout=1000*timeout_s)
        self.page.locator('.jp-StatusBar-TextItem', has_text=re.compile(r'\| Idle')).first.wait_for(timeout=1000*timeout_s)
        return self

    def errors(self):
        "What failed: tracebacks, anything on stderr, errors on the browser's console, requests to other machines."
        shown = self.page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]').all()   # JupyterLab renders tracebacks as this too
        return [e.inner_text()[-600:] for e in shown] + self.page.console_errors + self.page.offsite


@pytest.fixture
def lab(lab_server, page):
    "Opens notebooks: `lab.open(path)`, a path within `nbs/`; `lab.folder` is the copy they are opened in."
    class Lab:
        folder = lab_server[1]/'nbs'
        def open(self, path): return Notebook(page, lab_server[0], f'nbs/{path}')
    return Lab()
