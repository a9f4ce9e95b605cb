"""Downloads from servers that work, break off and lie."""

import contextlib
import hashlib
import http.server
import threading

import pytest

import quantized_net
from quantized_net.datasets import download

DATA = bytes(range(256)) * 2000
MD5 = hashlib.md5(DATA).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get('Range'))
        start = 0
        if server.mode == '404':
            self.send_error(404)
            return
        body = DATA if server.mode != 'lies' else b'x' * len(DATA)
        if self.headers.get('Range') and server.mode != 'no ranges':
            start = int(self.headers['Range'][len('bytes='):-1])
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
        else:
            self.send_response(200)
        body = body[start:]
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if server.mode == 'breaks':
            server.mode = 'works'
            body = body[:len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serve(mode):
    server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
    server.mode = mode
    server.ranges = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server, 'http://127.0.0.1:%d/file' % server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'folder' / 'file'


def test_download(path):
    with serve('works') as (server, url):
        download.fetch([url], str(path), MD5)
        assert path.read_bytes() == DATA
        # what is there and right is not fetched again
        download.fetch([url], str(path), MD5)
        assert len(server.ranges) == 1
    assert [p.name for p in path.parent.iterdir()] == ['file']


def test_it_goes_on_where_it_broke_off(path):
    with serve('breaks') as (server, url):
        with pytest.raises(quantized_net.UserError, match='broke off'):
            download.fetch([url], str(path), MD5)
        assert not path.exists()
        download.fetch([url], str(path), MD5)
        assert server.ranges == [None, 'bytes=%d-' % (len(DATA) // 2)]
    assert path.read_bytes() == DATA


def test_the_next_mirror_goes_on(path):
    with serve('breaks') as (_, first), serve('works') as (server, second):
        download.fetch([first, second], str(path), MD5)
        assert server.ranges == ['bytes=%d-' % (len(DATA) // 2)]
    assert path.read_bytes() == DATA


def test_mirror_without_ranges_starts_anew(path):
    path.parent.mkdir()
    path.with_suffix('.part').write_bytes(b'old')
    with serve('no ranges') as (_, url):
        download.fetch([url], str(path), MD5)
    assert path.read_bytes() == DATA


def test_whole_part_is_taken(path):
    path.parent.mkdir()
    path.with_suffix('.part').write_bytes(DATA)
    with serve('works') as (_, url):
        download.fetch([url], str(path), MD5)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize('mode', ['404', 'lies'])
def test_mirror_that_does_not_have_it(path, mode):
    path.parent.mkdir()
    path.write_bytes(b'an older file')
    with serve(mode) as (_, bad):
        with pytest.raises(quantized_net.UserError, match='file'):
            download.fetch([bad], str(path), MD5)
        assert path.read_bytes() == b'an older file'
        assert not path.with_suffix('.part').exists()
        with serve('works') as (_, good):
            download.fetch([bad, good], str(path), MD5)
    assert path.read_bytes() == DATA


def test_nobody_answers(path):
    with pytest.raises(quantized_net.UserError, match='data_dir'):
        download.fetch(['http://127.0.0.1:9/file'], str(path), MD5, 1)
