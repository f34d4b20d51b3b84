"""Records that an inversion does not reach, among real ones: the table `reach.csv` of its card.

    python benchmarks/inversion.py [--save]

The records are those that the table names: 60 of LUDB, 60 of PTB-XL, 40 of CinC 2021, drawn at random, whatever their
diagnosis. Two processes share them, a thread each. Folders ludb, ptbxl500 and cinc2021 lie in DEEPSYNTHBODY_ECG. With
--save the table goes to the card.
"""
import os
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
import torch

from deepsynthbody_nb.catalogue.shelf import find
from deepsynthbody_nb.latent.bottleneck import decode
from deepsynthbody_nb.latent.inversion import NEAR, NEAREST, as_generated, invert, nearness
from deepsynthbody_nb.signals.files import read
from deepsynthbody_nb.signals.measure import measure

FILES = {'LUDB': 'ludb/data/{}.hea', 'PTB-XL': 'ptbxl500/records500/{}.hea', 'CinC 2021': 'cinc2021/data/{}.hea'}
COLUMNS = (*NEAR, 'rhythm')


def reached(name):
    "One row of the table."
    torch.set_num_threads(1)
    collection, record = name
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')                                      # of LUDB's headers, and what is not reached
        x = as_generated(read(Path(os.environ['DEEPSYNTHBODY_ECG'])/FILES[collection].format(record)))
        latent = invert(x)
    row = dict(collection=collection, record=record, correlation=round(float(nearness(latent, x).mean()), 4))
    given, found = measure(x).iloc[0], measure(decode(latent)).iloc[0]
    for column in COLUMNS:
        for side, own in (('', given), ('_found', found)):
            value = own[column]
            row[column + side] = value if column == 'rhythm' else round(float(value), 1)
    return row


def shares(table):
    "How many records are farther away than `NEAR` allows."
    away = {c: (table[f'{c}_found'] - table[c]).abs() for c in NEAR}
    away['qrs_axis_deg'] = away['qrs_axis_deg'].where(away['qrs_axis_deg'] <= 180, 360 - away['qrs_axis_deg'])
    off = pd.DataFrame({c: (v > NEAR[c]) | (table[f'{c}_found'].isna() & table[c].notna()) for c, v in away.items()})
    told = table.rhythm.fillna('').ne('') & table.rhythm_found.fillna('').ne('')
    off = off.assign(rhythm=told & table.rhythm.ne(table.rhythm_found), correlation=table.correlation < NEAREST)
    return off.mean().round(3).to_dict() | dict(any=round(off.any(axis=1).mean(), 3))


if __name__ == '__main__':
    path = find('inversion').folder/'reach.csv'
    names = pd.read_csv(path, dtype={'record': str})[['collection', 'record']].itertuples(index=False, name=None)
    with ProcessPoolExecutor(2) as processes:
        table = pd.DataFrame(list(processes.map(reached, names)))
    print(shares(table))
    if '--save' in sys.argv:
        table.to_csv(path, index=False)
