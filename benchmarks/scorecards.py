"""The scorecards of the generators: a report on each, on patients outside their training sets.

    python benchmarks/scorecards.py [conditional normal ... polyps body sperm oct chest] [--save]

`conditional` gets requests for classes as they occur together, and is judged beside patients with any finding. The others
make normal hearts, and are judged beside patients labelled normal and nothing else; `normal` is the conditional
generator with requests for such patients as they occur. With --save the reports go to benchmarks/scorecards/, and figures onto the cards. Folders
ptbxl500 and ptbxl_more500 lie in DEEPSYNTHBODY_ECG.

`polyps`, `body`, `sperm`, `oct` and `chest` are judged beside the data that their own benchmarks keep apart, in the folders named there. For
`sperm` that is a later part of the one video that it was trained on: it shows nothing about other men.
"""
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from deepsynthbody_nb.cardiovascular import ecg
from deepsynthbody_nb.catalogue.usual import usual_requests
from deepsynthbody_nb.classifiers.labels import SUPERCLASSES
from deepsynthbody_nb.evaluation import report
from deepsynthbody_nb.evaluation.scorecard import write_measured
from deepsynthbody_nb.signals.leads import LEADS_8, as_ecg, to_leads
from deepsynthbody_nb.training.conditional import together
from deepsynthbody_nb.training.records import patient_folds

HERE = Path(__file__).resolve().parent
CARDS = HERE.parent/'deepsynthbody_nb'/'weights'
N = 1000  # synthetic records
HELD = (0, 1, 2)  # folds of patients that the conditional generator did not see


def simulated(n):
    "neurokit2's simulator, at heart rates as adults have them at rest."
    import neurokit2
    rates = np.random.default_rng(0).normal(72, 12, n).clip(45, 110)
    records = [neurokit2.ecg_simulate(10, sampling_rate=500, heart_rate=int(rate), method='multileads', random_state=k)
               for k, rate in enumerate(rates)]
    x = as_ecg(np.stack([r.to_numpy().T for r in records]).astype('float32'), 500, list(records[0].columns))
    return to_leads(x, LEADS_8)


def requested(n, only=None):
    "As classes, sex, age, rate and intervals occur together, or those of one class alone; and the classes."
    asked = usual_requests('conditional', 4*n, seed=11, like=None if only is None else dict(superclass=only))
    asked = [request for request in asked if only in (None, request['superclass'])][:n]
    x = ecg.sample(n, seed=11, leads=8, generator='conditional', condition=asked)
    labels = pd.DataFrame([{c: float(c in request['superclass']) for c in SUPERCLASSES} for request in asked])
    return x, labels


MADE = {
    'pulse2pulse': lambda: ecg.sample(N, seed=11, leads=8),
    'normal': lambda: requested(N, 'NORM')[0],
    'neurokit2': lambda: simulated(N),
}


def polyps():
    "Frames of other examinations, the training frames, and 1,000 pictures requested as they occur."
    from polyps import frames, synthetic
    from xarray import Dataset

    from deepsynthbody_nb.images.pixels import as_image, as_mask
    images, masks, table = frames()
    pairs = Dataset(dict(image=as_image(images/np.float32(255)), mask=as_mask(masks)))
    kept, learnt = (np.flatnonzero(table.role == role) for role in ('report', 'learn'))
    made = [a[:N] for a in synthetic()]
    return dict(real=pairs.isel(record=kept), train=pairs.isel(record=learnt),
                synthetic=Dataset(dict(image=as_image(made[0]/np.float32(255)), mask=as_mask(made[1]))),
                patients=table.group[kept].to_numpy(), train_patients=table.group[learnt].to_numpy())


def body():
    "Three pieces of 70 s of each subject: the eight kept apart, and the 20 for training; and 60 bodies at their rates."
    import xarray as xr
    from body import HELD as KEPT_APART
    from body import like
    from pulse import RATE, subjects

    import deepsynthbody_nb.cardiovascular.pulse as pulse
    from deepsynthbody_nb.signals.pulse import r_peaks
    ecgs, waves, who, asked = [], [], [], []
    for number, lead, wave, file in subjects():
        for start in (0, 160, 320):
            rows = slice(start*RATE, (start + 70)*RATE)
            ecgs.append(lead[None, rows])
            waves.append(wave[rows])
            who.append(number)
        asked.append(like(r_peaks(lead, RATE)[0], float(np.nanmedian(file['rr_ref']))))
    who = np.array(who)
    pieces = xr.Dataset(dict(ecg=as_ecg(np.stack(ecgs).astype('float32'), RATE, ['II']),
                             ppg=(('record', 'time'), np.stack(waves).astype('float32'), dict(sampling_rate=RATE, units='1'))))
    kept = np.isin(who, KEPT_APART)
    made = pulse.sample(2*len(asked), seconds=70, seed=11, rate=RATE, condition=asked*2)
    return dict(real=pieces.isel(record=kept), train=pieces.isel(record=~kept), synthetic=made,
                patients=who[kept], train_patients=who[~kept])


def sperm():
    "Pictures of the last seconds of the one video, of its first ones, and of 20 generated videos."
    from sperm import JUDGE, LEARN, video

    from deepsynthbody_nb.images.pixels import as_image
    from deepsynthbody_nb.reproductive import sperm
    pictures = as_image(video()[0]/np.float32(255))
    return dict(real=pictures[list(JUDGE)[::2]], train=pictures[list(LEARN)[::2]], synthetic=sperm.sample(20, seed=11))


def grey(kind):
    "Scans or films of patients kept apart, training ones, and 1,000 synthetic ones, as they occur together; 128 x 128."
    import greys

    from deepsynthbody_nb.generators.grey_flow import draw
    from deepsynthbody_nb.images.pixels import from_bytes, resize, to_bytes
    x, table = greys.real(kind)
    asked, dims = usual_requests(kind, N, seed=11), ('record', 'y', 'x')
    made = to_bytes(resize(draw(N, 11, condition=asked, card=kind), greys.SIZE))
    said = [request['diagnosis' if kind == 'oct' else 'finding'] for request in asked]
    kept, learnt = (np.flatnonzero(table.role == role) for role in ('report', 'learn'))
    classes = sorted(table.label.unique())

    def answers(labels):
        return pd.DataFrame([{name: float(name == own) for name in classes} for own in labels])
    image = from_bytes(greys.small(x), dims)
    return dict(real=image[kept], train=image[learnt], synthetic=from_bytes(made, dims), labels=answers(table.label.iloc[kept]),
                synthetic_labels=answers(said), patients=table.patient[kept].astype(str).to_numpy(),
                train_patients=table.patient[learnt].astype(str).to_numpy())


OTHERS = dict(polyps=polyps, body=body, sperm=sperm, oct=lambda: grey('oct'), chest=lambda: grey('chest'))


def judged(name, one, save):
    "Print a report's verdicts; keep it, and its figures on the card."
    print(name, *(f"{axis}: {v['grade']}. {v['sentence']}" for axis, v in one.verdicts.items()), sep='\n  ')
    if save:
        (HERE/'scorecards').mkdir(exist_ok=True)
        one.save(HERE/'scorecards'/f'{name}.json')
        if (CARDS/name).is_dir():
            write_measured(CARDS/name, one, f'python benchmarks/scorecards.py {name} --save')


def scorecards(folder, names, save):
    for name in [name for name in names if name in OTHERS]:
        judged(name, report(**OTHERS[name](), cache=HERE.parent/'build'/'features'), save)
    names = [name for name in names if name not in OTHERS]
    if not names:
        return
    found = together(*(Path(folder)/name for name in ('ptbxl500', 'ptbxl_more500')))
    held = np.isin(patient_folds(found.table), HELD)
    real, train = found[held], found[~held]
    classes = real.table[list(SUPERCLASSES)].fillna(0)
    normal = real[((classes.NORM == 1) & (classes.sum(axis=1) == 1)).to_numpy()]
    cache = HERE.parent/'build'/'features'
    for name in names:
        if name == 'conditional':
            x, labels = requested(N)
            one = report(
                real.ecg, x, train.ecg, real.table[list(SUPERCLASSES)].reset_index(drop=True), synthetic_labels=labels,
                patients=real.table.patient.to_numpy(), train_patients=train.table.patient.to_numpy(), cache=cache,
            )
        else:
            one = report(normal.ecg, MADE[name](), patients=normal.table.patient.to_numpy(), cache=cache)
        judged(name, one, save)


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    given = [word for word in sys.argv[1:] if word != '--save']
    scorecards(os.environ.get('DEEPSYNTHBODY_ECG'), given or ['conditional', *MADE], '--save' in sys.argv)
