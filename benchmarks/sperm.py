"""Figures of generated videos of sperm cells: paths, pictures, and a detector trained on them.

    python benchmarks/sperm.py train | motion | detector | tracking | consistency | speed [--save]

Folders sperm/visem11 and sperm/visem_tracks (VISEM-Tracking) lie in DEEPSYNTHBODY_SPERM. Paths are trained on ten men;
five are kept apart. Pictures are of one man: the first 13 s are for training, those after 13.8 s for testing. With --save
the tables go to the generator's card.
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
from scipy.ndimage import gaussian_filter

from deepsynthbody_nb.classifiers.cells import CellFinder, find_cells
from deepsynthbody_nb.evaluation.spots import average_precision
from deepsynthbody_nb.generators.microscope import Microscope, draw, load_microscope, pointed, seen_boxes, track_table
from deepsynthbody_nb.generators.swimmers import PICTURE, scene
from deepsynthbody_nb.signals.tracks import MOTILE, link
from deepsynthbody_nb.training.microscope import (
    learn_men, learn_tails, seen_scenes, stretches, swim_of, train_finder, train_painter, train_stepper,
)

HERE = Path(__file__).resolve().parent
CARD = HERE.parent/'deepsynthbody_nb'/'weights'/'sperm'
KEPT = kept.BUILD/'sperm'
LEARN, JUDGE = range(330), range(345, 539)  # pictures, 25 per second
SEEDS = (0, 1, 2)


def folder(name):
    return Path(os.environ['DEEPSYNTHBODY_SPERM'])/name


@functools.cache
def men():
    "Tracks of 15 men, 50 pictures per second, in pixels of 320 x 240; and the names of those that are kept apart."
    out = {}
    for path in sorted(folder('visem_tracks').glob('*.npz')):
        with np.load(path) as own:
            box = own['box']/65535*np.array([320, 240, 320, 240])
            table = pd.DataFrame(dict(frame=own['frame'].astype(int), track=own['track'].astype(int)))
        out[path.stem] = table.assign(x=box[:, 0], y=box[:, 1], width=box[:, 2], height=box[:, 3])
    return out, sorted(np.random.default_rng(22).permutation(sorted(out))[:5])


@functools.cache
def video():
    "One man's pictures, 25 per second, 0 to 255, and the boxes of his single cells; 0 is the middle of the first pixel."
    from PIL import Image
    boxes = pd.read_csv(folder('visem11')/'boxes.csv')
    boxes = boxes[(boxes.frame % 2 == 0) & (boxes.cls == 0)]
    boxes = pd.DataFrame(dict(frame=boxes.frame//2, track=boxes.track, x=320*boxes.cx - .5, y=240*boxes.cy - .5, width=320*boxes.w, height=240*boxes.h))
    pictures = [np.asarray(Image.open(path)) for path in sorted((folder('visem11')/'frames').glob('f*.jpg'))]
    return np.stack(pictures), boxes.sort_values(['frame', 'track'], ignore_index=True)


def heads_of(boxes, frames):
    parts = dict(tuple(boxes.groupby('frame')))
    return [parts[k].x.to_numpy() + 1j*parts[k].y.to_numpy() if k in parts else np.zeros(0, complex) for k in frames]


def train():
    "Everything that ships; weights to build/sperm."
    from safetensors.torch import save_file
    KEPT.mkdir(parents=True, exist_ok=True)
    tracks, held = men()
    learnt, microscope = [own for name, own in tracks.items() if name not in held], Microscope()
    say = functools.partial(print, flush=True)
    microscope.swimmers.stepper = train_stepper([p for own in learnt for p in stretches(own, 50)], say=say)
    learn_men(microscope.swimmers, learnt, 50)
    pictures, boxes = video()
    pictures, boxes = pictures[LEARN], boxes[boxes.frame < len(LEARN)]
    scenes = seen_scenes(pictures, boxes, 25)
    learn_tails(microscope.swimmers, scenes)
    sides = np.log(boxes.groupby('track')[['width', 'height']].median().to_numpy())  # of the man whose pictures these are
    microscope.swimmers.box.copy_(torch.from_numpy(np.median(sides, 0)))
    train_painter(microscope, pictures, scenes, say=say)
    save_file({k: v.contiguous() for k, v in microscope.state_dict().items()}, KEPT/'weights.safetensors')
    finder = train_finder(pictures[::2]/np.float32(255), heads_of(boxes, LEARN[::2]), say=say)
    save_file({k: v.contiguous() for k, v in finder.state_dict().items()}, KEPT/'finder.safetensors')
    yield pd.DataFrame([dict(men=len(learnt), pictures=len(pictures), links=len(microscope.state_dict()))])


def pictures_of(n, seed=7, frames=5):
    "Generated pictures and the heads in them: n scenes of some pictures each, with 15 to 55 cells, as the real video has 37."
    asked = [dict(cells=float(cells)) for cells in np.random.default_rng(seed).uniform(15, 55, n)]
    x = draw(n, seed, frames=frames, condition=asked)
    table = track_table(x)
    heads = [part.x.to_numpy() + 1j*part.y.to_numpy()
             for record in range(n) for part in [table[(table.record == record) & (table.frame == k)] for k in range(frames)]]
    return x.video.values.reshape(-1, *PICTURE), heads


def sprites(n=165, seed=0):
    "The baseline: bright bells with a straight dark tail on smooth grey noise, about as many cells, as bright as real ones."
    g, pictures, heads = np.random.default_rng(seed), [], []
    for _ in range(n):
        many = g.poisson(38)
        own = g.random(many)*PICTURE[1] + 1j*g.random(many)*PICTURE[0]
        way = np.exp(2j*np.pi*g.random(many))
        tails = own[:, None] + way[:, None]*np.arange(3, 36, .5)
        x = .36 + gaussian_filter(g.standard_normal(PICTURE), 1)*.03 - .1*gaussian_filter(pointed(tails.ravel(), .5), .8)
        pictures.append((x + .35*gaussian_filter(pointed(own, 1.), 2.)*2*np.pi*4).clip(0, 1).astype('float32'))
        heads.append(own)
    return np.stack(pictures), heads


def taught(x, heads, seed):
    "A finder of these pictures and heads; one that was trained before is read again."
    place = KEPT/f'finder-{kept.told(x, np.concatenate(heads), bytes([seed]))}.pt'
    return kept.network(place, CellFinder(), lambda: train_finder(x, heads, seed=seed))


def detector():
    "Networks trained on real pictures, generated ones, or sprites, on the last pictures of the real video."
    pictures, boxes = video()
    shown, judged = pictures/np.float32(255), JUDGE[::4]
    true = boxes[boxes.frame.isin(judged)].assign(frame=lambda t: t.frame.map({k: i for i, k in enumerate(judged)}))
    arms = dict(real=lambda: (shown[LEARN[::2]], heads_of(boxes, LEARN[::2])), generated=lambda: pictures_of(66),
                sprites=lambda: sprites())
    for name, data in arms.items():
        x, heads = data()
        for seed in SEEDS[:1 if name == 'sprites' else None]:
            found = find_cells(shown[judged], taught(x, heads, seed), sure=.05)
            row = dict(arm=name, pictures=len(x), seed=seed)
            for overlap in (.5, .3):
                row[f'ap_{overlap}'] = round(average_precision(found, true, overlap=overlap), 3)
            row['ap_5px'] = round(average_precision(found, true, near=5), 3)
            print(row, flush=True)
            yield pd.DataFrame([row])


def tracking():
    "The shipped finder, linked: against the boxes of the last pictures, by py-motmetrics."
    import motmetrics
    pictures, boxes = video()
    found = link(find_cells(pictures[JUDGE]/np.float32(255)))
    true, heard = boxes[boxes.frame.isin(JUDGE)].assign(frame=lambda t: t.frame - JUDGE[0]), motmetrics.MOTAccumulator(auto_id=True)
    for k in range(len(JUDGE)):
        a, b = true[true.frame == k], found[found.frame == k]
        far = np.hypot(a.x.to_numpy()[:, None] - b.x.to_numpy(), a.y.to_numpy()[:, None] - b.y.to_numpy())
        heard.update(a.track.to_list(), b.track.to_list(), np.where(far <= 5, far, np.nan))
    names = ['mota', 'idf1', 'precision', 'recall', 'num_switches', 'num_unique_objects', 'mostly_tracked']
    yield motmetrics.metrics.create().compute(heard, metrics=names, name='finder + trackpy').round(3).reset_index(drop=True)


def of_men(tables, per_second):
    "For each man: cells in view, the share of stretches that swim, and speed, linearity and turning of these."
    for name, own in tables:
        rows = np.array([swim_of(path) for path in stretches(own, per_second)]).reshape(-1, 3)
        fast = rows[rows[:, 0] > MOTILE]
        yield dict(man=name, stretches=len(rows), cells=own.groupby('frame').size().mean(), motile=100*len(fast)/max(len(rows), 1),
                   vcl=np.median(fast[:, 0]) if len(fast) else np.nan, lin=np.median(fast[:, 1]) if len(fast) else np.nan,
                   turning=np.median(np.abs(fast[:, 2])) if len(fast) else np.nan)


def motion():
    "Generated men beside those of the training set and those kept apart."
    tracks, held = men()
    real = pd.DataFrame(of_men(tracks.items(), 50))
    real['group'] = np.where(real.man.isin(held), 'kept apart', 'learnt from')
    made, swimmers = [], load_microscope().swimmers
    for record in range(40):
        one = scene(swimmers, {}, 0, record, 250)
        made.append((f'{record:02}', track_table(seen_boxes(one))))
    made = pd.DataFrame(of_men(made, 25)).assign(group='generated')
    yield pd.concat([real, made]).round(3)


def consistency():
    "Does the picture move as the cells do? And does what lies still keep still?"
    from skimage.registration import optical_flow_tvl1
    pictures, boxes = video()
    shown = pictures/np.float32(255)
    x = draw(4, 11, condition=dict(cells=37, motile=13, speed=42, straightness=44))         # as that man is
    table = track_table(x)
    films = {'real': [(shown[345:395], boxes[boxes.frame.between(345, 394)].assign(frame=lambda t: t.frame - 345)),
                      (shown[445:495], boxes[boxes.frame.between(445, 494)].assign(frame=lambda t: t.frame - 445))],
             'generated': [(x.video.values[k], table[table.record == k]) for k in range(4)]}
    for name, parts in films.items():
        for part, (film, own) in enumerate(parts):
            still = np.abs(film - np.median(film, 0)).mean(0) < .02
            flicker = float(np.diff(film, axis=0)[:, still].std())
            errors, moved = [], []
            for k in range(0, 48, 6):
                down, right = optical_flow_tvl1(film[k], film[k + 1], attachment=30)
                both = own[own.frame == k].merge(own[own.frame == k + 1], on='track')
                step = (both.x_y - both.x_x) + 1j*(both.y_y - both.y_x)
                at = both.y_x.clip(0, 239).astype(int), both.x_x.clip(0, 319).astype(int)
                errors += list(np.abs(right[at] + 1j*down[at] - step))
                moved += list(np.abs(step))
            fast = np.array(moved) > .5
            yield pd.DataFrame([dict(video=name, part=part, flicker=round(255*flicker, 2), flow_error_px=round(float(np.median(errors)), 3),
                                     flow_error_swimming_px=round(float(np.median(np.array(errors)[fast])), 3),
                                     step_swimming_px=round(float(np.median(np.array(moved)[fast])), 3))])


def speed():
    draw(1, 0, frames=4)
    started = time.time()
    draw(2, 1)
    yield pd.DataFrame([dict(videos=2, pictures=50, seconds_each=round((time.time() - started)/2, 2), threads=torch.get_num_threads())])


JOBS = dict(train=train, motion=motion, detector=detector, tracking=tracking, consistency=consistency, speed=speed)

if __name__ == '__main__':
    job = sys.argv[1]
    tables = []
    for part in JOBS[job]():
        tables.append(part)
        if '--save' in sys.argv:
            pd.concat(tables).to_csv(CARD/f'{job}.csv', index=False)
    said = pd.concat(tables)
    keys = [c for c in ('arm', 'group', 'video') if c in said]
    print(said.groupby(keys).mean(numeric_only=True).round(3) if keys else said.to_string())
