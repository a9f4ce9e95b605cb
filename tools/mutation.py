#!/usr/bin/env python3
"""Changes the code a little, and looks whether a test fails.

    tools/mutation.py [PATH ...] [--sample N] [--seed N] [--jobs N]
    tools/mutation.py --only quantized_net/convert.py:231

A mutant is one change: a comparison shifted or turned round, a condition
negated, a number one higher, an operator exchanged, a keyword argument or a
statement dropped.  Of all mutants of the files (PATH: files or folders; by
default FILES) a sample is drawn and each is put into a copy of this checkout.
There the tests that mirror its file run, until one fails: those of its name,
else those of its folder that name something of it, or all.  What no test sees
has survived: it is printed, with its place, and a test is missing or the
change makes no difference.

Processes are forked from one that has imported Chainer, so that a mutant
takes little more than its tests.  One that takes five times the CPU time of
the whole code counts as killed.
"""

import argparse
import ast
import collections
import copy
import importlib.util
import multiprocessing
import os
import pathlib
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = ['quantized_net/' + name for name in (
    'functions', 'quantizers', 'links', 'convert.py', 'training')]
COPIED = ['quantized_net', 'tests', 'tools', 'results', 'pyproject.toml',
          '_bootstrap.py', 'setup.py', 'train_mnist.py', 'train_cifar.py',
          'reproduce.py', 'weight_clip.py', 'README.md']
MEMORY = 8 << 30  # bytes of a process
_CONTEXT = multiprocessing.get_context('fork')
KILLED, SURVIVED, LATE, UNTESTED = 'killed', 'survived', 'late', 'untested'

Mutant = collections.namedtuple('Mutant', 'path line what source')

# Keyword arguments that are words for people, or change no value.
_NO_MATTER = ('copy', 'description', 'help', 'metavar', 'stacklevel', 'title')
_SWAPPED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div,
    ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or,
    ast.Or: ast.And}


def _changes(node):
    """What may stand in the place of a node."""
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            if type(op) in _SWAPPED:
                new = copy.deepcopy(node)
                new.ops[i] = _SWAPPED[type(op)]()
                yield new
    elif isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)):
        is_text = isinstance(getattr(node, 'left', None), ast.Constant) and (
            isinstance(node.left.value, str))
        if type(node.op) in _SWAPPED and not is_text:
            new = copy.deepcopy(node)
            new.op = _SWAPPED[type(node.op)]()
            yield new
    elif isinstance(node, ast.UnaryOp):
        if isinstance(node.op, (ast.USub, ast.Not)):
            yield copy.deepcopy(node.operand)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, (int, float)):
            yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Call):
        for i, keyword in enumerate(node.keywords):
            if keyword.arg is not None and keyword.arg not in _NO_MATTER:
                new = copy.deepcopy(node)
                del new.keywords[i]
                yield new
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        new = copy.deepcopy(node)
        new.test = ast.UnaryOp(ast.Not(), new.test)
        yield new
    if isinstance(node, ast.AugAssign) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield ast.Pass()


def _places(tree):
    """Yields (parent, field, index, node) of what may change."""
    stack = [tree]
    while stack:
        parent = stack.pop()
        for field, value in ast.iter_fields(parent):
            if field in ('annotation', 'returns') or isinstance(
                    parent, ast.Raise):
                continue  # types, and the words of errors
            for index, node in enumerate(
                    value if isinstance(value, list) else [value]):
                if isinstance(node, ast.AST) and (
                        getattr(node, 'arg', None) not in _NO_MATTER):
                    stack.append(node)
                    yield (parent, field,
                           index if isinstance(value, list) else None, node)


def mutants_of(path, source):
    """All mutants of a file's text, in the order of its lines."""
    tree = ast.parse(source)
    found = []
    for parent, field, index, node in _places(tree):
        for new in _changes(node):
            _put(parent, field, index, new)
            found.append(Mutant(path, node.lineno, '%s -> %s' % (
                _in_short(node), _in_short(new)), ast.unparse(
                    ast.fix_missing_locations(tree))))
            _put(parent, field, index, node)
    return sorted(found, key=lambda mutant: (mutant.line, mutant.what))


def _put(parent, field, index, node):
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def _in_short(node):
    lines = ast.unparse(node).splitlines()
    return lines[0] + (' ...' if len(lines) > 1 else '')


def tests_of(path, source):
    """The test files that mirror a file of the package."""
    path = pathlib.PurePath(path)
    folder = ROOT / 'tests'
    if len(path.parts) > 2:
        folder /= path.parts[1] + '_tests'
    named = sorted(folder.glob('test_%s*.py' % path.stem))
    if not named:
        names = [node.name for node in ast.parse(source).body
                 if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
        pattern = re.compile(r'\b(%s)\b' % '|'.join(names + [path.stem]))
        named = [file for file in sorted(folder.glob('test_*.py'))
                 if pattern.search(file.read_text())] or sorted(
                     folder.glob('test_*.py'))
    return [str(file.relative_to(ROOT)) for file in named]


class Copy(object):

    """A copy of the checkout in which mutants are tried, one by one."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source, self.folder / name,
                    ignore=shutil.ignore_patterns(
                        '__pycache__', '*.npz', '*.png', 'snapshot_iter_*'))
            elif source.exists():
                shutil.copy(source, self.folder)

    def try_tests(self, tests, limit):
        """Runs tests in a child.

        Args:
            tests (list of str): Their paths.
            limit (float): Seconds of CPU time.

        Returns:
            tuple: What became of it, and the CPU time that it took.

        """
        if not tests:
            return UNTESTED, 0
        child = os.fork()
        if not child:
            os.setpgid(0, 0)
            status = 3
            try:
                status = self._run(tests, limit)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        end = time.monotonic() + 60 + 20 * limit  # a child may sleep, too
        while True:
            pid, status, usage = os.wait4(child, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                os.killpg(child, 9)
            time.sleep(.05)
        try:
            os.killpg(child, 9)  # what it has left behind
        except ProcessLookupError:
            pass
        taken = usage.ru_utime + usage.ru_stime
        code = os.waitstatus_to_exitcode(status)
        if code < 0 and (taken > .9 * limit or time.monotonic() > end):
            return LATE, taken
        return {0: SURVIVED, 5: UNTESTED}.get(code, KILLED), taken

    def _run(self, tests, limit):
        import pytest
        os.chdir(self.folder)
        quiet = os.open(self.folder / 'out', os.O_CREAT | os.O_WRONLY
                        | os.O_TRUNC, 0o600)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1,) * 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.path.insert(0, str(self.folder))
        os.environ['PYTHONPATH'] = str(self.folder)
        return pytest.main(
            ['-x', '-q', '-p', 'no:cacheprovider',
             '-W', 'ignore::pytest.PytestAssertRewriteWarning', *tests])

    def try_mutant(self, mutant, tests, limit):
        target = self.folder / mutant.path
        whole = target.read_text()
        try:
            target.write_text(mutant.source)
            return self.try_tests(tests, limit)[0]
        finally:
            target.write_text(whole)


def import_what_all_need():
    """Imports what no mutant changes, once."""
    os.environ['PYTHONDONTWRITEBYTECODE'] = '1'
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location(
        'compat_of_mutants', ROOT / 'quantized_net' / '_compat.py')
    compat = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compat)
    compat.install()
    for name in ('chainer', 'chainer.testing', 'pytest', 'hypothesis',
                 'matplotlib', 'sklearn.datasets'):
        importlib.import_module(name)
    assert 'quantized_net' not in sys.modules


def _work(folder, jobs, results):
    """One process of several: takes mutants until there are no more."""
    place = Copy(folder)
    for i, mutant, tests, limit in iter(jobs.get, None):
        results.put((i, place.try_mutant(mutant, tests, limit)))


def try_all(mutants, tests, limits, n_jobs, folder, tell):
    jobs = _CONTEXT.Queue()
    results = _CONTEXT.Queue()
    for i, mutant in enumerate(mutants):
        jobs.put((i, mutant, tests[mutant.path], limits[mutant.path]))
    workers = []
    for k in range(n_jobs):
        jobs.put(None)
        workers.append(_CONTEXT.Process(target=_work, args=(
            os.path.join(folder, 'copy%d' % k), jobs, results)))
        workers[-1].start()
    found = {}
    while len(found) < len(mutants):
        i, outcome = results.get()
        found[i] = outcome
        tell(mutants[i], outcome)
    for worker in workers:
        worker.join()
    return [found[i] for i in range(len(mutants))]


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n\n')[0],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('paths', metavar='PATH', nargs='*', default=FILES)
    parser.add_argument('--sample', type=int, default=200, metavar='N',
                        help='so many mutants (default: 200; 0: all)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--only', nargs='+', metavar='PATH:LINE', default=[],
                        help='all mutants of these lines')
    parser.add_argument('--list', action='store_true',
                        help='print the mutants, try none')
    return parser.parse_args()


def choose(args):
    """The mutants to try, and the sources of their files."""
    paths = [place.rsplit(':', 1)[0] for place in args.only] or args.paths
    files = []
    for path in paths:
        whole = ROOT / path
        files += sorted(whole.rglob('*.py')) if whole.is_dir() else [whole]
    sources = {str(file.relative_to(ROOT)): file.read_text()
               for file in dict.fromkeys(files)}
    mutants = [mutant for path, source in sources.items()
               for mutant in mutants_of(path, source)]
    if args.only:
        return [m for m in mutants
                if '%s:%d' % (m.path, m.line) in args.only], sources
    if args.sample and args.sample < len(mutants):
        chosen = random.Random(args.seed).sample(
            range(len(mutants)), args.sample)
        mutants = [mutants[i] for i in sorted(chosen)]
    return mutants, sources


def main():
    args = parse_args()
    mutants, sources = choose(args)
    if args.list:
        for mutant in mutants:
            print('%s:%d: %s' % mutant[:3])
        return 0
    tests = {path: tests_of(path, sources[path])
             for path in dict.fromkeys(m.path for m in mutants)}
    import_what_all_need()
    with tempfile.TemporaryDirectory() as folder:
        whole = Copy(os.path.join(folder, 'whole'))
        taken = {}
        for files in tests.values():
            if tuple(files) in taken or not files:
                continue
            outcome, seconds = whole.try_tests(files, 600)
            taken[tuple(files)] = seconds
            if outcome != SURVIVED:
                print((whole.folder / 'out').read_text()[-2000:])
                sys.exit('%s fail as they are' % ' '.join(files))
        limits = {path: 10 + 5 * taken.get(tuple(files), 0)
                  for path, files in tests.items()}
        print('%d mutants; the tests of a file take up to %.0f s'
              % (len(mutants), max(taken.values(), default=0)), flush=True)

        def tell(mutant, outcome):
            if outcome in (SURVIVED, UNTESTED):
                print('%s %s:%d: %s' % ((outcome,) + mutant[:3]), flush=True)
        outcomes = collections.Counter(try_all(
            mutants, tests, limits, args.jobs, folder, tell))
    n_killed = outcomes[KILLED] + outcomes[LATE]
    print('%d of %d mutants killed (%.1f %%), %d of them by the time limit; '
          '%d survived, %d without a test'
          % (n_killed, len(mutants), 100 * n_killed / max(len(mutants), 1),
             outcomes[LATE], outcomes[SURVIVED], outcomes[UNTESTED]))
    return 0


if __name__ == '__main__':
    sys.exit(main())
