"""Figures of synthetic polyps: usefulness, true masks, fidelity, copies.

    python benchmarks/polyps.py usefulness [ARM ...] [--save]
    python benchmarks/polyps.py masks | fidelity | copies | choose | speed | league | attack | first [--save]

Folders endoscopy/kvasir_seg and endoscopy/polypgen lie in DEEPSYNTHBODY_IMAGES; frames are divided by `training.frames.dealt`. Networks are
trained on the frames for training, or on synthetic pictures, and judged on the frames for the report. `choose` tries
settings of the sampler on the frames for choices. With --save the tables go to the generator's card.
"""
import functools
import os
import sys
import time
from pathlib import Path

import kept
import numpy as np
import pandas as pd
import torch

from deepsynthbody_nb.catalogue.usual import usual_requests
from deepsynthbody_nb.evaluation.distances import frechet, kernel_distance
from deepsynthbody_nb.evaluation.features import image_embedding
from deepsynthbody_nb.evaluation.segmentation import Outliner, dice_scores, outlined, train_outliner
from deepsynthbody_nb.generators.picture_flow import draw_pictures, load_flow
from deepsynthbody_nb.images.files import read_folder
from deepsynthbody_nb.images.pixels import as_image
from deepsynthbody_nb.training.frames import dealt

HERE = Path(__file__).resolve().parent
KEPT = kept.BUILD/'polyps'
CARD = HERE.parent/'deepsynthbody_nb'/'weights'/'polyps'
N = 2000  # synthetic pictures
FROM_ONE = 15  # real frames of which four pictures each are made
SEEDS = (0, 1, 2)
STEPS = 2000
SETS = ('kvasir_seg', 'polypgen')


def frames():
    "Real frames at 128 x 128: images and masks (uint8), and a table of set, group, centre and role."
    folder, images, masks, tables = Path(os.environ['DEEPSYNTHBODY_IMAGES'], 'endoscopy'), [], [], []
    for name in SETS:
        own = read_folder(folder/name, 'items.csv', size=128)
        own = own.isel(record=np.flatnonzero(own.use.values == 1))
        images.append(np.rint(own.image.values*255).astype('uint8'))
        masks.append(own.mask.values > 0)
        centre = own.centre.values if 'centre' in own.coords else ['Kvasir']*own.sizes['record']
        tables.append(pd.DataFrame(dict(set=name, group=name + own.group.values.astype(object), centre=centre)))
    table = pd.concat(tables, ignore_index=True)
    return np.concatenate(images), np.concatenate(masks), table.assign(role=dealt(table.group))


@functools.cache
def synthetic(n=N, seed=0, **settings):
    "Synthetic pictures, with centres requested as they occur among the real frames: uint8, and masks."
    place = KEPT/f"pictures-{kept.told((CARD/'weights.safetensors').read_bytes(), (n, seed, settings))}.npz"
    if not place.exists():
        x = draw_pictures(load_flow(), n, seed, usual_requests('polyps', n, seed), **settings)
        KEPT.mkdir(parents=True, exist_ok=True)
        np.savez(place, image=np.rint(x.image.values*255).astype('uint8'), mask=x.mask.values > 0)
    with np.load(place) as own:
        return own['image'], own['mask']


def taught(x, y, seed):
    "An outliner of these pictures and masks; one that was trained before is read again."
    return kept.network(KEPT/f'outliner-{kept.told(x, y, (seed, STEPS))}.pt', Outliner(), lambda: train_outliner(x, y, seed, STEPS))


def arms(images, masks, table, names):
    "The training set of a network, by name of the arm."
    learn = np.flatnonzero(table.role == 'learn')
    few = np.random.default_rng(0).permutation(learn)[:50]
    real, fifty = (images[learn], masks[learn]), (images[few], masks[few])
    made = synthetic() if any('synthetic' in name for name in names) else None
    asked = np.array([own['centre'] == 'Kvasir' for own in usual_requests('polyps', N, 0)])
    kvasir = (table.set[learn] == 'kvasir_seg').to_numpy()

    def both(own, often): # the real ones as often as stated
        return tuple(np.concatenate([np.repeat(a, often, 0), b]) for a, b in zip(own, made, strict=True))

    def part(own, chosen):
        return tuple(a[chosen] for a in own)

    known = {'real': lambda: real, '50 real': lambda: fifty, 'synthetic': lambda: made,
             '50 real + synthetic': lambda: both(fifty, 40), 'real + synthetic': lambda: both(real, 2),
             'real + a fifth synthetic': lambda: both(real, 6),
             'real Kvasir': lambda: part(real, kvasir), 'real PolypGen': lambda: part(real, ~kvasir),
             'synthetic Kvasir': lambda: part(made, asked), 'synthetic PolypGen': lambda: part(made, ~asked)}
    return {name: known[name]() for name in names}


def usefulness(names):
    "Results of networks trained on each arm; the printed means are those of the frames for choices."
    images, masks, table = frames()
    choose, test = (np.flatnonzero(table.role == role) for role in ('choose', 'report'))
    for name, (x, y) in arms(images, masks, table, names).items():
        for seed in SEEDS:
            network = taught(x, y, seed)
            print(f'{name}, seed {seed}: {dice_scores(outlined(network, images[choose]), masks[choose]).mean():.3f}', flush=True)
            scores = dice_scores(outlined(network, images[test]), masks[test])
            yield pd.DataFrame(dict(arm=name, seed=seed, set=table.set[test], group=table.group[test], dice=scores.round(4)))


def judged_masks():
    "Do networks trained on real frames agree with generated masks as they do with real ones?"
    images, masks, table = frames()
    learn, test = (np.flatnonzero(table.role == role) for role in ('learn', 'report'))
    made = tuple(a[:500] for a in synthetic())
    for seed in SEEDS:
        network = taught(images[learn], masks[learn], seed)
        for name, (x, y) in dict(real=(images[test], masks[test]), synthetic=made).items():
            there = y.any((1, 2))
            yield pd.DataFrame(dict(seed=seed, masks=name, dice=dice_scores(outlined(network, x), y)[there].round(4)))


def _seen(x):
    return image_embedding(as_image(x/np.float32(255)))


def beside_others():
    "Other sources of such pictures: a FastGAN kind, 1,306 pictures, and four from each of 15 real frames; uint8."
    from deepsynthbody_nb.digestive import gitract as gi
    images, masks, table = frames()
    gan = np.rint(gi.sample(int((table.role == 'learn').sum()), seed=0, generator='polyps_gan').image.values*255).astype('uint8')
    chosen = np.random.default_rng(1).permutation(np.flatnonzero((table.role == 'learn') & masks.any((1, 2))))[:FROM_ONE]
    place, parts = KEPT/'from_one.npy', []
    if not place.exists():
        for k in chosen:
            one = gi.from_one_image(as_image(images[k]/np.float32(255)), masks[k], 4, seed=int(k))
            parts.append(np.rint(one.image.values*255).astype('uint8'))
        np.save(place, np.concatenate(parts))
    return {'FastGAN kind': gan, 'from one image': np.load(place)}


def fidelity():
    "Distances of pictures to real ones, beside real against real of the same numbers; of as many as there are, and of 60."
    images, _, table = frames()
    learn, test = (_seen(images[table.role == role]) for role in ('learn', 'report'))
    sets = dict(real=learn, synthetic=_seen(synthetic()[0][:len(learn)])) | {k: _seen(x) for k, x in beside_others().items()}
    for few in (False, True):
        for name, x in sets.items():
            x = x[np.random.default_rng(0).permutation(len(x))[:4*FROM_ONE]] if few else x
            if few or len(x) == len(learn):
                yield pd.DataFrame([dict(beside=name, records=len(x), frechet=round(frechet(test, x), 1),
                                         kernel=round(kernel_distance(test, x), 4))])


def copies():
    """Nearest training frame, in pixels and features: of synthetic pictures, of held-back frames, and of training frames
    among those of other groups."""
    images, _, table = frames()
    learn, group = images[table.role == 'learn'], table.group[table.role == 'learn'].to_numpy()

    def small(x):
        return x.reshape(len(x), 32, 4, 32, 4, 3).mean((2, 4)).reshape(len(x), -1)/255

    def flips(x):
        return [x, x[:, ::-1], x[:, :, ::-1], x[:, ::-1, ::-1]]

    near = {'pixels': np.concatenate([small(v) for v in flips(learn)]), 'features': np.concatenate([_seen(v) for v in flips(learn)])}
    for name, x in {'held back': images[table.role != 'learn'], 'other groups': learn, 'synthetic': synthetic()[0]}.items():
        for space, own in dict(pixels=small(x), features=_seen(x)).items():
            least = []
            for rows in np.array_split(np.arange(len(own)), 20):
                far = torch.cdist(torch.from_numpy(own[rows]).float(), torch.from_numpy(near[space]).float()).numpy()
                if name == 'other groups':
                    far[group[rows][:, None] == np.tile(group, 4)] = np.inf
                least.append(far.min(1))
            least = np.concatenate(least)
            yield pd.DataFrame(dict(of=name, space=space, nearest=least.round(3)))


def choose():
    "Settings of the sampler, judged by a network trained on 1,000 pictures for 800 steps."
    images, masks, table = frames()
    test = np.flatnonzero(table.role == 'choose')
    for settings in (dict(guidance=1., steps=10), dict(guidance=1.5, steps=10), dict(guidance=2.5, steps=10)):
        started = time.time()
        made = synthetic(1000, 3, **settings)
        took = time.time() - started
        scores = dice_scores(outlined(train_outliner(*made, 0, 800), images[test]), masks[test])
        apart = frechet(_seen(images[table.role != 'report']), _seen(made[0]))
        row = dict(settings, dice=round(float(scores.mean()), 3), frechet=round(apart, 1), seconds=round(took))
        print(row, flush=True)
        yield pd.DataFrame([row])


def speed():
    "Pictures per second, one after the other and in sets."
    for n in (1, 4, 64):
        draw_pictures(load_flow(), n, 1)
        started = time.time()
        draw_pictures(load_flow(), n, 2)
        yield pd.DataFrame([dict(pictures=n, ms_each=round(1000*(time.time() - started)/n, 1), threads=torch.get_num_threads())])


def league():
    "Every method of explaining, on twins with and without polyp that the classifier reads correctly."
    from deepsynthbody_nb.classifiers import load_classifier
    from deepsynthbody_nb.xai.pictures import PICTURE_METHODS, picture_league, twin_pictures
    model, twins = load_classifier('polyp'), twin_pictures(200, seed=9)
    there = model.predict_proba(twins.image).polyp.to_numpy() > .5
    gone = model.predict_proba(twins.without).polyp.to_numpy() < .5
    chosen = np.flatnonzero(there & gone & twins.mask.any(('y', 'x')).values)[:100]
    print(f'{there.sum()} of 200 with polyp are called so, {gone.sum()} of 200 without; {len(chosen)} twins are used', flush=True)
    for name in PICTURE_METHODS:
        started = time.time()
        rows = picture_league(model, twins.isel(record=chosen), methods=(name,))
        print(name, round(1000*(time.time() - started)/len(chosen)), 'ms a picture', flush=True)
        yield rows.round(4)[['method', 'record', 'pointing', 'mass', 'ranking', 'size', 'deletion', 'insertion', 'forgotten']]


def attack():
    "Which groups were in the training set? Membership attacks by group, in the features of EfficientNet-Lite0."
    from deepsynthbody_nb.evaluation.privacy import membership
    images, _, table = frames()
    learn, held = (np.flatnonzero(choice) for choice in (table.role == 'learn', table.role != 'learn'))
    found = membership(_seen(images[learn]), _seen(images[held]), _seen(synthetic()[0]),
                       table.group[learn].to_numpy(), table.group[held].to_numpy())
    print(f'{found.members} groups of the training set, {found.others} others; separated without synthetic '
          f'pictures: {found.differ:.3f}')
    yield found.table.reset_index().round(4)


def first():
    "The first 64 pictures of seed 0, as they come, to the card's first_64.jpg."
    from deepsynthbody_nb.images.draw import draw_images
    x = draw_pictures(load_flow(), 64, 0)
    made = x.assign_attrs(provenance='synthetic', model='polyps', seed=0)
    draw_images(made, columns=8, inches=1.1, titles=False).savefig(CARD/'first_64.jpg', dpi=110, pil_kwargs=dict(quality=85))
    yield pd.DataFrame([dict(pictures=64, with_polyp=int(x.mask.any(('y', 'x')).sum()))])


JOBS = dict(first=first, league=league, attack=attack, usefulness=usefulness, masks=judged_masks, fidelity=fidelity, copies=copies, choose=choose, speed=speed)

if __name__ == '__main__':
    job, *names = [word for word in sys.argv[1:] if not word.startswith('--')]
    own = (names or ['real', '50 real', 'synthetic', '50 real + synthetic', 'real + synthetic'],) if job == 'usefulness' else ()
    target, tables = (CARD.parent/'polyp_or_not' if job == 'league' else CARD)/f'{job}.csv', []
    for part in JOBS[job](*own):
        tables.append(part)
        if '--save' in sys.argv:
            done = pd.concat(tables)
            if job == 'usefulness' and target.exists():
                before = pd.read_csv(target)
                done = pd.concat([before[~before.arm.isin(done.arm.unique())], done])
            done.to_csv(target, index=False)
    said = pd.concat(tables)
    keys = [c for c in ('arm', 'set', 'masks', 'of', 'space', 'method', 'attack') if c in said]
    print(said.groupby(keys).mean(numeric_only=True).round(3) if keys else said)
