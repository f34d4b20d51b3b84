"`download` against a local server that serves the real files under the publisher's own paths."
import hashlib, http.server, os, threading
import pytest
from deepsynthbody_nb.signals.download import download
from deepsynthbody_nb.signals.files import read
from deepsynthbody_nb.signals.leads import LEADS_12

N = 3  # records served


@pytest.fixture(scope='module')
def publisher(real_ecg, tmp_path_factory):
    "A server with a few records of both collections and their SHA256SUMS.txt; yields the list of paths it was asked for."
    import wfdb.io.download as wfdb_download
    root, asked = tmp_path_factory.mktemp('server'), []
    def serve(place, files):
        for name, source in files.items():
            (root/place/name).parent.mkdir(parents=True, exist_ok=True); os.symlink(source, root/place/name)
        (root/place/'SHA256SUMS.txt').write_text(''.join(f'{hashlib.sha256(s.read_bytes()).hexdigest()} {n}\n' for n, s in files.items()))
    ludb, ptbxl = real_ecg/'ludb', real_ecg/'ptbxl500'
    serve('ludb/1.0.1', {f'data/{p.name}': p for n in range(1, N + 1) for p in sorted((ludb/'data').glob(f'{n}.*'))} | {'RECORDS': ludb/'RECORDS', 'LICENSE.txt': ludb/'LICENSE.txt'})
    some = sorted((ptbxl/'records500').glob('*.hea'))[:N]
    serve('ptb-xl/1.0.3', {f'records500/00000/{p.stem}{s}': p.with_suffix(s) for p in some for s in ('.dat', '.hea')} | {'scp_statements.csv': ptbxl/'scp_statements.csv'})

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args): super().__init__(*args, directory=str(root))
        def do_GET(self): asked.append(self.path); super().do_GET()
        def log_message(self, *_): pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    before, wfdb_download.config.db_index_url = wfdb_download.config.db_index_url, f'http://127.0.0.1:{server.server_port}/'
    yield root, asked
    wfdb_download.config.db_index_url = before
    server.shutdown()


@pytest.mark.filterwarnings("ignore:.*Einthoven's law")
@pytest.mark.parametrize('name', ['ludb', 'ptbxl'])
def test_records_arrive_whole_and_only_once(publisher, tmp_path, name):
    _, asked = publisher
    headers = download(name, tmp_path, progress=False)
    x = read(headers)
    assert len(headers) == N and tuple(x.lead.values) == LEADS_12 and x.sizes['record'] == N
    asked.clear(); download(name, tmp_path, progress=False)
    assert [a for a in asked if 'SHA256SUMS' not in a] == []
    assert not [p for p in tmp_path.rglob('.*')]


def test_it_goes_on_where_it_stopped_and_mends(publisher, tmp_path):
    _, asked = publisher
    header = download('ludb', tmp_path, records=1, progress=False)[0]
    data = header.with_suffix('.dat'); whole = data.read_bytes()
    data.write_bytes(whole[:5000]); header.unlink()                         # one cut short, one missing
    asked.clear(); download('ludb', tmp_path, records=1, progress=False)
    assert sorted(a.rsplit('/')[-1] for a in asked) == ['1.dat', '1.hea', 'SHA256SUMS.txt'] and data.read_bytes() == whole


def test_a_file_with_a_wrong_checksum_is_not_kept(publisher, tmp_path):
    root, _ = publisher
    sums = root/'ludb/1.0.1/SHA256SUMS.txt'; right = sums.read_text()
    sums.write_text('\n'.join('0'*64 + line[64:] if line.endswith('data/2.dat') else line for line in right.splitlines()))
    try:
        with pytest.raises(ValueError, match='data/2.dat: arrived with another SHA-256'): download('ludb', tmp_path, progress=False)
    finally: sums.write_text(right)
    assert not (tmp_path/'data'/'2.dat').exists()
    assert len(download('ludb', tmp_path, progress=False)) == N             # the next call is whole


def test_a_publisher_that_does_not_answer(publisher, tmp_path):
    import wfdb.io.download as wfdb_download
    url = wfdb_download.config.db_index_url
    wfdb_download.config.db_index_url = 'http://127.0.0.1:9/'               # the discard port: nobody listens
    try:
        with pytest.raises(ConnectionError, match='could not be fetched .*continues where it stopped'): download('ludb', tmp_path, progress=False)
    finally: wfdb_download.config.db_index_url = url
