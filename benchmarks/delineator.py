"""The figures of the delineator's card.

    python benchmarks/delineator.py FOLDER [--save]

FOLDER holds fold0.safetensors to fold4.safetensors of `nbs/training/00_delineator.ipynb`, each of which has not seen a fold
of LUDB. The beats with a P, by rhythm, are found by the network that ships, in records of patients outside its
training set: PTB-XL's folds 1 and 2, CinC 2021, and its sources. Folders ludb, ptbxl500, ptbxl_more500, cinc2021 and
cinc_more lie in DEEPSYNTHBODY_ECG. With --save the tables go to the card.
"""
import ast
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.torch import load_file

from deepsynthbody_nb.catalogue.shelf import find
from deepsynthbody_nb.evaluation.delineation import boundary_errors, by_record, expert_marks, score_delineation
from deepsynthbody_nb.records.devices import built
from deepsynthbody_nb.signals.delineate import Delineator, delineate
from deepsynthbody_nb.signals.leads import LEADS_12, as_ecg
from deepsynthbody_nb.training.conditional import together
from deepsynthbody_nb.training.delineator import deal_folds, read_ludb
from deepsynthbody_nb.training.records import ptbxl_folds

SNOMED = {'426783006': 'SR', '427084000': 'STACH', '164889003': 'AFIB', '164890007': 'AFLT', '270492004': '1AVB'}
RHYTHMS = {'SR': 'sinus rhythm', 'STACH': 'sinus tachycardia', '1AVB': 'first-degree block', 'AFIB': 'fibrillation',
           'AFLT': 'flutter'}
MOST = 100  # records of a rhythm and collection
WITH_P = ('SR', 'STACH', '1AVB')


def cross_validated(ludb, networks):
    "One row per record, and a histogram of boundary errors."
    table, signals, _ = read_ludb(ludb)
    fold = deal_folds(table.group)
    found = []
    for k in range(5):
        rows = np.flatnonzero(fold == k)
        x = as_ecg(signals[rows], 500, LEADS_12).assign_coords(record=table.name.to_numpy(str)[rows])
        own = delineate(x, built(Delineator, load_file(Path(networks)/f'fold{k}.safetensors')))
        found.append(own[own.lead != 'all'])
    found, marked = pd.concat(found, ignore_index=True), expert_marks(ludb)
    found['record'] = found.record.astype(str)
    known = pd.DataFrame(dict(group=table.group.to_numpy(), fold=fold), index=table.name.astype(str))
    beats = found[found.wave == 'QRS'].groupby('record').size().rename('beats_found')
    for table in score_delineation(marked, found):
        print(table.round(4).to_string())
    rows = by_record(marked, found).join(known).join(beats).reset_index()
    return rows.round(2), boundary_errors(marked, found)


def told(folder):
    "Codes of each record, as PTB-XL spells them."
    t = pd.read_csv(folder/'labels.csv', skipinitialspace=True)
    if 'scp_codes' in t:
        return {f'{number:05}_hr': set(ast.literal_eval(text)) for number, text in zip(t.ecg_id, t.scp_codes, strict=True)}
    codes = t['dx_snomed' if 'dx_snomed' in t else 'dx'].astype(str).str.replace(',', ';').str.split(';')
    return {name: {SNOMED.get(c.strip(), c.strip()) for c in own} for name, own in zip(t.record, codes, strict=True)}


def beats_with_p(folder, network):
    "One row per rhythm and collection: records, beats, and how many have a P, over all leads and in single ones."
    folders = [Path(folder)/name for name in ('ptbxl500', 'ptbxl_more500', 'cinc2021', 'cinc_more')]
    records = together(*folders, progress=False)
    names = records.table.index.astype(str)
    codes = {name: own for one in folders for name, own in told(one).items()}
    source = np.where(records.table.source == 'PTB-XL', 'PTB-XL',
                      np.where(records.table.source == 'CinC 2021', 'CinC 2021', "CinC's sources"))
    fold = ptbxl_folds(records.table)
    rows = []
    for code, rhythm in RHYTHMS.items():
        is_so = np.array([code in codes[n] and 'PACE' not in codes[n] for n in names])
        if code in WITH_P:
            is_so &= np.array([not codes[n] & {'AFIB', 'AFLT'} for n in names])
        for collection in np.unique(source):
            use = np.flatnonzero(is_so & (source == collection) & ((collection != 'PTB-XL') | np.isin(fold, [1, 2])))
            use = use[np.unique(np.linspace(0, len(use) - 1, min(MOST, len(use))).astype(int))]
            if not len(use):
                continue
            marks = delineate(records.ecg[use], network)
            over = marks.lead == 'all'
            row = dict(rhythm=rhythm, collection=collection, records=len(use))
            for name, own in (('over_leads', marks[over]), ('single', marks[~over])):
                beats = (own.wave == 'QRS').sum()
                row |= {f'{name}_beats': beats, f'{name}_share': round((own.wave == 'P').sum()/beats, 4)}
            rows.append(row)
    return pd.DataFrame(rows)


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    base, card = Path(os.environ['DEEPSYNTHBODY_ECG']), find('delineator')
    ships = built(Delineator, load_file(card.folder/card.weights))
    records, errors = cross_validated(base/'ludb', sys.argv[1])
    tables = dict(cross_validation=records, boundary_errors=errors, rhythms=beats_with_p(base, ships))
    for name in ('qrs_ms', 'pr_ms', 'qt_ms', 'heart_rate_bpm'):
        apart = (records[f'{name}_found'] - records[f'{name}_marked']).abs()
        print(name, round(apart.mean(), 2), apart.count(), 'single', round(records[f'{name}_lead_error'].mean(), 2))
    for group in ('fibrillation', 'flutter', 'paced'):
        own = records[records.group == group]
        print(group, len(own), 'P invented', own.P_invented.sum(), 'of', own.beats_found.sum())
    print(tables['rhythms'].to_string())
    if '--save' in sys.argv:
        for name, table in tables.items():
            table.to_csv(card.folder/f'{name}.csv', index=False)
