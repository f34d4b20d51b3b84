"""Standardisation across hospitals: the gains and losses of each method at a hospital that a network was not trained on.

    python benchmarks/harmonise.py endoscopy | children | hannover | oct [...] [--save]

A network is trained at one hospital and tested at another, before and after each `Standardiser`, all fitted to the
first. Strengths are chosen on patients of the other hospital who are not reported on. So is the method whose row says
`chosen`; no row says so where leaving the pictures as they are was better. Folders endoscopy and oct lie in
DEEPSYNTHBODY_IMAGES; nih_cxr14, pneumoniamnist28 and hannover_covid in DEEPSYNTHBODY_CXR. With --save the table goes to
harmonise.csv, and the scores behind the choices to harmonise_choice.csv.
"""
import functools
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import kept
import numpy as np
import pandas as pd

from deepsynthbody_nb.evaluation.features import image_embedding
from deepsynthbody_nb.evaluation.harmonisation import HarmonyBench, Site
from deepsynthbody_nb.evaluation.segmentation import Outliner, outlined, train_outliner
from deepsynthbody_nb.images.cleaning import filled_wedge
from deepsynthbody_nb.images.files import read, read_folder
from deepsynthbody_nb.images.pixels import as_image, from_bytes, resize, to_bytes, to_grey
from deepsynthbody_nb.images.standardise import METHODS, Standardiser
from deepsynthbody_nb.records.chance import numpy_stream
from deepsynthbody_nb.training.frames import clean_frames, dealt

HERE = Path(__file__).resolve().parent
KEPT = kept.BUILD/'harmonise'
ELSEWHERE = dict(choose=.3, report=.7)  # of the groups of the other hospital
AT_HOME = dict(choose=.1, report=.3)  # of the groups of the hospital of training
SIZE = 96  # rows and columns of endoscopy frames
FILMS = 128  # rows and columns of chest films and scans
STEPS = 1500  # of the outliner
FRAMES = 200  # for each role; the outliner is trained on all
STRENGTHS = (.5, 1.)
CHILDREN = 700  # films, drawn at random


class Field(NamedTuple):
    "A network, its hospital, and another."
    task: str
    answer: object  # images to probabilities or masks
    learn: Site     # what the network was trained on
    home: Site      # other patients of the same hospital
    choose: Site    # patients of the other hospital
    report: Site    # others


def parts(image, truth, groups, roles):
    "Pictures by role."
    rows = {role: np.flatnonzero(roles == role) for role in ('learn', 'choose', 'report')}
    return {role: Site(image[own], truth[own], groups[own]) for role, own in rows.items()}


@functools.lru_cache(maxsize=4)
def _embedded(key):
    return {}


def embedding(image):
    "Frozen features; of the pictures seen last they are kept, for the network and the bench ask for the same."
    own = _embedded(kept.told(image.values))
    if not own:
        own['features'] = image_embedding(image if 'channel' in image.dims else image.expand_dims('channel', -1))
    return own['features']


def regression(learn):
    "Logistic regression on frozen features."
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    model = make_pipeline(StandardScaler(), LogisticRegression(C=.003, max_iter=500, class_weight='balanced'))
    model.fit(embedding(learn.image), learn.truth)
    return lambda image: model.predict_proba(embedding(image))[:, 1]


def films(name, size):
    "Chest films as squares, and their table."
    place = Path(os.environ['DEEPSYNTHBODY_CXR'], name)
    table = pd.read_csv(place/'labels.csv')
    names = table.image if name == 'nih_cxr14' else table.image_id + '.png'
    inside = 'png128' if name == 'nih_cxr14' else 'png256'
    image = [resize(to_grey(read(place/inside/one)), size).values for one in names]
    return as_image(np.stack(image), dims=('record', 'y', 'x')), table


def nih(size, truth):
    "NIH's films by role; `truth` makes classes of the table."
    image, table = films('nih_cxr14', size)
    groups = table.patient_id.astype(str).to_numpy()
    return parts(image, truth(table), groups, dealt(groups, shares=AT_HOME))


def children():
    "Pneumonia: adults of the NIH, then children, at 28 pixels."
    own = nih(28, lambda table: (table.cls == 'pneumonia').to_numpy().astype(int))
    with np.load(Path(os.environ['DEEPSYNTHBODY_CXR'], 'pneumoniamnist28', 'pneumoniamnist_dev.npz')) as stored:
        image, truth = stored['train_images'], stored['train_labels'][:, 0].astype(int)
    chosen = np.random.default_rng(0).permutation(len(truth))[:CHILDREN]
    groups = chosen.astype(str)                                              # their patients are not published
    other = parts(from_bytes(image[chosen]), truth[chosen], groups, dealt(groups, shares=ELSEWHERE))
    return Field('pneumonia', regression(own['learn']), own['learn'], own['report'], other['choose'], other['report'])


def hannover():
    "Lying or standing (AP or PA): the NIH, then Hannover."
    own = nih(FILMS, lambda table: (table['view'] == 'AP').to_numpy().astype(int))
    image, table = films('hannover_covid', FILMS)
    groups = table.patient_id.astype(str).to_numpy()
    other = parts(image, (table.projection == 'ap').to_numpy().astype(int), groups, dealt(groups, shares=ELSEWHERE))
    return Field('AP or PA', regression(own['learn']), own['learn'], own['report'], other['choose'], other['report'])


def other_device(image):
    "Scans as a noisy device would show them: blurred, with speckle and a grey ground, of random strength."
    from scipy.ndimage import gaussian_filter
    out = []
    for k, one in enumerate(image.values):
        draw = numpy_stream(0, k, 103)
        soft = gaussian_filter(one, draw.uniform(.6, 1.2))
        speckle = gaussian_filter(draw.gamma(2, .5, one.shape), .5)
        out.append(draw.uniform(.08, .16) + draw.uniform(.5, .7)*soft*speckle)
    return image.copy(data=np.stack(out).clip(0, 1).astype('float32'))


def oct():
    "Normal or not: retinal scans, then scans of other patients as a noisy device would show them."
    place = Path(os.environ['DEEPSYNTHBODY_IMAGES'], 'oct', 'kermany')
    table = pd.read_csv(place/'items.csv')
    paths = [place/kind/f'{name}.jpg' for kind, name in zip(table.cls, table.name, strict=True)]
    scans = [to_bytes(to_grey(read(path))) for path in paths]
    image = resize(from_bytes(np.stack([filled_wedge(np.asarray(scan)) for scan in scans])), FILMS)
    groups = table.group.to_numpy().astype(str)
    own = parts(image, (table.cls != 'NORMAL').to_numpy().astype(int), groups,
                dealt(groups, shares=dict(choose=.15, report=.35)))
    choose, report = (own[role]._replace(image=other_device(own[role].image)) for role in ('choose', 'report'))
    return Field('normal or not', regression(own['learn']), own['learn'], own['report'], choose, report)


def frames(name, roles, most=None):
    "Endoscopy frames without blocks and letters, of groups in these roles; `most` of each role, drawn at random."
    place = Path(os.environ['DEEPSYNTHBODY_IMAGES'], 'endoscopy', name)
    table = pd.read_csv(place/'items.csv').query('use == 1')
    role = dealt(table.group, shares=AT_HOME if name == 'kvasir_seg' else ELSEWHERE)
    sites, g = {}, np.random.default_rng(0)
    for one in roles:
        rows = np.sort(g.permutation(np.flatnonzero(role == one))[:most])
        own = read_folder(place, 'items.csv', records=table.name.iloc[rows], size=256)
        small = resize(clean_frames(own), SIZE)
        sites[one] = Site(small.image, small.mask.values > 0, table.group.to_numpy()[rows].astype(str))
    return sites


def outliner():
    "An outliner trained on Kvasir's frames; one that was trained before is read from build/."
    def trained():
        learn = frames('kvasir_seg', ['learn'])['learn']
        return train_outliner(to_bytes(learn.image), learn.truth, 0, STEPS)

    return kept.network(KEPT/f'outliner-{kept.told(AT_HOME, SIZE, STEPS)}.pt', Outliner(), trained)


def endoscopy():
    "Outlines of polyps: Kvasir, then the six centres of PolypGen."
    network = outliner()
    own = frames('kvasir_seg', ['learn', 'report'], FRAMES)
    other = frames('polypgen', ['choose', 'report'], FRAMES)
    return Field('polyp outlines', lambda image: outlined(network, image.values), own['learn'], own['report'],
                 other['choose'], other['report'])


FIELDS = dict(endoscopy=endoscopy, children=children, hannover=hannover, oct=oct)


def run(name):
    "The league of one field, and the scores by which strengths and methods were chosen."
    field = FIELDS[name]()
    print(name, {role: len(getattr(field, role).image) for role in ('learn', 'home', 'choose', 'report')}, flush=True)
    chooser, judge = (HarmonyBench(field.answer, field.home, site, embedding) for site in (field.choose, field.report))
    measure = chooser.measures[0]
    left = Standardiser('colour', 0).fit(field.learn.image[:2])
    choice, rows, best = [dict(method='none', strength=0., score=chooser.score(left))], [], {}
    for method in METHODS:
        started, fitted = time.time(), Standardiser(method).fit(field.learn.image)
        scores = {}
        for strength in STRENGTHS:
            fitted.strength = strength
            scores[strength] = chooser.score(fitted)
            choice.append(dict(method=method, strength=strength, score=scores[strength]))
        fitted.strength = max(scores, key=scores.get)
        best[method] = scores[fitted.strength]
        row = judge.judge(fitted)
        rows.append(row)
        print(row.round(3).to_dict('records')[0], round(time.time() - started), 's', flush=True)
    table, choice = pd.concat(rows), pd.DataFrame(choice)
    method = max(best, key=best.get)
    table['chosen'] = (table.method == method) & (best[method] > choice.score[0])
    said = dict(field=name, task=field.task, n_home=len(field.home.image), n=len(field.report.image),
                groups=len(np.unique(field.report.groups)))
    for column, value in reversed(said.items()):
        table.insert(0, column, value)
    choice.insert(0, 'field', name)
    choice['measure'] = measure
    return table, choice


if __name__ == '__main__':
    names = [word for word in sys.argv[1:] if not word.startswith('--')]
    tables = [run(name) for name in names]
    for target, own in zip(('harmonise.csv', 'harmonise_choice.csv'), zip(*tables, strict=True), strict=True):
        done = pd.concat(own).round(4)
        print(done.to_string(index=False))
        if '--save' in sys.argv:
            if (HERE/target).exists():
                before = pd.read_csv(HERE/target)
                done = pd.concat([before[~before.field.isin(names)], done])
            done.to_csv(HERE/target, index=False)
