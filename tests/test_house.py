"The house: lines one can read, rooms that keep their private names to themselves, cards from outside, an undisturbed draw."
import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

import deepsynthbody_nb.cardiovascular.ecg as ecg
from conftest import ROOT
from deepsynthbody_nb import catalogue
from deepsynthbody_nb.catalogue.weights import load_weights
from deepsynthbody_nb.records.provenance import made, sentence
from deepsynthbody_nb.signals.files import read, write

PACKAGE = ROOT/'deepsynthbody_nb'


def test_lines_can_be_read():
    found = subprocess.run([Path(sys.executable).parent/'ruff', 'check', '--no-cache', '--output-format', 'json', PACKAGE], cwd=ROOT,
                           capture_output=True, text=True)
    wrong = []
    for one in json.loads(found.stdout):
        path = Path(one['filename'])
        module, line = str(path.relative_to(PACKAGE).with_suffix('')), path.read_text().splitlines()[one['location']['row'] - 1]
        listed = line.startswith(("__all__", "           '"))                # nbdev writes the list of exports
        if module != '_modidx' and not listed:
            wrong.append(f"{module}:{one['location']['row']} {one['code']} {one['message']}")
    assert wrong == []


def test_no_room_imports_a_private_name_of_another():
    wrong = []
    for path in PACKAGE.rglob('*.py'):
        room = path.relative_to(PACKAGE).parts[:-1]
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            base = room[:len(room) - node.level + 1] if node.level else ()
            target = base + tuple((node.module or '').removeprefix('deepsynthbody_nb.').split('.'))
            private = [a.name for a in node.names if a.name.startswith('_') and not a.name.startswith('__')]
            ours = node.level or (node.module or '').startswith('deepsynthbody_nb')
            if private and ours and target[:1] != room[:1]:
                wrong.append(f'{path.relative_to(PACKAGE)}: {private} of {".".join(target)}')
    assert wrong == []


@pytest.mark.parametrize('generator', ['pulse2pulse', 'conditional'])
def test_what_the_notebook_has_set_does_not_change_a_record(generator):
    condition = dict(superclass=['MI']) if generator == 'conditional' else None
    plain = ecg.sample(2, seed=3, generator=generator, condition=condition)

    def apart():
        return float(abs(ecg.sample(2, seed=3, generator=generator, condition=condition) - plain).max())

    torch.set_default_dtype(torch.float64)
    try:
        assert apart() < 1.01e-3                                             # mV: the last digit, as a float
    finally:
        torch.set_default_dtype(torch.float32)
    for around in (torch.autocast('cpu', dtype=torch.bfloat16), torch.inference_mode(), torch.no_grad()):
        with around:
            assert apart() < 1.01e-3
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    torch.use_deterministic_algorithms(True)
    try:
        assert apart() < 1.01e-3
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)


def toy(folder, name='colour_noise', **changes):
    "A generator of another organ: 16 x 16 colour noise, as one card and one function beside it."
    folder.mkdir(parents=True)
    (folder/'draw.py').write_text(textwrap.dedent('''
        import numpy as np, xarray as xr

        def draw(n, seed, start=0, *, device='cpu', condition=None):
            drawn = [np.random.default_rng((seed, k)).random((16, 16, 3), 'float32') for k in range(start, start + n)]
            return xr.DataArray(np.stack(drawn), dims=('record', 'y', 'x', 'channel'), attrs=dict(units='1'))
        '''))
    said = dict(name=name, system='endocrine.noise', draw='draw.py:draw', licence='MIT', version='1') | changes
    lines = [f'{k} = "{v}"' for k, v in said.items()] + ['[makes]', 'kind = "image"', 'shape = [16, 16, 3]', '[takes]', 'hue = ["red", "blue"]']
    (folder/'card.toml').write_text('\n'.join(lines) + '\n')
    return folder


def test_a_card_from_a_folder_is_a_generator_like_any_other(tmp_path, monkeypatch):
    from deepsynthbody_nb.catalogue import shelf
    monkeypatch.setattr(shelf, '_ADDED', [])
    assert catalogue.add(toy(tmp_path/'toy')) == ['colour_noise']
    card = catalogue.find('colour_noise')
    x = made(card.made(3, 7, 5), card.name, card.version, 7)
    np.testing.assert_array_equal(x.values[1], card.made(1, 7, 6).values[0])
    assert sentence(x.assign_coords(record=[5, 6, 7])[1]) == 'synthetic: generator colour_noise 1, seed 7, record 6'
    assert catalogue.cards().loc['colour_noise', 'takes'] == 'hue' and 'colour_noise' in catalogue.body().loc['endocrine', 'generators']
    assert catalogue.find(tmp_path/'toy') == card
    with pytest.raises(ValueError, match='unknown generator .colour_noise.; known are'):
        ecg.sample(1, generator='colour_noise')
    catalogue.remove('colour_noise')
    assert 'colour_noise' not in catalogue.cards().index and (tmp_path/'toy'/'card.toml').exists()


@pytest.mark.parametrize('changes, says', [
    (dict(draw='draw.py:drow'), "draw.py has no 'drow'"), (dict(draw='nowhere:draw'), 'nowhere cannot be imported'),
    (dict(draw='draw'), "must read 'module:function'")])
def test_a_card_that_names_no_function_says_so(tmp_path, changes, says):
    card = catalogue.find(toy(tmp_path/'toy', **changes))
    with pytest.raises(ValueError, match=says):
        card.made(1, 0)


def test_damaged_cards_and_weights_are_one_sentence(tmp_path):
    folder = toy(tmp_path/'toy', weights='w.safetensors', sha256='0'*64)
    (folder/'w.safetensors').write_bytes(b'not these')
    with pytest.raises(ValueError, match=r'w.safetensors: is damaged or another file'):
        load_weights(folder)
    (folder/'w.safetensors').unlink()
    with pytest.raises(FileNotFoundError, match='names this file, and it is not there'):
        load_weights(folder)
    (folder/'card.toml').write_text('name = "x"\nfamly = "gan"\n')
    with pytest.raises(ValueError, match="unknown key 'famly'"):
        catalogue.find(folder)


def test_a_package_announces_cards_by_an_entry_point(tmp_path):
    toy(tmp_path/'site'/'noise_cards')
    (tmp_path/'site'/'noise_cards'/'__init__.py').write_text('')
    about = tmp_path/'site'/'noise_cards-1.dist-info'
    about.mkdir()
    (about/'METADATA').write_text('Metadata-Version: 2.1\nName: noise-cards\nVersion: 1\n')
    (about/'entry_points.txt').write_text('[deepsynthbody_nb.cards]\nnoise = noise_cards\n')
    code = "from deepsynthbody_nb.catalogue import find; print(find('colour_noise').made(2, 0).shape)"
    import os
    paths = os.pathsep.join([str(tmp_path/'site'), str(ROOT)])
    ran = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': paths})
    assert ran.stdout.strip() == '(2, 16, 16, 3)', ran.stderr


@pytest.mark.parametrize('suffix', ['.asc', '.npy', '.csv', '.hea', '.mat', '.zarr'])
def test_every_format_keeps_the_mark(tmp_path, suffix):
    x = ecg.sample(2, seed=4, leads=8)[1]
    back = read(write(x, tmp_path/f'a{suffix}'))
    assert back.attrs['provenance'] == 'synthetic' and back.attrs['model'] == 'pulse2pulse' and int(back.attrs['seed']) == 4
    assert sentence(back) == sentence(x) == 'synthetic: generator pulse2pulse 1.1.2, seed 4, record 1'


@pytest.mark.parametrize('suffix', ['.mat', '.csv', '.zarr', '.npy'])
def test_one_verb_writes_several_records(tmp_path, suffix):
    x = ecg.sample(3, seed=4, leads=8)
    back = read(write(x, tmp_path/f'set{suffix}'))
    np.testing.assert_allclose(back.values, x.values, atol=6e-4)              # mV
    assert back.attrs['provenance'] == 'synthetic' and back.sizes['record'] == 3


def test_several_records_as_a_folder_of_files(tmp_path):
    x = ecg.sample(3, seed=4, leads=8)
    folder = write(x, tmp_path/'set', format='wfdb')
    assert sorted(p.name for p in folder.iterdir()) == ['0.dat', '0.hea', '1.dat', '1.hea', '2.dat', '2.hea', 'records.csv']
    np.testing.assert_allclose(read([folder/f'{k}.hea' for k in range(3)]).values, x.values, atol=6e-4)


@pytest.mark.parametrize('suffix', ['.png', '.svg', '.pdf'])
def test_pictures_say_what_they_show(tmp_path, suffix):
    from deepsynthbody_nb.signals.draw import draw_ecg
    draw_ecg(ecg.sample(1, seed=4)).savefig(tmp_path/f'a{suffix}')
    content = (tmp_path/f'a{suffix}').read_bytes()
    if suffix == '.png':
        from PIL import Image
        assert Image.open(tmp_path/'a.png').text['Description'] == 'synthetic: generator pulse2pulse 1.1.2, seed 4, record 0'
    else:
        assert b'synthetic: generator pulse2pulse 1.1.2, seed 4' in content


@pytest.mark.parametrize('generator, condition', [('pulse2pulse', None), ('conditional', dict(superclass=['MI'], age=60))])
def test_every_shipped_card_draws_what_the_door_gives(generator, condition):
    drawn = catalogue.find(generator).made(2, 7, 1, condition=condition)
    np.testing.assert_array_equal(drawn.values, ecg.sample(3, seed=7, leads=8, generator=generator, condition=condition).values[1:])
