"""Making ECGs: ours beside deepfakeecg.generate, in one run, alternating; the network beside this machine's matrix products; growth with the set.

    python benchmarks/generation.py [rounds [largest set]] [--save]
"""
import contextlib, io, os, platform, subprocess, sys, tempfile, time
import numpy as np, pandas as pd, torch
import deepfakeecg
from pathlib import Path
from deepsynthbody_nb.bulk import make_set
from deepsynthbody_nb.generators.fast import fast_pulse2pulse
from deepsynthbody_nb.generators.pulse2pulse import load_pulse2pulse, noise_stream
import deepsynthbody_nb.cardiovascular.ecg as ecg

N = 200                                                              # records per turn


def theirs(folder, threads):
    with contextlib.redirect_stderr(io.StringIO()): deepfakeecg.generate(N, folder, start_id=0, run_device='cpu')


JOBS = {'deepfakeecg.generate, .asc': theirs,
        'ecg.generate, .asc (the same integers)': lambda folder, threads: ecg.generate(N, folder, seed=0, progress=False),
        **{f'make_set, {form}': lambda folder, threads, form=form: make_set(N, folder, seed=0, format=form, workers=threads, progress=False) for form in ('asc', 'wfdb', 'zarr')}}


def beside(rounds):
    rows = []
    for k in range(rounds + 1):                                      # the first round warms up
        for threads in (1, 2):
            for name, job in JOBS.items():
                torch.set_num_threads(threads)
                with tempfile.TemporaryDirectory() as folder:
                    start = time.perf_counter(); job(folder, threads); rows.append((name, threads, k, (time.perf_counter() - start)/N*1000))
    table = pd.DataFrame(rows, columns=['what', 'threads', 'round', 'ms']).query('round > 0')
    peer = table[table.what == 'deepfakeecg.generate, .asc'].set_index(['threads', 'round']).ms
    table['times'] = [peer[t, k]/ms for t, k, ms in zip(table.threads, table['round'], table.ms)]
    return table


def arithmetic(rounds):
    rows, torch_threads = [], torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
        for size in (1, 10, 50):
            noise = torch.stack([drawn for drawn, _ in zip(noise_stream(0), range(size))])
            jobs = {'plain': (load_pulse2pulse(), 627e6, size), 'fast': (fast_pulse2pulse(), fast_pulse2pulse().operations, size), 'product': (lambda _: a@b, 2*1024**3, 1)}
            for k in range(rounds + 1):
                with torch.inference_mode():
                    for name, (job, operations, n) in jobs.items():
                        start = time.perf_counter(); job(noise); took = (time.perf_counter() - start)/n
                        if k: rows.append((threads, size, name, took*1000, operations/took/1e9))
    torch.set_num_threads(torch_threads)
    return pd.DataFrame(rows, columns=['threads', 'batch', 'what', 'ms', 'gflops']).groupby(['threads', 'batch', 'what']).median().reset_index()


def growth(largest):
    "Time and peak memory of sets of growing size, each made by a process of its own."
    rows = []
    code = r"""import re, sys, time; from deepsynthbody_nb.bulk import make_set
t = time.perf_counter(); make_set(int(sys.argv[1]), sys.argv[2], seed=0, progress=False)
print(time.perf_counter() - t, int(re.search(r'VmHWM:\s+(\d+)', open('/proc/self/status').read())[1])/1024)"""
    for size in [n for n in (10, 100, 500, 1000, 10_000) if n <= largest]:
        with tempfile.TemporaryDirectory() as folder:
            seconds, megabytes = map(float, subprocess.run([sys.executable, '-c', code, str(size), folder], capture_output=True, text=True, check=True).stdout.split())
            kept = sum(p.stat().st_size for p in Path(folder).rglob('*') if p.is_file())
        rows.append((size, seconds, megabytes, kept/(size*8*5000*2)))
    return pd.DataFrame(rows, columns=['records', 'seconds', 'peak_mb', 'share_of_raw'])


if __name__ == '__main__':
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    rounds, largest = (numbers + [5, 10_000][len(numbers):])[:2]
    about = f"{platform.machine()}, {os.cpu_count()} cores, PyTorch {torch.__version__.partition('+')[0]}"
    tables = dict(beside=beside(rounds), arithmetic=arithmetic(4*rounds), growth=growth(largest))
    print(f'{about}; {rounds} rounds of {N} records')
    print(tables['beside'].groupby(['threads', 'what'], sort=False)[['ms', 'times']].quantile([.1, .5, .9]).unstack().round(2).to_string())
    print(tables['arithmetic'].round(2).to_string()); print(tables['growth'].round(2).to_string())
    if '--save' in sys.argv:
        for name, table in tables.items(): table.assign(machine=about).round(4).to_csv(Path(__file__).with_name(f'generation_{name}.csv'), index=False)
