"""A day of three leads at 250 Hz: opened, delineated in pieces, drawn as 24 pages; seconds, and peak memory of a process of its own.

    python benchmarks/long_records.py [hours] [--save]
"""
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

HERE = Path(__file__).resolve().parent


def write_day(folder, hours):
    "Ten minutes of a synthetic heart at changing rates, repeated."
    from deepsynthbody_nb.cardiovascular import ecg
    from deepsynthbody_nb.signals.files import write
    from deepsynthbody_nb.signals.leads import as_ecg
    from deepsynthbody_nb.signals.retiming import going_on, loops_of
    loop, = loops_of(ecg.sample(1, seed=3, leads=8)).values()
    rng = np.random.default_rng(0)
    minutes = going_on(loop, rng.uniform(50, 110, 10), rng)[[1, 2, 6], ::2]
    x = as_ecg(np.tile(minutes, 6*hours), 250, ['II', 'V1', 'V5'])
    return write(x.assign_attrs(provenance='synthetic', model='pulse2pulse', seed=3), folder/'day.hea')


def measure(path):
    "In a process of its own."
    from deepsynthbody_nb.signals.long_records import LongRecord, delineate_long, draw_disclosure
    torch.set_num_threads(2)
    took = {}
    start = time.perf_counter()
    record = LongRecord(path)
    took['open'] = time.perf_counter() - start
    start = time.perf_counter()
    marks = delineate_long(record, progress=False)
    took['delineate'] = time.perf_counter() - start
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for hour in range(round(record.seconds/3600)):
            draw_disclosure(record, begin=3600*hour, marks=marks).savefig(f'{folder}/{hour}.png', dpi=150)
    took['draw'] = time.perf_counter() - start
    peak = next(int(line.split()[1])/1e3 for line in open('/proc/self/status') if line.startswith('VmHWM'))
    print('measured', record.seconds/3600, int(marks.beat.max()) + 1, *took.values(), peak)


def main():
    hours = int(next((word for word in sys.argv[1:] if word.isdigit()), 24))
    with tempfile.TemporaryDirectory() as folder:
        path = write_day(Path(folder), hours)
        said = subprocess.run([sys.executable, '-W', 'ignore', __file__, 'measure', path], capture_output=True, text=True, check=True).stdout
    values = map(float, said.split('measured ')[1].split())
    table = pd.DataFrame([dict(zip(('hours', 'beats', 'open_s', 'delineate_s', 'draw_s', 'peak_mb'), values, strict=True))])
    table['machine'] = f"{platform.machine()}, {os.cpu_count()} cores, PyTorch {torch.__version__.partition('+')[0]}"
    print(table.round(2).to_string())
    if '--save' in sys.argv:
        table.to_csv(HERE/'long_records.csv', index=False)


if __name__ == '__main__':
    measure(sys.argv[2]) if sys.argv[1:2] == ['measure'] else main()
