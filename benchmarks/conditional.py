"""The figures of the conditional generator's card.

    python benchmarks/conditional.py [taught judged apart] [--save]

`taught`: the results on real patients of readers trained on generated records. `judged`: rates, findings, measures and
nearest records. `apart`: how generated ECGs are recognised, found by replacing more and more of real records with
generated parts; a logistic regression on random convolutions is trained to find the change, in five folds by patient.

All on patients of the folds 1 and 2, which the generator never saw. With --save the tables go to the card. Folders
ptbxl500, ptbxl_more500, cinc2021 and cinc_more lie in DEEPSYNTHBODY_ECG.
"""
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scorecards import requested

from deepsynthbody_nb.cardiovascular import ecg
from deepsynthbody_nb.catalogue.shelf import find
from deepsynthbody_nb.catalogue.usual import usual_requests
from deepsynthbody_nb.classifiers import load_classifier
from deepsynthbody_nb.classifiers.labels import SUPERCLASSES
from deepsynthbody_nb.evaluation.distances import told_apart
from deepsynthbody_nb.evaluation.features import ecg_random
from deepsynthbody_nb.generators.flow import BEATS, as_condition, drawn, load_flow
from deepsynthbody_nb.records.chance import numpy_stream, stream
from deepsynthbody_nb.signals.leads import LEADS_8, as_ecg
from deepsynthbody_nb.signals.retiming import loops_of
from deepsynthbody_nb.training.conditional import judged, taught, together
from deepsynthbody_nb.training.flow import beats_of
from deepsynthbody_nb.training.records import ptbxl_folds

SETS = 3  # of generated records, of which figures are means
FEW, MANY = 300, 5000  # real records that a hospital may have; generated ones beside them
CLASSES = list(SUPERCLASSES)


def dealt(folder):
    "Records for training, and those for the report."
    records = together(*(Path(folder)/name for name in ('ptbxl500', 'ptbxl_more500', 'cinc2021', 'cinc_more')))
    fold = ptbxl_folds(records.table)
    return records[~np.isin(fold, [0, 1, 2])], records[np.isin(fold, [1, 2])]


def labelled(records):
    return records[records.table[CLASSES].notna().all(axis=1).to_numpy()]


def usefulness(learn, test):
    learn, test = labelled(learn), labelled(test)
    real = learn.ecg, learn.table[CLASSES].reset_index(drop=True)
    some = np.sort(numpy_stream(0, 0).permutation(len(learn))[:FEW])
    made, asked = requested(MANY)
    n = len(learn)
    sets = {'real': real, f'{FEW} real': (real[0][some], real[1].iloc[some]),
            'synthetic': (made[:n], asked[:n]), f'{MANY} synthetic': (made, asked)}
    mixes = [('real',), (f'{FEW} real',), ('synthetic',), (f'{MANY} synthetic',), (f'{FEW} real', 'synthetic'),
             (f'{FEW} real', f'{MANY} synthetic'), ('real', f'{MANY} synthetic')]
    return taught(sets, mixes, test)


def figures(learn, test):
    read = load_classifier('superclass').predict_proba

    def make(n, seed, condition):
        return ecg.sample(n, seed=seed, leads=8, generator='conditional', condition=condition)

    return judged(make, read, learn, test, each=80)


def beats_and_rests(flow, ecg):
    "The beats of each record, and the record without the codec's beats; None where there are too few."
    found = []
    loops = loops_of(ecg)
    for k in range(ecg.sizes['record']):
        shapes, parts = beats_of(loops[k]) if k in loops else (None, None)
        if parts is None or not (parts > 0).all():
            found.append(None)
            continue
        code = flow.codec.encode(shapes[None], parts[None], torch.ones(1, len(parts), dtype=torch.bool))
        told = [v[0].double().numpy() for v in flow.codec.decode(code)]
        again = drawn(*told, 0, loops[k].values.shape[1])
        found.append((shapes, parts, loops[k].values.numpy() - again))
    return found


def coded(flow, beats):
    "Hearts and deviations, the beats of a shorter record repeated: (n, 1 + BEATS, numbers)."
    codes = []
    for shapes, parts, _ in beats:
        z = flow.codec.encode(shapes[None], parts[None], torch.ones(1, len(parts), dtype=bool))[0]
        codes.append(torch.cat([z[:1], z[1:][np.arange(BEATS) % len(parts)]]))
    return torch.stack(codes)


def walked(flow, n, seed):
    "Codes as the generator makes them, before its hearts are settled."
    asked = as_condition(usual_requests(find('conditional'), n, seed), n)
    codes = []
    for begin in range(0, n, 32):
        rows = range(begin, min(begin + 32, n))
        noise = torch.stack([torch.randn(1 + BEATS, flow.codec.numbers, generator=stream(seed, k)) for k in rows])
        codes.append(flow.walk(noise, {name: v[list(rows)] for name, v in asked.items()}))
    return torch.cat(codes)


def shown(flow, codes, rests, seed):
    "ECGs from codes and noise; `rests` None: noise as the generator makes it, 'none': none."
    made = []
    for k, (shapes, parts) in enumerate(zip(*flow.codec.decode(codes), strict=True)):
        begin = numpy_stream(seed, k).random()
        x = drawn(shapes.numpy(), parts.double().numpy(), begin)
        if rests is None:
            x = x + flow.codec.noise(stream(seed, k, 3)).numpy()
        elif not isinstance(rests, str):
            x = x + np.resize(rests[k].T, (x.shape[1], len(x))).T
        made.append(x.astype('float32'))
    return as_ecg(np.stack(made), 500, LEADS_8)


def stages(real):
    flow = load_flow()
    found = beats_and_rests(flow, real.ecg)
    use = [k for k, own in enumerate(found) if own is not None]
    beats, n = [found[k] for k in use], len(use)
    names = real.table.patient.astype(str).to_numpy()[use]
    own, rests = coded(flow, beats), [rest for *_, rest in beats]
    looked = ecg_random(real.ecg[use], 400)

    def swapped(heart, rest):
        return torch.cat([heart[:, :1], rest[:, 1:]], 1)

    rows = []
    for s in range(SETS):
        made = walked(flow, n, 500 + s)
        order = numpy_stream(s, 1).permutation(n)
        for name, codes, noise, owners in (
            ('their beats redrawn, without noise', own, 'none', names),
            ("their beats redrawn, with another record's noise", own, [rests[k] for k in order], names),
            ('their beats redrawn, with generated noise', own, None, names),
            ('their hearts, generated deviations and noise', swapped(own, made), None, names),
            ('generated hearts, their deviations, generated noise', swapped(made, own), None, names),
            ('generated, hearts not settled', made, None, None),
            ('generated, hearts settled', flow.codec.settled(made), None, None),
        ):
            owners = [f'made {k}' for k in range(n)] if owners is None else owners
            value = told_apart(looked, ecg_random(shown(flow, codes, noise, s), 400), [*names, *owners], s)
            rows.append(dict(replaced=name, auroc=value, records=n))
            print(s, name, round(value, 3), flush=True)
    for s in range(SETS):
        half = numpy_stream(s, 2).permutation(np.unique(names))
        one = np.isin(names, half[:len(half)//2])
        value = told_apart(looked[one], looked[~one], [*names[one], *names[~one]], s)
        rows.append(dict(replaced='real beside real, half of the patients each', auroc=value, records=n//2))
    t = pd.DataFrame(rows)
    each = t.groupby('replaced', sort=False).auroc
    return pd.DataFrame(dict(auroc=each.mean(), low=each.min(), high=each.max(),
                             records=t.groupby('replaced', sort=False).records.first())).round(3).reset_index()


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    wanted = [name for name in ('taught', 'judged', 'apart') if name in sys.argv[1:]] or ['taught', 'judged', 'apart']
    learn, test = dealt(os.environ['DEEPSYNTHBODY_ECG'])
    tables = {}
    if 'taught' in wanted:
        tables['usefulness'] = usefulness(learn, test).round(4)
    if 'judged' in wanted:
        tables |= {name: table.round(4) for name, table in figures(learn, test).items()}
    if 'apart' in wanted:
        tables['apart'] = stages(test)
    for name, table in tables.items():
        print(name, table.head(20).to_string(), sep='\n')
        if '--save' in sys.argv:
            table.to_csv(find('conditional').folder/f'{name}.csv', index=False)
