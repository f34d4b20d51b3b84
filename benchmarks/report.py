"""How long a report takes: 10,000 synthetic ECGs beside 2,000 real ones, with labels; and again, with features kept.

    python benchmarks/report.py [--save]

Seconds and the peak memory of the process; the synthetic ECGs are made before. Folders ptbxl500 and ptbxl_more500 lie
in DEEPSYNTHBODY_ECG.
"""
import os
import platform
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import pandas as pd
import torch
from scorecards import requested

from deepsynthbody_nb.classifiers.labels import SUPERCLASSES
from deepsynthbody_nb.evaluation import report
from deepsynthbody_nb.training.conditional import together

HERE = Path(__file__).resolve().parent


def timed(folder, n_real=2000, n_synthetic=10_000):
    real = together(*(Path(folder)/name for name in ('ptbxl500', 'ptbxl_more500')))[slice(n_real)]
    made, labels = requested(n_synthetic)
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for call in ('first', 'again'):
            start = time.perf_counter()
            report(real.ecg, made, None, real.table[list(SUPERCLASSES)].reset_index(drop=True), synthetic_labels=labels,
                   patients=real.table.patient.to_numpy(), cache=cache)
            took = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20
            rows.append(dict(call=call, seconds=round(took, 1), peak_gb=round(peak, 2), real=n_real,
                             synthetic=n_synthetic, threads=torch.get_num_threads(), machine=platform.machine()))
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    table = timed(os.environ['DEEPSYNTHBODY_ECG'])
    if '--save' in sys.argv:
        table.to_csv(HERE/'report.csv', index=False)
