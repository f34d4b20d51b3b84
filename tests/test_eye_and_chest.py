"Eye and chest: records by seed and number, requests that are met, files, sets, walks, inversion, sliders, and bad input."
import numpy as np
import pytest
import torch
from PIL import Image

import deepsynthbody_nb.nervous.oct as oct
import deepsynthbody_nb.respiratory.cxr as cxr
from deepsynthbody_nb import catalogue
from deepsynthbody_nb.bulk import make_set, verify
from deepsynthbody_nb.classifiers import load_classifier
from deepsynthbody_nb.evaluation.retina import retina_measures
from deepsynthbody_nb.images.files import read
from deepsynthbody_nb.images.pixels import resize
from deepsynthbody_nb.records.provenance import sentence

DIAGNOSES = ('CNV', 'DME', 'DRUSEN', 'NORMAL')


def test_doors_are_on_the_shelf():
    assert catalogue.find('oct').system == 'nervous.oct' and catalogue.find('chest').system == 'respiratory.cxr'
    doors = catalogue.body().doors
    assert 'oct' in doors['nervous'] and 'cxr' in doors['respiratory']


@pytest.mark.parametrize('door, condition', [(oct, dict(diagnosis='DME')), (cxr, dict(finding='abnormal', age=60))])
def test_a_record_is_its_seed_and_number(door, condition):
    many = door.sample(6, seed=5, condition=condition)
    name = door.door.default
    card = catalogue.find(name)
    np.testing.assert_array_equal(card.made(1, 5, 5, condition=[condition]).values[0], many.values[5])
    np.testing.assert_array_equal(door.sample(1, seed=5, condition=condition).values[0], many.values[0])
    assert sentence(many.isel(record=5)).startswith(f'synthetic: generator {name} {card.version}, seed 5, record 5')
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            assert abs(door.sample(2, seed=5, condition=condition).values - many.values[:2]).max() < 1e-3
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_diagnosis_asked_for_is_read_again(tell):
    x = oct.sample(40, seed=8, condition=[dict(diagnosis=DIAGNOSES[k % 4]) for k in range(40)])
    said = load_classifier('oct').predict_proba(resize(x, 128)).to_numpy().argmax(1)
    right = (said == np.arange(40) % 4).mean()
    tell(f'oct: the reader finds the requested diagnosis in {right:.0%} of 40 scans')
    assert right > .6                                                          # chance is 0.25; of real scans, as many of each, 0.76


def test_a_normal_eye_has_one_fovea(tell):
    measures = retina_measures(oct.sample(24, seed=9, condition=dict(diagnosis='NORMAL')))
    one = (measures.foveas == 1).mean()
    tell(f'oct: exactly one fovea in {one:.0%} of 24 normal eyes')
    assert one > .8                                                            # of real ones 0.98, of 300 synthetic ones 0.94


def test_films_go_to_two_folders_as_eight_bit_grey(tmp_path):
    asked = [dict(finding='normal', view='PA'), dict(finding='abnormal', sex='M', age=70)]
    files = cxr.generate(2, tmp_path, 7, seed=3, condition=asked)
    assert [str(p.relative_to(tmp_path)) for p in files] == ['normal/7.png', 'abnormal/8.png']
    film = Image.open(files[1])
    assert film.mode == 'L' and film.size == (1024, 1024) and 'synthetic' in film.text['Description']
    again = cxr.sample(9, seed=3, condition=[{}]*7 + asked, generator='chest')
    coarse = read(files[1]).values.reshape(128, 8, 128, 8).mean((1, 3))
    assert abs(coarse - again.values[8]).mean() < .03                         # the large film is the small one, drawn finer
    usual = cxr.generate(4, tmp_path/'usual', seed=1, generator='chest')
    assert len(usual) == 4 and {p.parent.name for p in usual} <= {'normal', 'abnormal'}


def test_scans_as_files_and_as_a_set(tmp_path):
    files = oct.generate(3, tmp_path, 2, seed=4, condition=dict(diagnosis='CNV'), format='dcm')
    assert [p.name for p in files] == ['2.dcm', '3.dcm', '4.dcm']
    found = read(files[0])
    expected = oct.sample(3, seed=4, condition=dict(diagnosis='CNV'))
    assert found.shape == (256, 256) and 'synthetic' in sentence(expected)
    make_set(4, tmp_path/'set', generator='oct', seed=4, condition=dict(diagnosis='CNV'))
    assert verify(tmp_path/'set') is not False


def test_a_walk_and_an_inversion():
    path = oct.walk([3, 3], 2, condition=[dict(diagnosis='NORMAL'), dict(diagnosis='DME')])
    ends = [oct.sample(1, seed=3, condition=dict(diagnosis=name)).values[0] for name in ('NORMAL', 'DME')]
    np.testing.assert_allclose(path.values[0], ends[0], atol=1e-5)
    np.testing.assert_allclose(path.values[2], ends[1], atol=1e-5)
    assert abs(path.values[1] - ends[0]).mean() > .001
    film = cxr.sample(1, seed=2, condition=dict(finding='normal'))
    onward = cxr.walk(cxr.invert(film, condition=dict(finding='normal'))[[0, 0]], 1)
    assert onward.shape == (2, 128, 128)


def test_sliders_of_grey_pictures(tmp_path):
    from deepsynthbody_nb.widgets import PictureWalk
    walk = PictureWalk(seed=2, generator='oct', folder=tmp_path)
    assert walk.x.dims == ('y', 'x')
    before = walk.x.values
    walk._sliders['diagnosis_DME'].value = 2
    assert abs(walk.x.values - before).mean() > .002
    walk._save()
    assert [p.name for p in sorted(tmp_path.iterdir())] == ['picture_0.png']


@pytest.mark.parametrize('door, condition, says', [
    (oct, dict(diagnosis='glaucoma'), 'unknown diagnosis'),
    (oct, dict(diagnosis=['CNV', 'DME']), 'one diagnosis per picture'),
    (cxr, dict(age=120), 'age'),
    (cxr, dict(finding='pneumonia'), "must be 'normal' or 'abnormal'"),
])
def test_bad_requests_are_one_sentence(door, condition, says):
    with pytest.raises(ValueError, match=says):
        door.sample(1, condition=condition)


def test_nothing_is_written_where_the_finding_is_missing(tmp_path):
    with pytest.raises(ValueError, match='film 1'):
        cxr.generate(2, tmp_path/'out', condition=[dict(finding='normal'), dict(view='AP')])
    assert not (tmp_path/'out').exists()
