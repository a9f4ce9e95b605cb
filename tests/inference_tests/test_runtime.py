"""The small distribution: no Chainer, and the same predictions."""

import ast
import pathlib
import re
import shutil
import subprocess
import sys

import numpy
import pytest

import quantized_net
import packed_models

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

PROGRAM = '''
import sys

class Blocker(object):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in (
                'chainer', 'quantized_net', 'matplotlib', 'sklearn', 'cupy'):
            raise ImportError('blocked: ' + name)

sys.meta_path.insert(0, Blocker())
import numpy
import quantized_net_runtime

net = quantized_net_runtime.load_packed(sys.argv[1])
numpy.save(sys.argv[3], net(numpy.load(sys.argv[2])))
try:
    quantized_net_runtime.load_packed(sys.argv[2])
except quantized_net_runtime.UserError as e:
    print(e)
print(sorted(name for name in sys.modules if 'chainer' in name))
'''


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """What runtime/setup.py puts together."""
    folder = tmp_path_factory.mktemp('site')
    to = folder / 'quantized_net_runtime'
    shutil.copytree(ROOT / 'runtime' / 'quantized_net_runtime', to)
    setup = (ROOT / 'runtime' / 'setup.py').read_text()
    taken = re.findall("'(.*?)'", re.search('TAKEN = (.*)', setup)[1])
    assert len(taken) == 4
    for name in taken:
        source = ROOT / 'quantized_net' / name
        if source.is_dir():
            shutil.copytree(source, to / name)
        else:
            shutil.copy(source, to / name)
    kernels = to / 'kernels'
    kernels.mkdir()
    (kernels / '__init__.py').touch()
    taken = re.findall("'(.*?)'", re.search('KERNELS = (.*)', setup)[1])
    assert len(taken) == 2
    source = ROOT / 'quantized_net' / 'kernels'
    for path in [source / name for name in taken] + list(
            source.glob('_native*')):
        shutil.copy(path, kernels / path.name)
    return folder


@pytest.mark.parametrize('name', ['user', 'mlp_qnn'])
def test_it_predicts_without_chainer(name, installed, tmp_path):
    model, shape = packed_models.build(name)
    path = tmp_path / 'net.safetensors'
    quantized_net.save_packed(path, model, shape)
    x = packed_models.images(shape)
    numpy.save(tmp_path / 'x.npy', x)
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, path, tmp_path / 'x.npy',
         tmp_path / 'y.npy'], cwd=installed, capture_output=True, text=True,
        timeout=120)
    assert done.returncode == 0, done.stderr
    assert 'x.npy is damaged or no packed network' in done.stdout
    assert done.stdout.splitlines()[-1] == '[]'
    numpy.testing.assert_array_equal(
        numpy.load(tmp_path / 'y.npy'), quantized_net.load_packed(path)(x))


def test_its_modules_import_each_other_alone():
    package = ROOT / 'quantized_net'
    for path in [*package.glob('packing/*.py'), *package.glob(
            'inference/*.py'), package / 'kernels' / 'native.py',
            package / 'kernels' / 'signatures.py']:
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in names:
                assert name.split('.')[0] in sys.stdlib_module_names | {
                    'numpy', 'safetensors'}, (path, name)
