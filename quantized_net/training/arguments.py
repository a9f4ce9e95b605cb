"""The options of the training scripts, with Chainer's names."""

import argparse
import collections

from quantized_net import errors
from quantized_net import methods
from quantized_net.training import distributed
from quantized_net.training import options
from quantized_net.training import schedules

# A resumed run may have other values of these; of every other option it has
# to have the same.
_FREE = frozenset((
    'autoload', 'communicator', 'data_dir', 'device', 'epoch',
    'epoch_budget', 'frequency', 'gpu', 'init', 'loader_threads', 'out',
    'pause_after', 'recipe', 'resume', 'root', 'sweep', 'train', 'val'))

# Older snapshots say nothing of these: at their defaults nothing is said.
_SILENT = {'multi_node_bn': False}

# What is evaluated beside the published figure changes no training.
_EVALUATION = frozenset(('bn_eval', 'seed'))


class Network(collections.namedtuple(
        'Network', 'make method epoch add_options', defaults=(None,))):

    """A network of a script.

    Attributes:
        make (callable): ``make(args, method, ...)``: the network.
        method (str): The default method.
        epoch (int): The default number of epochs.
        add_options (callable): Adds its own options to a group; or ``None``.

    """

    __slots__ = ()


class Parser(argparse.ArgumentParser):

    """A parser that knows the options of the chosen method and network.

    Those of others are errors that say whose they are, and so are options
    that another one makes meaningless (:meth:`needs`).

    Args:
        description (str): Of the script.
        names (sequence of str): Of the option that chooses the network,
            the long one first.
        networks (dict): From a name to a :class:`Network`; the first is the
            default.
        argv (list of str or None): The command line.

    """

    def __init__(self, description, names, networks, argv=None):
        super(Parser, self).__init__(
            description=description, allow_abbrev=False)
        self._argv = argv
        self._networks = networks
        self._option = names[0]
        self._needs = []
        first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        first.add_argument(*names, dest='network')
        first.add_argument('--method')
        chosen = first.parse_known_args(argv)[0]
        default = next(iter(networks))
        self._network = chosen.network if (
            chosen.network in networks) else default
        self.network = networks[self._network]
        name = chosen.method or self.network.method
        self._method = methods.get(
            name if name in methods.names() else self.network.method)
        self.add_argument(
            *names, dest='network',
            choices=list(networks), default=default,
            help='network (default: %(default)s)')
        self.add_argument(
            '--method', choices=methods.names(), default=self.network.method,
            help='what is quantized, and how: %s (default: %s)' % (
                '; '.join('%s: %s' % (name, methods.get(name).title)
                          for name in methods.names()),
                self.network.method))
        if self.network.add_options is not None:
            self.network.add_options(self)

    def add_common(self, batchsize, lr, schedule, warmup_share=0., skip=()):
        """Adds the options that every script has.

        Args:
            batchsize (int): The default minibatch size.
            lr (float): The default learning rate.
            schedule (str): The default schedule.
            warmup_share (float): Which part of the epochs the default
                warm-up takes.
            skip (sequence of str): Which layers stay float unless said.

        """
        self._warmup_share = warmup_share
        self._skip = list(skip)
        self._add_run(batchsize)
        self._add_recipe(lr, schedule)
        before = self._dests()
        if self._method.quantizes:
            self._add_quantization()
        self._method.add_options(self.add_argument_group(
            '--method %s (%s)' % (self._method.name, self._method.source)))
        self._of_quantization = self._dests() - before
        self.add_argument_group(
            'other methods', 'have other options: --method NAME --help')

    def _add_run(self, batchsize):
        self.add_argument(
            '--batchsize', '-b', type=options.positive_int,
            default=batchsize,
            help='images in a minibatch (default: %(default)s)')
        self.add_argument(
            '--epoch', '-e', type=options.positive_int,
            default=self.network.epoch,
            help='sweeps over the data set (default: %(default)s)')
        self.add_argument(
            '--seed', type=options.seed_int, default=0,
            help='of the random numbers (default: %(default)s)')
        self.add_argument(
            '--data-dir', metavar='DIR',
            help='folder with the original files of the data set')
        self.add_argument(
            '--out', '-o', default='result',
            help='directory of the results (default: %(default)s)')
        device = self.add_mutually_exclusive_group()
        device.add_argument(
            '--gpu', '-g', type=int, nargs='?', const=0, default=-1,
            help='GPU to use; a negative number means CPU (default: CPU)')
        device.add_argument(
            '--device', '-d',
            help='device specifier of Chainer: -1, 0, "@cupy:0"')
        resume = self.add_mutually_exclusive_group()
        resume.add_argument(
            '--resume', '-r', metavar='SNAPSHOT',
            help='go on from a snapshot')
        resume.add_argument(
            '--autoload', action='store_true',
            help='go on from the newest whole snapshot in --out, if any')
        self.add_argument(
            '--frequency', '-f', type=options.positive_int, default=1,
            help='epochs between two snapshots (default: %(default)s)')
        self.add_argument(
            '--epoch-budget', type=options.positive_float, metavar='SECONDS',
            help='stop with a snapshot and status 75 when this time is '
            'nearly up; --autoload goes on')
        self.add_argument(
            '--communicator', choices=distributed.COMMUNICATORS,
            help='train in the processes that mpiexec starts, over this '
            'communicator of ChainerMN: naive on the CPU, pure_nccl or flat '
            'with a GPU for each process; --batchsize is that of all together')
        self.add_argument(
            '--multi-node-bn', action='store_true',
            help='BatchNormalization over the images of all processes')
        self.needs('multi_node_bn', lambda args: args.communicator is not None,
                   'without --communicator')
        self.add_argument(
            '--pause-after', type=options.positive_int, metavar='EPOCH',
            help='stop with a snapshot and status 75 after this epoch; '
            '--autoload goes on')

    def _add_recipe(self, lr, schedule):
        group = self.add_argument_group('recipe')
        group.add_argument(
            '--lr', type=options.positive_float, default=lr,
            help='learning rate (default: %(default)s)')
        group.add_argument(
            '--schedule', choices=schedules.NAMES, default=schedule,
            help='of the learning rate: as it is; times --drop-factor after '
            'each of --drops; down to zero in a line, or along half a '
            'cosine; less by a factor after each epoch, down to --final-lr '
            '(default: %(default)s)')
        group.add_argument(
            '--drops', type=options.non_negative_float, nargs='*',
            metavar='EPOCH',
            help='default: half and three quarters of --epoch, or of a '
            'step of a method that goes in steps')
        group.add_argument(
            '--drop-factor', type=options.positive_float, default=.1,
            metavar='FACTOR', help='default: %(default)s')
        for dest in ('drops', 'drop_factor'):
            self.needs(dest, lambda args: args.schedule == 'steps',
                       'without --schedule steps')
        group.add_argument(
            '--final-lr', type=options.positive_float, metavar='LR',
            help='default: a thousandth of --lr')
        self.needs('final_lr', lambda args: args.schedule == 'exponential',
                   'without --schedule exponential')
        group.add_argument(
            '--teacher', metavar='MODEL',
            help='model.npz of a network to learn from, too; of the network '
            'that args.json beside it names, else of this one')
        group.add_argument(
            '--temperature', type=options.positive_float, default=2.,
            metavar='T', help='of the two in the loss of --teacher '
            '(default: %(default)g)')
        group.add_argument(
            '--distill-weight', type=options.share, default=.5, metavar='L',
            help="the teacher's part of the loss (default: %(default)s)")
        group.add_argument(
            '--distill-mean', choices=('batch', 'elements'), default='batch',
            help="of the teacher's part: over the batch, or over batch and "
            'classes (default: %(default)s)')
        for dest in ('temperature', 'distill_weight', 'distill_mean'):
            self.needs(dest, lambda args: args.teacher is not None,
                       'without --teacher')
        group.add_argument(
            '--clip', choices=('weights', 'all', 'none'),
            default=self._method.clip,
            help='which parameters are kept within [-1, 1]: the latent '
            'weights, all, none (default: %(default)s)')

    def _add_quantization(self):
        group = self.add_argument_group('quantization')
        group.add_argument(
            '--init', metavar='MODEL',
            help='model.npz or snapshot of a float network to start from%s'
            % ('; without it one is trained first, in OUT/float'
               if self._method.starts_from_float else ''))
        group.add_argument(
            '--skip', nargs='*', metavar='LAYER', default=self._skip,
            help='layers that stay float (default: %s)' % (
                ' '.join(self._skip) or 'none'))
        group.add_argument(
            '--anneal', type=options.share, default=0., metavar='SHARE',
            help='for this share of the epochs the weights become quantized '
            'little by little (default: 0: they are from the start)')
        if self._method.starts_from_float:
            group.add_argument(
                '--scratch', action='store_true',
                help='start from random weights, train no float network')
            self.needs('scratch', lambda args: args.init is None,
                       'with --init')
        if not self._method.starts_from_float:
            return
        group.add_argument(
            '--warmup', type=options.non_negative_float, metavar='EPOCHS',
            help='of these first epochs the learning rate is --warmup-lr: '
            'at --lr the scales may leave the trained float network at once '
            '(default: %s)' % (
                'an 80th of --epoch' if self._warmup_share else '0'))
        group.add_argument(
            '--warmup-lr', type=options.positive_float, default=2e-4,
            help='default: %(default)s')
        self.needs('warmup_lr', lambda args: args.warmup > 0,
                   'with --warmup 0')

    def needs(self, dest, condition, why):
        """Says when an option has a meaning.

        Args:
            dest (str): Of the option.
            condition (callable): From the options to a bool.
            why (str): As ``'with --warmup 0'``.

        """
        self._needs.append((dest, condition, why))

    def error(self, message):
        raise errors.UserError('%s (--help lists the options)' % message)

    def parse(self):
        """Reads and checks the command line (an ``argparse.Namespace``)."""
        args, unknown = self.parse_known_args(self._argv)
        if unknown:
            self.error(self._of_whom(unknown))
        if args.resume == '':
            self.error('--resume names no snapshot')
        method = self._method
        if method.networks is not None and (
                args.network not in method.networks):
            self.error('--method %s is for %s %s' % (
                method.name, self._option, ' or '.join(method.networks)))
        if args.schedule != 'steps':
            args.drops = None
        elif args.drops is None:
            length = schedules.length(args, method.restarts(args))
            args.drops = [length / 2, length * 3 / 4]
        if args.schedule != 'exponential':
            args.final_lr = None
        elif args.final_lr is None:
            args.final_lr = args.lr / 1000
        if 'warmup' in args and args.warmup is None:
            args.warmup = args.epoch * self._warmup_share
        given = self._given()
        for dest, condition, why in self._needs:
            if dest in given and not condition(args):
                self.error('--%s says nothing %s' % (
                    dest.replace('_', '-'), why))
        method.check(args)
        return args

    def for_float(self, args):
        """The options of the float network that a method starts from."""
        left = {name: value for name, value in vars(args).items()
                if name not in self._of_quantization}
        if args.clip == 'weights':
            left['clip'] = 'none'
        if args.schedule == 'steps' and 'drops' not in self._given():
            left['drops'] = [args.epoch / 2, args.epoch * 3 / 4]
        for name in ('teacher', 'temperature', 'distill_weight',
                     'distill_mean'):
            left[name] = self.get_default(name)
        return argparse.Namespace(**dict(left, method='float'))

    def _dests(self):
        return {action.dest for action in self._actions}

    def _given(self):
        """Names of the options that the command line has."""
        defaults = [(action, action.default) for action in self._actions]
        try:
            for action, _ in defaults:
                action.default = argparse.SUPPRESS
            return set(vars(self.parse_known_args(self._argv)[0]))
        finally:
            for action, default in defaults:
                action.default = default

    def _of_whom(self, unknown):
        """What to say of options that are not known here."""
        name = next((text.split('=')[0] for text in unknown
                     if text.startswith('-')), unknown[0])
        owners = ['--method ' + other for other in methods.names()
                  if name in _options_of(methods.get(other).add_options)]
        owners += ['%s %s' % (self._option, other)
                   for other, network in self._networks.items()
                   if network.add_options is not None
                   and name in _options_of(network.add_options)]
        if owners:
            return '%s is an option of %s, not of --method %s and %s %s' % (
                name, ' and '.join(owners), self._method.name, self._option,
                self._network)
        if name in ('--anneal', '--init', '--skip', '--warmup',
                    '--warmup-lr'):
            return '%s says nothing with --method %s' % (
                name, self._method.name)
        return 'unrecognized arguments: ' + ' '.join(unknown)


def _options_of(add_options):
    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser)
    return set(parser._option_string_actions)


def settings(args, script, dataset):
    """What a resumed run has to agree with (a dict).

    Every option but those that say where and how long a run goes; the number
    of epochs too, where the learning rate depends on it.

    Args:
        args (argparse.Namespace): Options.
        script (str): Name of the script.
        dataset (str): Of the data set that was taken.

    """
    free = _FREE
    if schedules.depends_on_length(args) or methods.get(
            args.method).restarts(args):
        free = free - {'epoch'}
    chosen = {name: value for name, value in sorted(vars(args).items())
              if name not in free and not (
                  name in _SILENT and value == _SILENT[name])}
    # the method first: a message names the first that differs
    return {'method': args.method, 'script': script, **chosen,
            'dataset': dataset}


def experiment(args, script, dataset):
    """What makes a run comparable with a published one (a dict).

    It is :func:`settings` without the seed and what is evaluated besides.
    """
    return {name: value for name, value in settings(
        args, script, dataset).items() if name not in _EVALUATION}
