"""Where the real records are. Without them their tests are skipped, and say so; in CI that is a failure."""
import os, shutil, subprocess, sys
from pathlib import Path
import pytest

if 'PYTEST_XDIST_WORKER' in os.environ: os.environ.setdefault('OMP_NUM_THREADS', '1')     # as many workers as cores: a thread each
pytest_plugins = ['browser_bench']
ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get('CI') == 'true'
REAL = Path(os.environ.get('DEEPSYNTHBODY_ECG') or ROOT.parent/'shared'/'data'/'ecg')


def skip_or_fail(reason):
    "Skip on a developer's machine, fail in CI."
    pytest.fail(reason) if IN_CI else pytest.skip(reason)


@pytest.fixture(scope='session')
def real_ecg():
    "The folder of real records: LUDB, PTB-XL and CinC 2021."
    if not (REAL/'ludb').is_dir(): skip_or_fail(f"no real ECGs at {REAL}; set DEEPSYNTHBODY_ECG to a folder with ludb, ptbxl500 and cinc2021")
    return REAL


@pytest.fixture(scope='session')
def real_images():
    "The folder of real images: endoscopy, oct and cxr (a folder, or cxr.tar)."
    folder = Path(os.environ.get('DEEPSYNTHBODY_IMAGES') or ROOT.parent/'shared'/'data')
    if not (folder/'endoscopy').is_dir(): skip_or_fail(f"no real images at {folder}; set DEEPSYNTHBODY_IMAGES to a folder with endoscopy, oct and cxr.tar")
    return folder


def pytest_collection_modifyitems(items): # what waits for a browser takes longest: at the end, one core would wait for it
    items.sort(key=lambda item: 'page' not in item.fixturenames)


@pytest.fixture(scope='session')
def wheel(tmp_path_factory):
    "The package as a wheel."
    folder = tmp_path_factory.mktemp('wheel')
    leave_out = shutil.ignore_patterns('.git', '.venv', '_docs', '_proc', 'demo', 'build', '*.egg-info', '__pycache__', '.ipynb_checkpoints')
    shutil.copytree(ROOT, folder/'source', ignore=leave_out)
    subprocess.run([sys.executable, '-m', 'build', '--wheel', '--outdir', folder, folder/'source'], check=True, capture_output=True)
    shutil.rmtree(folder/'source')
    found, = folder.glob('*.whl')
    return found


@pytest.fixture
def tell(request):
    "Say something at the end of the test run: figures measured, records found wanting."
    return lambda text: request.node.user_properties.append(('told', text))


def pytest_terminal_summary(terminalreporter):
    told = [text for reports in terminalreporter.stats.values() for report in reports if getattr(report, 'when', '') == 'call' for kind, text in report.user_properties if kind == 'told']
    if told: terminalreporter.section('measured in this run')
    for text in told: terminalreporter.line(text)
