"""The figures of the sliders' card, measured anew: what each slider moves, whether records between two are natural, and whether beats jump.

    python benchmarks/controls.py [effects walks jumps] [--save]

Seeds are those of the card, which were not used to find the sliders. With --save the tables go to the card.
"""
import sys

import numpy as np
import pandas as pd

from deepsynthbody_nb.catalogue.shelf import find
from deepsynthbody_nb.evaluation.walks import WAYS, effects, jumps, midway, qualities, share_outside, summarise
from deepsynthbody_nb.latent.bottleneck import decode, draw_latents, latents
from deepsynthbody_nb.latent.controls import CONTROLS
from deepsynthbody_nb.latent.walk import walk

LEADS = ['I', 'II', 'V2', 'V5']


def moved():
    "The axis' search was tuned on records of the first seed, so it is judged on those of the second."
    others = summarise(effects(52, 20261121, [c for c in CONTROLS if c != 'qrs_axis'], progress=False))
    axis = summarise(effects(52, 20261122, ['qrs_axis'], progress=False))
    return pd.concat([others, axis]).round(3)


def seen(several):
    "Four quantities of some leads, a few latents at a time."
    return pd.concat([qualities(decode(several[k:k + 50]).sel(lead=LEADS)) for k in range(0, len(several), 50)])


def natural():
    ordinary, others = (pd.concat([seen(latents(50, 20261122, start + k)) for k in range(0, 1000, 50)])
                        for start in (0, 1000))
    rows = {'ordinary records': others}
    rows |= {way: seen(midway(200, way, 20261124)) for way in WAYS}
    rows['drawn from the density'] = seen(draw_latents(600, 20261125))
    return pd.DataFrame({way: share_outside(t, ordinary) for way, t in rows.items()}).T.round(4).rename_axis('way').reset_index()


def slid():
    pairs = pd.concat([jumps(decode(walk([600 + 2*k, 601 + 2*k], 60, 'bottleneck'))) for k in range(20)])
    shares = (.5, .9, .99, .999, 1)
    table = pd.DataFrame(dict(share=[f'{100*s:g} %' for s in shares],
                              slide_ms=pairs.slide_ms.abs().quantile(shares).round(1).to_numpy(),
                              change_mv=pairs.change_mv.abs().quantile(shares).round(3).to_numpy()))
    print(len(pairs), 'pairs;', round(100*pairs.slide_ms.isna().mean(), 2), '% without a partner')
    return table


if __name__ == '__main__':
    jobs = dict(effects=moved, walks=natural, jumps=slid)
    for name in [name for name in jobs if name in sys.argv[1:]] or jobs:
        table = jobs[name]()
        if name == 'effects':
            by = table.groupby('control', sort=False)
            steady = by.spearman.agg(mean='mean', lowest_tenth=lambda r: r.quantile(.1), lowest='min')
            matrix = by[list(CONTROLS)].mean()
            own = pd.Series({c: matrix.loc[c, c] for c in matrix.index})
            others = matrix.apply(lambda row: row.drop(row.name), axis=1).reindex(columns=list(CONTROLS))
            largest = others.abs().idxmax(axis=1)
            print(steady.assign(own=own, largest=largest, other=[matrix.loc[c, largest[c]] for c in matrix.index],
                                ratio=own/np.abs([matrix.loc[c, largest[c]] for c in matrix.index])).round(3).to_string())
        else:
            print(table.to_string())
        if '--save' in sys.argv:
            table.to_csv(find('controls').folder/f'{name}.csv', index=False)
