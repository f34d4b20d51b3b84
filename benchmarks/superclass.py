"""What helps the superclass network: each part of its recipe left out in turn.

    python benchmarks/superclass.py [--save]

Macro-AUROC on patients outside the training set: in the first three of the five folds of `nbs/training/03_classifier.ipynb`, an
hour of one core. Pre-training on generated ECGs is judged on the patients that the generator never saw. Folders
ptbxl500, ptbxl_more500, ptbxl_more100, cinc2021 and cinc_more lie in DEEPSYNTHBODY_ECG. With --save the table goes to the card.
"""
import os
import sys
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import torch
from scorecards import requested

from deepsynthbody_nb.catalogue.shelf import find
from deepsynthbody_nb.classifiers.labels import SUPERCLASSES
from deepsynthbody_nb.classifiers.resnet import thinned
from deepsynthbody_nb.evaluation.classification import auroc
from deepsynthbody_nb.training import classifier
from deepsynthbody_nb.training.conditional import together
from deepsynthbody_nb.training.records import patient_folds, ptbxl_folds

CLASSES, FOLDS = list(SUPERCLASSES), (0, 1, 2)


def cropped(x, generator):
    "The output of `augment` without any change."
    begin = torch.randint(x.shape[2] - classifier.CROP, (len(x),), generator=generator)
    at = begin[:, None] + torch.arange(classifier.CROP)
    return x.gather(2, at[:, None].expand(-1, x.shape[1], -1)), torch.ones(len(x))


def macro(network, signals, labels):
    scores = pd.DataFrame(classifier.logits_of(network, signals).numpy(), columns=CLASSES)
    return round(auroc(labels.reset_index(drop=True), scores).macro, 4)


def both(*taught, seed):
    "The running mean of a training, and its last weights."
    mean_of, seen = classifier.running_mean, {}

    def watched(mean, network, keep):
        seen['last'] = network
        mean_of(mean, network, keep)

    with mock.patch.object(classifier, 'running_mean', watched):
        return classifier.train_classifier(*taught, seed=seed), seen['last'].eval().requires_grad_(False)


def left_out(signals, labels, folds):
    for k in FOLDS:
        own, held = (torch.from_numpy(mask) for mask in (folds != k, folds == k))
        known, asked = labels[folds != k].reset_index(drop=True), (signals[held], labels[folds == k])
        said = classifier.opinions(signals[own], known, folds[folds != k])
        for arm, taught in {
            'the recipe': (known, said), 'without augmentation': (known, said), 'labels alone': (known, None),
            'labels alone, smoothed by a tenth': (known*.8 + .1, None),
        }.items():
            augment = cropped if arm == 'without augmentation' else classifier.augment
            with mock.patch.object(classifier, 'augment', augment):
                mean, last = both(signals[own], *taught, seed=k)
            yield dict(arm=arm, part=f'fold {k}', auroc=macro(mean, *asked))
            if arm == 'the recipe':
                yield dict(arm='without the running mean', part=f'fold {k}', auroc=macro(last, *asked))


def pretrained(signals, labels, table, folder):
    "The folds 0 to 2 of the conditional generator are for testing; all other patients are for training."
    records = together(*(Path(folder)/name for name in ('ptbxl500', 'ptbxl_more500', 'cinc2021', 'cinc_more')))
    fold = dict(zip(records.table.patient.astype(str), ptbxl_folds(records.table), strict=True))
    held = np.array([fold.get(patient, -1) in (0, 1, 2) for patient in table.patient.astype(str)])
    known, own = labels[~held].reset_index(drop=True), torch.from_numpy(~held)
    said = classifier.opinions(signals[own], known, patient_folds(table[~held].reset_index(drop=True), 5))
    x, asked = requested(5000)
    made = torch.cat([thinned(torch.from_numpy(x.values[k:k + 200]), 5) for k in range(0, 5000, 200)])[..., :1000].half()
    test = signals[torch.from_numpy(held)], labels[held]
    for seed in (0, 1):
        first = classifier.train_classifier(made, asked, None, 1000, seed=100 + seed)
        yield dict(arm='generated ECGs alone', part=f'seed {seed}', auroc=macro(first, *test))
        for arm, start in (('the recipe, other patients', None), ('pre-trained on generated ECGs', first)):
            network = classifier.train_classifier(signals[own], known, said, seed=seed, start=start)
            yield dict(arm=arm, part=f'seed {seed}', auroc=macro(network, *test))


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    base = Path(os.environ['DEEPSYNTHBODY_ECG'])
    folders = [base/name for name in ('ptbxl500', 'ptbxl_more500', 'ptbxl_more100', 'cinc2021', 'cinc_more')]
    signals, table = classifier.read_labelled(*folders)
    labels, rows = table[CLASSES], []
    for row in (*left_out(signals, labels, patient_folds(table, 5)), *pretrained(signals, labels, table, base)):
        rows.append(row)
        print(row, flush=True)
    table = pd.DataFrame(rows).pivot(index='arm', columns='part', values='auroc').reset_index()
    print(table.to_string())
    if '--save' in sys.argv:
        table.to_csv(find('superclass').folder/'ablations.csv', index=False)
