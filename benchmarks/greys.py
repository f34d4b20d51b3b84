"""Usefulness, fidelity and privacy of synthetic scans of the eye and films of the chest.

    python benchmarks/greys.py oct|chest usefulness|points|controls|fidelity|foveas|copies|attack|views|large|texture|league|first ... [--save]

Scans lie in DEEPSYNTHBODY_IMAGES/oct/kermany, films in the folder nih_cxr14 of DEEPSYNTHBODY_CXR; patients are divided by
`training.grey_pictures`. Networks are trained on the patients for training, or on synthetic pictures, and are judged on the
patients for the report. With --save the tables go to the generator's card.
"""
import functools
import os
import sys
import time
import warnings
from pathlib import Path

import kept
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepsynthbody_nb.catalogue.usual import usual_requests
from deepsynthbody_nb.classifiers.picture_net import PictureNet
from deepsynthbody_nb.evaluation.distances import frechet, kernel_distance
from deepsynthbody_nb.evaluation.features import image_embedding
from deepsynthbody_nb.evaluation.retina import retina_measures
from deepsynthbody_nb.generators.grey_flow import draw_greys, load_flow
from deepsynthbody_nb.images.pixels import from_bytes, resize, to_bytes
from deepsynthbody_nb.training.grey_pictures import read_films, read_large_films, read_scans
from deepsynthbody_nb.training.picture_classifier import train_picture_net

HERE = Path(__file__).resolve().parent
CARDS = HERE.parent/'deepsynthbody_nb'/'weights'
N = dict(oct=1600, chest=2000)  # synthetic pictures
SEEDS = (0, 1, 2)
STEPS = 600
SIZE = 128  # of pictures for the judging networks
TAUGHT = 96  # of pictures for networks that are trained here
DIAGNOSES = ('CNV', 'DME', 'DRUSEN', 'NORMAL')
DRAWS = 2000  # of patients, for intervals


def chest_folder():
    return Path(os.environ['DEEPSYNTHBODY_CXR'], 'nih_cxr14')


@functools.cache
def real(kind):
    "Pictures, uint8 (n, rows, columns), and a table with label, patient and role."
    if kind == 'oct':
        x, table = read_scans(Path(os.environ['DEEPSYNTHBODY_IMAGES'], 'oct', 'kermany'))
        return x, table.assign(label=table.cls, patient=table.group)
    x, table = read_films(chest_folder())
    return x, table.assign(label=table.finding, patient=table.patient_id)


def requests(kind, n, seed):
    "Diagnoses equally often; films as they occur."
    if kind == 'oct':
        return [dict(diagnosis=DIAGNOSES[k % 4]) for k in range(n)]
    return usual_requests('chest', n, seed)


@functools.cache
def synthetic(kind, n=None, seed=0, **settings):
    "Pictures, uint8, and their labels."
    n, card = n or N[kind], CARDS/kind
    place = HERE.parent/'build'/'greys'/f"{kind}-{kept.told((card/'weights.safetensors').read_bytes(), (n, seed, settings))}.npz"
    asked = requests(kind, n, seed)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savez(place, x=to_bytes(draw_greys(load_flow('cpu', kind), n, seed, asked, **settings)))
    with np.load(place) as own:
        return own['x'], np.array([one['diagnosis' if kind == 'oct' else 'finding'] for one in asked])


def small(x, size=SIZE):
    "Pictures as the judging networks take them."
    return x if x.shape[1] == size else to_bytes(resize(from_bytes(x, ('record', 'y', 'x')), size))


def features(x):
    "EfficientNet-Lite0's features of pictures; kept."
    place = HERE.parent/'build'/'greys'/f'features-{kept.told(x)}.npy'
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        parts = [image_embedding(from_bytes(part, ('record', 'y', 'x')).expand_dims('channel', -1))
                 for part in np.array_split(x, max(1, len(x)//64))]
        np.save(place, np.concatenate(parts))
    return np.load(place)


def by_network(kind, x, label, classes, asked, seed):
    "Scores (n, classes) of a network that is trained afresh, or read again."
    x, number = small(x, TAUGHT), np.array([classes.index(one) for one in label])
    place = HERE.parent/'build'/'greys'/f'net-{kept.told(x, number, (seed, STEPS, TAUGHT))}.pt'
    flips = ('across',) if kind == 'oct' else ()
    net = kept.network(place, PictureNet(classes, 1, TAUGHT, True),
                       lambda: train_picture_net(x, number, classes, steps=STEPS, seed=seed, flips=flips))
    return net.predict_proba(from_bytes(small(asked, TAUGHT), ('record', 'y', 'x'))).to_numpy()


def by_regression(kind, x, label, classes, asked, seed):
    "Scores (n, classes) of a regression on features of a network trained on photographs."
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=500, class_weight='balanced'))
    fitted.fit(features(small(x)), [classes.index(one) for one in label])
    return fitted.predict_proba(features(small(asked)))


READERS = dict(network=by_network, regression=by_regression)


def merged(label, task):
    return np.where(np.asarray(label) == 'NORMAL', 'NORMAL', 'ABNORMAL') if task == 'binary' else np.asarray(label)


def figures(scores, label, classes, weight=None):
    "Accuracy, balanced accuracy, area under the ROC curve (mean over classes)."
    rows = np.arange(len(label)) if weight is None else weight
    number = np.array([classes.index(one) for one in label])[rows]
    s = scores[rows]
    found = dict(accuracy=(s.argmax(1) == number).mean(), balanced=balanced_accuracy_score(number, s.argmax(1)))
    found['auroc'] = np.mean([roc_auc_score(number == k, s[:, k]) for k in range(len(classes)) if 0 < (number == k).sum() < len(s)])
    return found


def drawn_patients(patients, draws, seed=0):
    "Rows of resampled patients."
    names, inverse = np.unique(np.asarray(patients).astype(str), return_inverse=True)
    rows = [np.flatnonzero(inverse == k) for k in range(len(names))]
    g = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.concatenate([rows[k] for k in g.integers(len(names), size=len(names))])


MEASURES = ('accuracy', 'balanced', 'auroc')


def judged(scores, label, classes, patients):
    "Of each arm (lists of scores, one per training) the mean of each measure, and its share of that of `real`, with intervals."
    def means(rows=None):
        return {arm: {m: np.mean([one[m] for one in each]) for m in MEASURES} for arm, each in (
            (arm, [figures(s, label, classes, rows) for s in own]) for arm, own in scores.items())}
    found, drawn = means(), [means(rows) for rows in drawn_patients(patients, DRAWS//4)]

    def row(arm):
        out = {}
        for m in MEASURES:
            values = {m: (found[arm][m], [d[arm][m] for d in drawn]),
                      f'{m}_share': (found[arm][m]/found['real'][m], [d[arm][m]/d['real'][m] for d in drawn])}
            for name, (value, several) in values.items():
                low, high = np.quantile(several, (.025, .975))
                out |= {name: value, f'{name}_low': low, f'{name}_high': high}
        return out
    return {arm: row(arm) for arm in scores}


OWN = dict(large='chest_1024', texture='chest_1024', league='oct_reader')  # tables that go to another card
TASKS = dict(oct=('four classes', 'binary'), chest=('normal or abnormal',))


def usefulness(kind):
    "Trained on real and on synthetic pictures, judged on real patients."
    x, table = real(kind)
    learn, report = (np.flatnonzero(table.role == role) for role in ('learn', 'report'))
    made, made_label = synthetic(kind)
    label, patients = table.label.to_numpy(), table.patient.to_numpy()[report]
    few = np.random.default_rng(0).permutation(learn)[:100]
    arms = {'real': (x[learn], label[learn]), 'synthetic': (made, made_label), '100 real': (x[few], label[few]),
            'real + synthetic': (np.concatenate([x[learn]]*3 + [made]), np.concatenate([label[learn]]*3 + [made_label])),
            '100 real + synthetic': (np.concatenate([x[few]]*10 + [made]), np.concatenate([label[few]]*10 + [made_label]))}
    rows = []
    for task in TASKS[kind]:
        classes = tuple(sorted(set(merged(label, task))))
        truth = merged(label[report], task)
        for reader, read in READERS.items():
            seeds = SEEDS if reader == 'network' else (0,)
            scores = {}
            for arm, (own, own_label) in arms.items():
                if reader == 'network' and arm not in ('real', 'synthetic'):
                    continue
                scores[arm] = [read(kind, own, merged(own_label, task), classes, x[report], seed) for seed in seeds]
                print(kind, task, reader, arm, [round(figures(s, truth, classes)['balanced'], 3) for s in scores[arm]], flush=True)
            rows += [dict(task=task, reader=reader, arm=arm, pictures=len(arms[arm][0]), trainings=len(scores[arm])) | row
                     for arm, row in judged(scores, truth, classes, patients).items()]
    return pd.DataFrame(rows).round(3)


def weighed(scores, label, classes):
    "Function of scores: each class is weighed so that these labels are as likely as can be (vector of weights and a temperature)."
    from scipy.optimize import minimize
    from scipy.special import log_softmax
    number = np.array([classes.index(one) for one in label])

    def loss(free):
        found = log_softmax(np.exp(free[0])*np.log(scores + 1e-6) + free[1:], 1)
        return -found[np.arange(len(number)), number].mean() + .01*(free**2).sum()
    free = minimize(loss, np.zeros(len(classes) + 1)).x
    return lambda own: np.exp(log_softmax(np.exp(free[0])*np.log(own + 1e-6) + free[1:], 1))


def points(kind):
    "Trained on real and on synthetic pictures, with the classes weighed on the patients for choices."
    x, table = real(kind)
    learn, choose, report = (np.flatnonzero(table.role == role) for role in ('learn', 'choose', 'report'))
    label, patients = table.label.to_numpy(), table.patient.to_numpy()[report]
    made, made_label = synthetic(kind)
    rows = []
    for task in TASKS[kind]:
        classes = tuple(sorted(set(merged(label, task))))
        truth = merged(label[report], task)
        for reader, read in READERS.items():
            scores = {}
            for arm, (own, own_label) in dict(real=(x[learn], label[learn]), synthetic=(made, made_label)).items():
                each = [read(kind, own, merged(own_label, task), classes, x[np.r_[choose, report]], seed)
                        for seed in (SEEDS if reader == 'network' else (0,))]
                scores[arm] = [weighed(s[:len(choose)], merged(label[choose], task), classes)(s[len(choose):]) for s in each]
            real_row, row = (judged(scores, truth, classes, patients)[arm] for arm in ('real', 'synthetic'))
            rows.append(dict(task=task, reader=reader) | {name: value for m in MEASURES for name, value in {
                f'{m}_real': real_row[m], f'{m}_synthetic': row[m], f'{m}_share': row[f'{m}_share'],
                f'{m}_share_low': row[f'{m}_share_low'], f'{m}_share_high': row[f'{m}_share_high']}.items()})
    return pd.DataFrame(rows).round(3)


def controls(kind):
    "Results without the retina or the lungs: from the border's pixels, the original size, or the view."
    x, table = real(kind)
    learn, report = (np.flatnonzero(table.role == role) for role in ('learn', 'report'))
    rim = np.concatenate([x[:, :8].mean(1), x[:, -8:].mean(1), x[:, :, :8].mean(2), x[:, :, -8:].mean(2)], 1)
    seen = {'border of 8 pixels': rim}
    if kind == 'oct':
        raw = np.stack([to_bytes(one) for one in raw_scans(table)])
        seen['border of 8 pixels, filler left in'] = np.concatenate(
            [raw[:, :8].mean(1), raw[:, -8:].mean(1), raw[:, :, :8].mean(2), raw[:, :, -8:].mean(2)], 1)
        seen['original size and filler'] = np.c_[pd.get_dummies(table.orig_w).to_numpy(float), table.white_frac]
    else:
        seen['view, sex, age'] = np.c_[table['view'] == 'AP', table.sex == 'M', table.age.astype(float)]
    rows = []
    for task in TASKS[kind]:
        truth = merged(table.label, task)
        classes = tuple(sorted(set(truth)))
        for name, own in seen.items():
            fitted = make_pipeline(StandardScaler(), LogisticRegression(C=.01, max_iter=2000, class_weight='balanced'))
            scores = fitted.fit(own[learn], [classes.index(one) for one in truth[learn]]).predict_proba(own[report])
            drawn = [figures(scores, truth[report], classes, w) for w in drawn_patients(table.patient.to_numpy()[report], DRAWS//4)]
            row = dict(task=task, seen=name)
            for m, value in figures(scores, truth[report], classes).items():
                low, high = np.quantile([d[m] for d in drawn], (.025, .975))
                row |= {m: value, f'{m}_low': low, f'{m}_high': high}
            rows.append(row)
    return pd.DataFrame(rows).round(3)


def raw_scans(table):
    from deepsynthbody_nb.images.files import read
    folder = Path(os.environ['DEEPSYNTHBODY_IMAGES'], 'oct', 'kermany')
    return [read(folder/cls/f'{name}.jpg', space='monochrome') for cls, name in zip(table.cls, table.name, strict=True)]


def fidelity(kind):
    "Distances in the features of EfficientNet-Lite0, beside the patients for the report."
    x, table = real(kind)
    report, learn = (features(small(x[table.role == role])) for role in ('report', 'learn'))
    made = features(small(synthetic(kind)[0][:len(learn)]))
    return pd.DataFrame([dict(pictures=name, n=len(own), frechet=frechet(own, report), kernel=kernel_distance(own, report))
                         for name, own in (('real, learnt from', learn), ('synthetic', made))]).round(3)


def foveas(kind):
    "Measures of the two borders of the retina, real and synthetic, by diagnosis."
    x, table = real('oct')
    report = (table.role == 'report').to_numpy()
    made, label = synthetic('oct')
    rows = []
    for name, own, known in (('real', x[report], table.label[report].to_numpy()), ('synthetic', made[:1200], label[:1200])):
        measures = retina_measures(from_bytes(own, ('record', 'y', 'x')))
        for diagnosis in DIAGNOSES:
            mine = measures[known == diagnosis]
            n = len(mine)
            one = (mine.foveas == 1).mean()
            half = 1.96*np.sqrt(one*(1 - one)/n)
            rows.append(dict(pictures=name, diagnosis=diagnosis, n=n, one_fovea=one, low=max(0, one - half), high=min(1, one + half),
                             none=(mine.foveas == 0).mean(), several=(mine.foveas > 1).mean(), broken=(mine.gap > .04).mean(),
                             thickness=mine.thickness.mean(), thickness_sd=mine.thickness.std(), roughness=mine.roughness.mean()))
    return pd.DataFrame(rows).round(3)


def copies(kind):
    "The nearest training picture, in its mirrorings: of synthetic pictures, and of patients who were kept apart."
    from deepsynthbody_nb.evaluation.privacy import chance_limit
    from deepsynthbody_nb.evaluation.privacy import copies as nearest
    x, table = real(kind)
    thin = {name: own.reshape(len(own), 32, own.shape[1]//32, 32, own.shape[2]//32).mean((2, 4)) for name, own in (
        ('learnt', x[table.role == 'learn']), ('patients kept apart', x[table.role == 'report']), ('synthetic', synthetic(kind)[0][:1000]))}
    limit, rows = chance_limit(nearest(thin['patients kept apart'], thin['learnt']).likeness), []
    for name in ('synthetic', 'patients kept apart'):
        likeness = nearest(thin[name], thin['learnt']).likeness
        rows.append(dict(pictures=name, n=len(likeness), median=likeness.median(), hundredth=likeness.quantile(.99), most=likeness.max(),
                         limit=limit, above=(likeness > limit).mean()))
    return pd.DataFrame(rows).round(4)


def attack(kind):
    "Which patients were in the training set? Membership attacks, in the features of EfficientNet-Lite0."
    from deepsynthbody_nb.evaluation.privacy import membership
    x, table = real(kind)
    learn, held = (np.flatnonzero(choice) for choice in (table.role == 'learn', table.role != 'learn'))
    patients = table.patient.to_numpy()
    found = membership(features(small(x[learn])), features(small(x[held])), features(small(synthetic(kind)[0])),
                       patients[learn], patients[held])
    print(f'{found.members} patients of the training set, {found.others} others; separated without synthetic '
          f'pictures: {found.differ:.3f}')
    return found.table.reset_index().round(4)


def league(kind):
    "Every method of explaining, on twins with and without the disease that the shipped reader reads correctly."
    from deepsynthbody_nb.classifiers import load_classifier
    from deepsynthbody_nb.xai.pictures import PICTURE_METHODS, picture_league, twin_scans
    model, rows = load_classifier('oct'), []
    for diagnosis in ('CNV', 'DME', 'DRUSEN'):
        twins = twin_scans(100, diagnosis, seed=9)
        there = model.predict_proba(twins.image)[diagnosis].to_numpy() > .5
        gone = model.predict_proba(twins.without).NORMAL.to_numpy() > .5
        chosen = np.flatnonzero(there & gone)[:40]
        print(f'{diagnosis}: {twins.sizes["record"]} of 100 pairs lie still; {there.sum()} are called so, {gone.sum()} of their '
              f'twins normal; {len(chosen)} are used', flush=True)
        for method in PICTURE_METHODS if len(chosen) else ():
            own = picture_league(model, twins.isel(record=chosen), diagnosis, methods=(method,))
            rows.append(dict(diagnosis=diagnosis, method=method, n=len(chosen)) | own[
                ['pointing', 'mass', 'ranking', 'size', 'deletion', 'insertion', 'forgotten']].mean().to_dict())
    return pd.DataFrame(rows).round(4)


def views(kind):
    "Normal or abnormal within one view, where the view carries no information."
    x, table = real('chest')
    learn, report = (np.flatnonzero(table.role == role) for role in ('learn', 'report'))
    made, made_label = synthetic('chest')
    rows, classes, label = [], ('abnormal', 'normal'), table.label.to_numpy()
    for arm, own, own_label in (('real', x[learn], label[learn]), ('synthetic', made, made_label)):
        for reader, read in READERS.items():
            scores = np.mean([read('chest', own, own_label, classes, x[report], seed) for seed in (SEEDS if reader == 'network' else (0,))], 0)
            for view in ('PA', 'AP', 'both'):
                mine = np.flatnonzero(np.ones(len(report), bool) if view == 'both' else table['view'].to_numpy()[report] == view)
                truth, patients = label[report][mine], table.patient.to_numpy()[report][mine]
                drawn = [figures(scores[mine], truth, classes, w)['auroc'] for w in drawn_patients(patients, DRAWS//4)]
                low, high = np.quantile(drawn, (.025, .975))
                rows.append(dict(arm=arm, reader=reader, view=view, n=len(mine), auroc=figures(scores[mine], truth, classes)['auroc'],
                                 low=low, high=high))
    return pd.DataFrame(rows).round(3)


def spectrum(x):
    "Logarithm of the power of rings of frequencies, (n, 24); films 1024 x 1024, 0 to 1."
    rows = []
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(x.shape[1]), np.fft.rfftfreq(x.shape[2]), indexing='ij'))
    edges = np.geomspace(1/512, .5, 25)
    rings = [(f >= a) & (f < b) for a, b in zip(edges, edges[1:], strict=False)]
    window = np.hanning(x.shape[1])[:, None]*np.hanning(x.shape[2])
    for one in x:
        power = np.abs(np.fft.rfft2((one - one.mean())*window))**2
        rows.append([np.log10(power[ring].mean()) for ring in rings])
    return np.array(rows)


def patches(x, seed=0, each=40, side=32):
    "Contrast, finest contrast, skewness of the finest band, and its kurtosis, of random patches."
    from scipy.ndimage import gaussian_filter
    from scipy.stats import kurtosis, skew
    g, rows = np.random.default_rng(seed), []
    for one in x:
        fine = one - gaussian_filter(one, 1)
        middle = gaussian_filter(one, 1) - gaussian_filter(one, 4)
        for y, left in g.integers(64, 1024 - 64 - side, (each, 2)):
            cut = slice(y, y + side), slice(left, left + side)
            rows.append((fine[cut].std(), middle[cut].std(), skew(fine[cut].ravel()), kurtosis(fine[cut].ravel())))
    return pd.DataFrame(rows, columns=['finest', 'fine', 'skewness', 'kurtosis'])


def large(kind):
    "Films of 1024 pixels beside real ones outside the training set: spectrum, patches, time."
    import deepsynthbody_nb.respiratory.cxr as cxr
    from deepsynthbody_nb.catalogue.weights import shipped
    from deepsynthbody_nb.generators.larger_films import Larger, enlarged
    films, table = read_large_films(chest_folder())
    own = films[(table.role != 'learn').to_numpy()]/255.
    begin = time.perf_counter()
    made = cxr.sample(24, seed=0, condition=usual_requests('chest_1024', 24, 0), generator='chest_1024').values
    seconds = (time.perf_counter() - begin)/24
    again = enlarged(shipped(Larger, 'chest_1024'), from_bytes(np.rint(own.reshape(len(own), 128, 8, 128, 8).mean((2, 4))*255)
                     .astype('uint8'), ('record', 'y', 'x')), range(len(own))).values
    smooth = np.stack([to_bytes(resize(from_bytes(np.rint(one.reshape(128, 8, 128, 8).mean((1, 3))*255).astype('uint8')), 1024, how='bicubic'))
                       for one in own])/255.
    base, rows = spectrum(own), []
    for name, x in (('real, kept apart', own), ('real at 128, drawn finer', again), ('real at 128, bicubic', smooth), ('synthetic', made)):
        s, p = spectrum(x), patches(x)
        rows.append(dict(films=name, n=len(x), spectrum_off=np.abs(s.mean(0) - base.mean(0)).mean(), fine_spectrum_off=np.abs(
            s.mean(0) - base.mean(0))[-8:].mean(), **p.median().to_dict(), seconds=seconds if name == 'synthetic' else np.nan))
    return pd.DataFrame(rows).round(4)


def found_again(patch, film):
    "Highest correlation of a patch with any place of a film, both without what is coarse."
    from scipy.signal import fftconvolve
    from scipy.ndimage import uniform_filter
    patch = patch - patch.mean()
    products = fftconvolve(film, patch[::-1, ::-1], 'valid')
    n, half = patch.size, patch.shape[0]//2
    means, squares = uniform_filter(film, patch.shape[0]), uniform_filter(film**2, patch.shape[0])
    spread = np.sqrt((squares - means**2).clip(1e-12)*n)[half:half + products.shape[0], half:half + products.shape[1]]
    return float((products/(spread*np.linalg.norm(patch))).max())


def texture(kind, films_each=11, patches_each=4, side=64):
    "Does a synthetic film of 1024 pixels hold pieces of training films? As many training films as films kept apart."
    from scipy.ndimage import gaussian_filter

    import deepsynthbody_nb.respiratory.cxr as cxr
    films, table = read_large_films(chest_folder())
    fine = np.stack([one - gaussian_filter(one, 8) for one in films/np.float32(255)])
    learnt, held = (fine[(table.role == 'learn').to_numpy() == own][:films_each] for own in (True, False))
    made = cxr.sample(films_each, seed=0, condition=usual_requests('chest_1024', films_each, 0), generator='chest_1024').values
    made = np.stack([one - gaussian_filter(one, 8) for one in made])
    g, rows = np.random.default_rng(0), []
    for name, own in (('synthetic', made), ('real, kept apart', held)):
        for k, film in enumerate(own):
            for y, left in g.integers(128, 1024 - 128 - side, (patches_each, 2)):
                patch = film[y:y + side, left:left + side]
                best = {role: [found_again(patch, other) for j, other in enumerate(others) if own is not others or j != k]
                        for role, others in (('learnt', learnt), ('kept apart', held))}
                rows.append(dict(pieces=name, learnt=max(best['learnt']), kept_apart=max(best['kept apart'])))
    found = pd.DataFrame(rows).groupby('pieces', sort=False).agg(n=('learnt', 'size'), learnt=('learnt', 'median'), kept_apart=(
        'kept_apart', 'median'), learnt_most=('learnt', 'max'), kept_apart_most=('kept_apart', 'max'))
    return found.reset_index().round(3)


def first(kind):
    "The first pictures of seed 0, as they come."
    from PIL import Image
    x = small(synthetic(kind)[0][:32])
    Image.fromarray(np.concatenate([np.concatenate(list(row), 1) for row in x.reshape(4, 8, SIZE, SIZE)])).save(CARDS/kind/'first_32.jpg', quality=85)


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    kind, *jobs = [word for word in sys.argv[1:] if word != '--save']
    for job in jobs:
        found = globals()[job](kind)
        if found is not None:
            print(found.to_string(), flush=True)
            if '--save' in sys.argv:
                found.to_csv(CARDS/OWN.get(job, kind)/f'{job}.csv', index=False)
