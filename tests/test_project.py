"The project itself: settings, exports, README, notebooks and wheel in step."
import ast, configparser, importlib.util, json, os, shutil, subprocess, sys, tomllib
from pathlib import Path
import pytest
from conftest import ROOT

BIN = Path(sys.executable).parent


def test_settings_ini_agrees_with_pyproject():
    ini = configparser.ConfigParser(); ini.read(ROOT/'settings.ini'); ini = ini['DEFAULT']
    toml = tomllib.loads((ROOT/'pyproject.toml').read_text()); project, nbdev = toml['project'], toml['tool']['nbdev']
    version = ast.literal_eval((ROOT/'deepsynthbody_nb'/'__init__.py').read_text().split('__version__ = ')[1].splitlines()[0])
    assert ini['lib_name'] == project['name'] and ini['lib_path'] == nbdev['lib_path'] and ini['version'] == version
    assert '>=' + ini['min_python'] == project['requires-python'] and ini['license'].upper() == project['license']
    assert ini['description'] == project['description'] and ini['author'] == project['authors'][0]['name']
    assert ini['requirements'].split() == project['dependencies'] and ini['author_email'] == project['authors'][0]['email']
    assert ini['dev_requirements'].split() == sum((project['optional-dependencies'][part] for part in ('lab', 'bulk', 'training', 'formats', 'evaluation', 'video', 'private', 'dev')), [])
    assert ini['console_scripts'] == '='.join(*project['scripts'].items())
    assert ini.getboolean('custom_sidebar') == nbdev['custom_sidebar'] and ini.getboolean('clear_all') == nbdev['clear_all']
    assert ini['git_url'] == project['urls']['Repository'] == f"https://github.com/{ini['user']}/{ini['repo']}"
    assert ini['doc_host'] + ini['doc_baseurl'] == project['urls']['Documentation']
    assert (ROOT/'nbs'/'_quarto.yml').resolve() == ROOT/'_quarto.yml'


def test_exports_are_in_step_with_the_notebooks(tmp_path):
    for part in ('nbs', 'deepsynthbody_nb'): shutil.copytree(ROOT/part, tmp_path/part, symlinks=True, ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints'))
    for part in ('pyproject.toml', '_quarto.yml'): shutil.copy(ROOT/part, tmp_path)
    shutil.rmtree(tmp_path/'deepsynthbody_nb'/'signals')          # a module whose notebook is gone would show too
    subprocess.run([BIN/'nbdev-export'], cwd=tmp_path, check=True, env={**os.environ, 'PYTHONPATH': str(tmp_path)})
    files = lambda root: {p.relative_to(root): p.read_text() for p in (root/'deepsynthbody_nb').rglob('*.py')}
    fresh, committed = files(tmp_path), files(ROOT)
    assert set(fresh) == set(committed)
    assert [p for p in fresh if fresh[p] != committed[p]] == [], 'run make export'


def test_notebooks_are_committed_clean():
    dirty = [f'{p.relative_to(ROOT)}: {cell["id"]}' for p in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts
             for cell in json.loads(p.read_text())['cells'] if cell['cell_type'] == 'code' and (cell['outputs'] or cell['execution_count'] or cell['metadata'])]
    assert dirty == [], 'run nbdev-clean'


def test_imports_have_cells_of_their_own():
    "The site runs every cell that imports, and no other, before it draws a page: such a cell may not need one that was not run."
    mixed = []
    for path in (p for p in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts):
        for cell in json.loads(path.read_text())['cells']:
            source = ''.join(cell['source'])
            if cell['cell_type'] != 'code' or source.startswith('%%') or any(f'#| {flag}' in source for flag in ('export', 'eval: false')): continue
            body = ast.parse(''.join(line for line in source.splitlines(keepends=True) if not line.startswith(('%', '!')))).body
            imports = [isinstance(node, ast.Import | ast.ImportFrom) for node in body]
            if any(imports) and not all(imports): mixed.append(f'{path.relative_to(ROOT)}: {cell["id"]}')
    assert mixed == []


def test_readme_is_made_from_the_index():
    spec = importlib.util.spec_from_file_location('build_docs', ROOT/'tools'/'build_docs.py')
    build_docs = importlib.util.module_from_spec(spec); spec.loader.exec_module(build_docs)
    assert (ROOT/'README.md').read_text() == build_docs.readme(), 'run make export'
    assert (ROOT/'nbs'/'images'/'walk.gif').read_bytes().startswith(b'GIF89a')


@pytest.mark.parametrize('module, heavy', [
    ('deepsynthbody_nb.cardiovascular.ecg', ('torch', 'neurokit2', 'wfdb', 'matplotlib', 'dask', 'scipy')),
    ('deepsynthbody_nb.command_line', ('torch', 'neurokit2', 'wfdb', 'matplotlib', 'xarray', 'numpy')),
])
def test_import_is_light(module, heavy):
    found = subprocess.run([sys.executable, '-c', f'import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])'], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == '[]'


def test_importing_changes_nothing_in_the_process():
    code = """if True:
        import importlib, os, pkgutil, signal, sys, warnings
        import ipykernel.kernelapp, matplotlib, numpy, pandas, scipy, sklearn, torch, voila.app, xarray, deepsynthbody_nb
        def state():
            chance = torch.get_rng_state().tolist(), numpy.random.get_state()[1].tolist()
            numbers = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(), numpy.geterr()
            rules = dict(matplotlib.rcParams), xarray.get_options(), torch.are_deterministic_algorithms_enabled()
            program = dict(os.environ), os.getcwd(), signal.getsignal(signal.SIGINT), sys.excepthook, warnings.showwarning
            return [str(part) for part in ([str(f) for f in warnings.filters], chance, numbers, rules, program)]
        before = state()
        for module in pkgutil.walk_packages(deepsynthbody_nb.__path__, 'deepsynthbody_nb.'):
            importlib.import_module(module.name)
        print([was[:500] for was, now in zip(before, state()) if was != now])
    """
    found = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert found.stdout.strip() == '[]', found.stdout + found.stderr


def test_wheel_works_far_from_the_repository(tmp_path, wheel):
    empty = tmp_path/'empty'
    empty.mkdir()
    subprocess.run([BIN/'pip', 'install', '--quiet', '--no-deps', '--target', tmp_path/'installed', wheel], check=True)
    code = ("import deepsynthbody_nb, deepsynthbody_nb.cardiovascular.ecg as ecg; from deepsynthbody_nb.signals.draw import draw_ecg; "
            "print(deepsynthbody_nb.__file__); draw_ecg(ecg.sample(1, seed=0)).savefig('ecg.png'); print(*ecg.generate(2, '.', seed=0)); from deepsynthbody_nb.signals.measure import measure; print(measure(ecg.sample(1, seed=0)).beats.item() > 5)")
    ran = subprocess.run([sys.executable, '-c', code], cwd=empty, check=True, capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': str(tmp_path/'installed')})
    assert ran.stdout.splitlines() == [str(tmp_path/'installed'/'deepsynthbody_nb'/'__init__.py'), '0.asc 1.asc', 'True']
    assert sorted(p.name for p in empty.iterdir()) == ['0.asc', '0.json', '1.asc', '1.json', 'ecg.png']
