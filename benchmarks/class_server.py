"""A class comes to one server at once: how long until everyone sees the first drawing, how long a move takes, what it costs.

    python benchmarks/class_server.py                        # 30 visitors of the latent walk
    python benchmarks/class_server.py --visitors 8 --plain   # Voila as it comes, for comparison
    python benchmarks/class_server.py --save                 # also add the row to benchmarks/class_server.csv

A visitor here is what a browser sends and receives, without the browser: the page, every file that a real Chromium asks
for with it, the websocket, the state of all widgets. Then each moves a slider about every four seconds and waits for the new ECG. One real Chromium
comes first, for the list of files and for what a person sees; without Chromium the visitors fetch the page's scripts only.
"""
import argparse
import asyncio
import csv
import datetime
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import nbformat
import psutil
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

CHROMIUM = os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser')
LOOK_S = 4                                              # between two moves of a visitor, in the mean
KEPT = Path(__file__).with_suffix('.csv')


def packed(kind, content, **metadata):
    "A message for the kernel, as Jupyter's websocket protocol v1 lays it out."
    header = dict(msg_id=uuid.uuid4().hex, username='', session=uuid.uuid4().hex, msg_type=kind, version='5.3',
                  date=datetime.datetime.now(datetime.timezone.utc).isoformat())
    parts = [b'shell', *(json.dumps(part).encode() for part in (header, {}, metadata, content))]
    first = 8*(len(parts) + 2)
    ends = [first + sum(map(len, parts[:k])) for k in range(len(parts) + 1)]
    return struct.pack(f'<{len(ends) + 1}Q', len(ends), *ends) + b''.join(parts)


def unpacked(message):
    "Type and content of a message."
    n, = struct.unpack_from('<Q', message)
    ends = struct.unpack_from(f'<{n}Q', message, 8)
    part = [message[a:b] for a, b in zip(ends, ends[1:])]
    return json.loads(part[1])['msg_type'], json.loads(part[4])


class Visitor:
    def __init__(self, address, files):
        self.address, self.files, self.moves = address, files, []

    async def come(self):
        "Everything up to the first drawing; s by stage."
        begun = time.monotonic()
        page = (await self.get('/')).body.decode()
        self.page_s = time.monotonic() - begun
        kernel = re.search(r'"kernelId":\s*"([^"]+)"', page)[1]
        own = asyncio.create_task(self.widgets(kernel))
        line = asyncio.Semaphore(6)                     # a browser opens six connections to one server
        self.bytes = len(page) + sum(await asyncio.gather(*(self.fetch(path, line) for path in self.files)))
        self.files_s = time.monotonic() - begun
        await own
        self.first_s = time.monotonic() - begun

    async def get(self, path):
        return await AsyncHTTPClient().fetch(HTTPRequest(self.address + path, request_timeout=300, connect_timeout=300))

    async def fetch(self, path, line):
        async with line:
            return len((await self.get(path)).body)

    async def widgets(self, kernel):
        "Connect and fetch the state of all widgets."
        address = f"{self.address.replace('http', 'ws')}/api/kernels/{kernel}/channels?session_id={uuid.uuid4().hex}"
        self.socket = await websocket_connect(HTTPRequest(address, request_timeout=300, connect_timeout=300),
                                              subprotocols=['v1.kernel.websocket.jupyter.org'], max_message_size=2**27)
        comm = uuid.uuid4().hex
        await self.send('comm_open', dict(comm_id=comm, target_name='jupyter.widget.control',
                                          data={}), version='1.0.0')
        await self.send('comm_msg', dict(comm_id=comm, data=dict(method='request_states')))
        content = await self.heard(lambda kind, content: kind == 'comm_msg' and content['comm_id'] == comm)
        self.states = content['data']['states']

    async def send(self, kind, content, **metadata):
        await self.socket.write_message(packed(kind, content, **metadata), binary=True)

    async def heard(self, meant):
        while True:
            message = await self.socket.read_message()
            if message is None:
                raise ConnectionError('the server closed the connection')
            kind, content = unpacked(message)
            if meant(kind, content):
                return content

    async def explore(self, moves, rng):
        "As people do: a move, and some seconds to look."
        for k in range(moves):
            await asyncio.sleep(rng.uniform(0, 2*LOOK_S))
            await self.move(.25*(k % 8 + 1))

    async def move(self, value):
        "The first slider to a value, and wait for the ECG that it makes."
        slider = next(k for k, v in self.states.items() if v['model_name'] == 'FloatSliderModel')
        begun = time.monotonic()
        await self.send('comm_msg', dict(comm_id=slider, data=dict(method='update', state=dict(value=value), buffer_paths=[])))
        await self.heard(lambda kind, content: kind == 'comm_msg' and ['ecg'] in content['data'].get('buffer_paths', []))
        self.moves.append(time.monotonic() - begun)


def pss_mb(process):
    "Memory of a process, pages it shares with others counted in part."
    try:
        return int(re.search(r'^Pss:\s+(\d+)', Path(f'/proc/{process.pid}/smaps_rollup').read_text(), re.M)[1])/1024
    except (OSError, TypeError):
        return 0.


def started(page, port, plain, visitors, log):
    "The server's process, when it answers."
    if plain:
        from deepsynthbody_nb.course.class_server import page_notebook
        notebook = page_notebook(page, Path(log.name).parent)
        command = [sys.executable, '-m', 'voila', str(notebook), '--no-browser', '--Voila.ip=127.0.0.1', f'--port={port}']
    else:
        command = [sys.executable, '-c', 'from deepsynthbody_nb.command_line import main; raise SystemExit(main())',
                   'serve', page, '--port', str(port), '--visitors', str(visitors), '--ip', '127.0.0.1']
    begun = time.monotonic()
    server = psutil.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    while True:
        if server.poll() is not None or time.monotonic() > begun + 600:
            raise RuntimeError(Path(log.name).read_text()[-3000:])
        ready = 'is running at' if plain else 'Ready'
        if ready in Path(log.name).read_text():
            return server, time.monotonic() - begun
        time.sleep(.1)


def in_chromium(address, seen):
    "One real page: the files it asked for, and s until its widget is drawn; no files and None without Chromium."
    if not CHROMIUM:
        return [], None
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=['--no-sandbox', '--disable-gpu'])
        page, files = browser.new_page(), []
        page.on('request', lambda r: files.append(r.url) if r.method == 'GET' else None)
        begun = time.monotonic()
        page.goto(address, timeout=300_000)
        page.wait_for_selector(seen, timeout=300_000)
        took = time.monotonic() - begun
        time.sleep(2)
        browser.close()
    return [url.removeprefix(address) for url in files if url.startswith(f'{address}/voila/')], took


def cpu_s(process):
    "What a process and its descendants, living ones, have computed."
    used = 0.
    for one in [process, *process.children(recursive=True)]:
        try:
            used += sum(one.cpu_times()[:2])
        except psutil.NoSuchProcess:
            pass
    return used


async def the_class(address, files, visitors, moves, arrived=lambda: None):
    AsyncHTTPClient.configure(None, max_clients=10_000, max_body_size=2**28)
    own = [Visitor(address, files) for _ in range(visitors)]
    await asyncio.gather(*(v.come() for v in own))
    arrived()
    if any(v['model_name'] == 'FloatSliderModel' for v in own[0].states.values()):
        await asyncio.gather(*(v.explore(moves, random.Random(k)) for k, v in enumerate(own)))
    return own


def cores(seconds=3):
    "How many cores this machine has free just now."
    return psutil.cpu_count()*(1 - psutil.cpu_percent(seconds)/100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--page', default='latent_walk', choices=('latent_walk',))   # whose move is known to be drawn when an ECG comes
    parser.add_argument('--visitors', type=int, default=30)
    parser.add_argument('--moves', type=int, default=8)
    parser.add_argument('--plain', action='store_true', help='Voila as it comes')
    parser.add_argument('--seen', default='.dsw canvas[data-drawn]', help='what Chromium waits for')
    parser.add_argument('--save', action='store_true')
    asked = parser.parse_args()
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    address = f'http://127.0.0.1:{port}'
    with tempfile.TemporaryDirectory() as folder, open(Path(folder)/'log', 'w') as log:
        server, ready = started(asked.page, port, asked.plain, asked.visitors, log)
        try:
            files, person = in_chromium(address, asked.seen)
            time.sleep(5)                               # that page's kernel ends, and another is made
            used, by_server, free = sum(os.times()[:2]), cpu_s(server), cores()

            def arrived():
                nonlocal used, by_server
                used, by_server = sum(os.times()[:2]) - used, cpu_s(server) - by_server

            own = asyncio.run(the_class(address, files, asked.visitors, asked.moves, arrived))
            tree = [server, *server.children(recursive=True)]
            memory = [pss_mb(process) for process in tree]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
        left = [p for p in tree if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    firsts, moves = sorted(v.first_s for v in own), [m for v in own for m in v.moves]
    kernels = sorted(memory[1:])[:asked.visitors] if len(memory) > asked.visitors else memory[1:]
    row = dict(
        page=asked.page, server='voila' if asked.plain else 'serve', visitors=asked.visitors, free_cores=round(free, 1),
        ready_s=round(ready, 1), first_median_s=round(statistics.median(firsts), 1), first_worst_s=round(firsts[-1], 1),
        page_median_s=round(statistics.median(v.page_s for v in own), 1),
        move_median_s=round(statistics.median(moves), 3) if moves else '', move_worst_s=round(max(moves), 3) if moves else '',
        visitor_mb=round(statistics.mean(kernels)), all_gb=round(sum(memory)/1024, 2),
        page_mb=round(own[0].bytes/2**20, 1), one_chromium_s=person and round(person, 1), server_cpu_s=round(by_server, 1), clients_cpu_s=round(used, 1),
        processes=len(tree), left=len(left),
    )
    print('\n'.join(f'{name:16}{value}' for name, value in row.items()))
    if asked.save:
        new = not KEPT.exists()
        with open(KEPT, 'a', newline='') as f:
            writer = csv.DictWriter(f, row)
            if new:
                writer.writeheader()
            writer.writerow(row)


if __name__ == '__main__':
    main()
