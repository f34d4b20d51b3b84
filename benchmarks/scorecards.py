"""The scorecards of the ECG generators: a report on each, on patients that none of them learnt from.

    python benchmarks/scorecards.py [conditional normal ...] [--save]

`conditional` is asked for classes as they occur together, and judged beside patients with any finding. The others make
normal hearts, and are judged beside patients who are called normal and nothing else; `normal` is the conditional
generator, asked for such patients as they occur. With --save the reports go to benchmarks/scorecards/, and figures onto the cards. Folders
ptbxl500 and ptbxl_more500 lie in DEEPSYNTHBODY_ECG.
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


def scorecards(folder, names, save):
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
        print(name, *(f"{axis}: {v['grade']}. {v['sentence']}" for axis, v in one.verdicts.items()), sep='\n  ')
        if save:
            (HERE/'scorecards').mkdir(exist_ok=True)
            one.save(HERE/'scorecards'/f'{name}.json')
            if (CARDS/name).is_dir():
                write_measured(CARDS/name, one, f'python benchmarks/scorecards.py {name} --save')


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    given = [word for word in sys.argv[1:] if word != '--save']
    scorecards(os.environ['DEEPSYNTHBODY_ECG'], given or ['conditional', *MADE], '--save' in sys.argv)
