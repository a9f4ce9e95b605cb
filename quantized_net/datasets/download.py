"""Downloading a file whole."""

import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request

from quantized_net import errors

_CHUNK = 1 << 16


def fetch(urls, path, md5, timeout=30):
    """Downloads a file from the first mirror that has it.

    What has come before a break stays beside the target, in a file with the
    ending ``.part``, and the next try goes on there.  The target appears
    only when the checksum is right.

    Args:
        urls (sequence of str): Mirrors of one file.
        path (str): Where to put it; a file that is there and right is kept.
        md5 (str): The published checksum, in hexadecimal digits.
        timeout (float): Seconds to wait for a mirror's answer.

    Raises:
        ~quantized_net.UserError: Where no mirror gave the file.

    """
    if os.path.exists(path) and _md5(path) == md5:
        return
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    part = path + '.part'
    problems = []
    for url in urls:
        try:
            _fetch_one(url, part, timeout)
        except (OSError, http.client.HTTPException, ValueError) as e:
            problems.append('%s (%s)' % (url, getattr(e, 'reason', e)))
            continue
        found = _md5(part)
        if found == md5:
            os.replace(part, path)
            return
        os.remove(part)
        problems.append('%s (MD5 %s instead of %s)' % (url, found, md5))
    raise errors.UserError(
        'can not download %s: %s; get it by other means and name its folder '
        'as data_dir' % (os.path.basename(path), ', '.join(problems)))


def _fetch_one(url, part, timeout):
    have = os.path.getsize(part) if os.path.exists(part) else 0
    headers = {'User-Agent': 'quantized_net'}
    if have:
        headers['Range'] = 'bytes=%d-' % have
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as e:
        if have and e.code == 416:  # all of it is here already
            return
        raise
    with response:
        if have and response.status != 206:
            have = 0  # the mirror sends it from the start
        length = response.headers.get('Content-Length')
        total = have + int(length) if length else None
        with open(part, 'ab' if have else 'wb') as f:
            while True:
                chunk = response.read(_CHUNK)
                if not chunk:
                    break
                f.write(chunk)
                have += len(chunk)
                _show(url, have, total)
    if sys.stderr.isatty():
        sys.stderr.write('\n')
    if total is not None and have < total:
        raise OSError('broke off after %d of %d bytes' % (have, total))


def _show(url, have, total):
    if not sys.stderr.isatty():
        return
    name = url.rsplit('/', 1)[-1]
    if total:
        filled = 40 * have // total
        sys.stderr.write('\r%s [%s] %3d%%' % (
            name, '#' * filled + '.' * (40 - filled), 100 * have // total))
    else:
        sys.stderr.write('\r%s %d bytes' % (name, have))
    sys.stderr.flush()


def _md5(path):
    digest = hashlib.md5()
    with open(path, 'rb') as f:
        for block in iter(lambda: f.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()
