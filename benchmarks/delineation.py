"""Delineation of 12 leads x 10 s: ours beside neurokit2's, in one run, alternating, on one thread.

    python benchmarks/delineation.py [rounds]
"""
import os, platform, sys, time
os.environ['OMP_NUM_THREADS'] = '1'
import numpy as np, torch
import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.signals.delineate import delineate
from deepsynthbody_nb.signals.measure import measure

torch.set_num_threads(1)
rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
x = ecg.sample(16, seed=0)
jobs = {'ours, one record': (lambda k: delineate(x[k:k + 1]), 1), 'ours, sixteen at once': (lambda k: delineate(x), 16), 'ours, with all measurements': (lambda k: measure(x[k:k + 1]), 1),
        'neurokit2, dwt': (lambda k: delineate(x[k:k + 1], method='dwt'), 1), 'neurokit2, peak': (lambda k: delineate(x[k:k + 1], method='peak'), 1)}
seconds = {name: [] for name in jobs}
for job, _ in jobs.values(): job(0)                                  # load, compile, warm up
for k in range(rounds):
    for name, (job, n) in jobs.items():
        start = time.perf_counter(); job(k % 16); seconds[name].append((time.perf_counter() - start)/n)
print(f'{platform.machine()}, {os.cpu_count()} cores, one thread, {rounds} rounds, ms per record of 12 leads x 10 s')
for name, s in seconds.items(): print(f'{name:30}{1000*np.median(s):8.1f}   (10 to 90 %: {1000*np.quantile(s, .1):.1f} to {1000*np.quantile(s, .9):.1f})')
