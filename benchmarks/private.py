"""The price of differential privacy: median beats of PTB-XL, trained with stronger and weaker guarantees.

    python benchmarks/private.py [--save]

1,000 patients are for training, the others are held back; five trainings each. Folders ptbxl500 and ptbxl_more500 lie in
DEEPSYNTHBODY_ECG.
"""
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from deepsynthbody_nb.cardiovascular import ecg
from deepsynthbody_nb.evaluation.distances import frechet, told_apart
from deepsynthbody_nb.evaluation.privacy import membership
from deepsynthbody_nb.signals.measure import median_beats
from deepsynthbody_nb.training.conditional import together
from deepsynthbody_nb.training.private import beat_axes, draw_beats, teach_beats, teach_privately

HERE = Path(__file__).resolve().parent
SEEDS = range(5)


def at_100_hz(beats):
    return beats[..., ::5].assign_attrs(beats.attrs | dict(sampling_rate=100))


def patients_of(folder):
    "A median beat of each patient, in random order."
    found = together(*(Path(folder)/name for name in ('ptbxl500', 'ptbxl_more500')))
    beats = at_100_hz(median_beats(found.ecg))
    use = ~found.table.patient.duplicated().to_numpy() & ~np.isnan(beats.values).any((1, 2))
    return beats[np.random.default_rng(0).permutation(np.flatnonzero(use))]


def judged(network, axes, train, held, seed):
    made = axes.rows(draw_beats(network, axes, 1000, seed))
    return dict(
        frechet=frechet(held[:500], made[:500]), told_apart=told_apart(held[:500], made[:500]),
        attack=membership(train, held, made, seed=seed).table.auroc.max(),
    )


def price(folder):
    real = patients_of(folder)
    axes = beat_axes(at_100_hz(median_beats(ecg.sample(1500, seed=77, leads=8))))
    rows = axes.rows(real)
    train, held = rows[:1000], rows[1000:]
    begun = teach_beats(axes.rows(at_100_hz(median_beats(ecg.sample(1500, seed=78, leads=8)))))
    ways = {
        'generated only': lambda seed: begun,
        **{f'epsilon {e}': lambda seed, e=e: teach_privately(train, e, start=begun, seed=seed)[0] for e in (1, 3, 10)},
        'no promise': lambda seed: teach_beats(train, seed=seed),
        'by heart, 100 patients': lambda seed: teach_beats(train[:100], 6000, seed=seed),
    }
    found = []
    for name, teach in ways.items():
        own = train[:100] if '100' in name else train
        each = pd.DataFrame([judged(teach(seed), axes, own, held, seed) for seed in SEEDS])
        found.append(dict(taught=name, **each.mean(), **each.std().add_suffix('_sd'),
                          floor=frechet(held[:500], held[500:1000]), patients=len(own), held=len(held)))
        print(found[-1], flush=True)
    return pd.DataFrame(found)


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    table = price(os.environ['DEEPSYNTHBODY_ECG'])
    print(table.round(3).to_string())
    if '--save' in sys.argv:
        table.round(4).to_csv(HERE/'private.csv', index=False)
