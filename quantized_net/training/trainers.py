"""The trainer that the scripts share: what it prints, draws and saves."""

import json
import os

from chainer import training
from chainer.training import extensions

from quantized_net import errors
from quantized_net import extensions as our_extensions
from quantized_net import files
from quantized_net import plots
from quantized_net import weights
from quantized_net.summary import summary
from quantized_net.training import arguments
from quantized_net.training import run
from quantized_net.training import snapshot


def build(args, updater, model, out, header, title, settings, curves,
          is_ternary=False):
    """Makes a trainer that evaluates, reports, plots and saves each epoch.

    Evaluators are added by :func:`add_evaluator`; what they report under
    ``validation`` is in the table and in the pictures.

    Args:
        args: Options of the script.
        updater (~chainer.training.Updater): What does the iterations.
        model (~chainer.Link): The classifier.
        out (str): Folder for the results.
        header (str): Lines above the table.
        title (str): Of the pictures.
        settings (dict): What a snapshot has to agree with to be resumed.
        curves (callable): From ``'loss'`` or ``'accuracy'`` to published
            curves for :class:`~quantized_net.extensions.PlotCurves`.
        is_ternary (bool): Whether to report and draw the ternary weights.

    Returns:
        ~chainer.training.Trainer

    """
    trainer = training.Trainer(updater, (args.epoch, 'epoch'), out=out)
    entries = ['epoch', 'main/loss', 'validation/main/loss', 'main/accuracy',
               'validation/main/accuracy']
    if getattr(args, 'bn_eval', None) == 'both':
        entries.append('validation_batch/main/accuracy')
    if is_ternary:
        trainer.extend(our_extensions.TernaryReport(model))
        trainer.extend(our_extensions.PlotTernary(model, title=title))
        entries.append('zeros')
    trainer.extend(our_extensions.NaNGuard())
    trainer.extend(extensions.LogReport())
    trainer.extend(our_extensions.TableReport(entries, header))
    for kind in ('loss', 'accuracy'):
        trainer.extend(our_extensions.PlotCurves(
            {'main/' + kind: 'training',
             'validation/main/' + kind: 'validation'},
            kind + '.png', kind, title, curves(kind)))
    trainer.extend(our_extensions.RandomState())
    trainer.extend(our_extensions.Settings(settings))
    take_snapshot = snapshot.extension()
    trainer.extend(take_snapshot, trigger=(args.frequency, 'epoch'))
    trainer.extend(our_extensions.Interrupt(take_snapshot))
    if getattr(args, 'epoch_budget', None) is not None:
        trainer.extend(our_extensions.TimeBudget(
            args.epoch_budget, take_snapshot))
    if os.isatty(1):
        trainer.extend(extensions.ProgressBar(update_interval=10))
    return trainer


def run_to_end(args, trainer, script, data_name, method, resume, init,
               make_table):
    """Runs a trainer, from a snapshot where there is one, and reports.

    Args:
        args: Options of the script, which go to ``args.json``.
        trainer (~chainer.training.Trainer): As :func:`build` makes it.
        script (str): Name of the script.
        data_name (str): Of the data set that was taken.
        method (str): How the network is quantized.
        resume (str or None): Snapshot to go on from.
        init (str or None): Float snapshot that a ternary network began with.
        make_table (callable): From the log to the closing table.

    """
    if resume:
        snapshot.load(resume, trainer)
    elif args.autoload:
        snapshot.load_newest(trainer.out, trainer)
    run.make_out(trainer.out)
    files.write_json(os.path.join(trainer.out, 'args.json'), dict(
        vars(args), script=script, dataset=data_name, method=method,
        init=init, versions=arguments.versions()))

    run.run(trainer)
    model = trainer.updater.get_optimizer('main').target
    weights.save(os.path.join(trainer.out, 'model.npz'), model.predictor)
    print(make_table(trainer.get_extension('LogReport').log))
    if init is not None:
        print('\n%s' % summary(model))


def add_evaluator(trainer, iterator, name, device,
                  evaluator=extensions.Evaluator, **kwargs):
    """Evaluates the trainer's model on a data set at each epoch."""
    model = trainer.updater.get_optimizer('main').target
    trainer.extend(evaluator(iterator, model, device=device, **kwargs),
                   name=name)


def float_then_ternary(args, train):
    """Trains a ternary network from a float one, which it trains if needed.

    Args:
        args: Options of the script, with ``init`` and ``sweep``.
        train (callable): ``train(method, out, resume, init)``: trains a
            network and returns when it is done.

    """
    init, resume = args.init, args.resume
    for sparsity in args.sweep or ():
        if args.method != 'ttq' or not 0 <= sparsity < 1:
            raise errors.UserError(
                '--sweep %g: shares of zeros in [0, 1), for --method ttq'
                % sparsity)
    if args.sweep and resume:
        raise errors.UserError(
            '--sweep goes on with --autoload, not with --resume')
    if init is None and resume and (
            snapshot.settings_of(resume)['method'] != 'float'):
        init = resume  # holds all that the float one would give
    if init is None:
        folder = os.path.join(args.out, 'float')
        train('float', folder, resume, None)
        init = snapshot.newest_first(folder)[0]
        resume = None
    if args.sweep is None:
        train(args.method, args.out, resume, init)
    else:
        _sweep(args, train, init)


def _sweep(args, train, init):
    """Trains for each share of zeros, and draws the errors."""
    points = []
    for sparsity in args.sweep:
        args.sparsity = sparsity
        folder = os.path.join(args.out, 'sparsity-%g' % sparsity)
        train(args.method, folder, None, init)
        with open(os.path.join(folder, 'log')) as f:
            last = json.load(f)[-1]
        points.append((last['zeros'], 1 - last['validation/main/accuracy']))
    path = os.path.join(args.out, 'sparsity.png')
    plots.draw_sparsity(points, path)
    lines = ['zeros   validation error'] + [
        '%5.1f %%  %14.2f %%' % (100 * zeros, 100 * error)
        for zeros, error in points]
    files.write_text(
        os.path.join(args.out, 'sweep.txt'), '\n'.join(lines) + '\n')
    print('\n' + '\n'.join(lines))
