"""The model and the trainer that the scripts share."""

import argparse
import os

from chainer import training
from chainer.training import extensions
import numpy

from quantized_net import distillation
from quantized_net import errors
from quantized_net import experiments
from quantized_net import extensions as our_extensions
from quantized_net import files
from quantized_net import links
from quantized_net import methods
from quantized_net import weights
from quantized_net.summary import summary
from quantized_net.training import comparison
from quantized_net.training import run
from quantized_net.training import schedules
from quantized_net.training import snapshot
from quantized_net.training import versions


def classifier(stage, device, make):
    """A network as a stage starts with it: loaded, quantized, on its device.

    Args:
        stage (~quantized_net.training.stages.Stage): What is to be trained.
        device (~chainer.backend.Device): Where.
        make (callable): From options to a network with initial weights.

    Returns:
        ~quantized_net.links.Classifier: With a teacher where the options
        name one.

    """
    args, method = stage.args, methods.get(stage.args.method)
    network = make(args)
    if stage.init is not None and not _goes_on_without_init(stage):
        weights.load_float(stage.init, network)
    report = method.quantize(network, args, getattr(args, 'skip', ()))
    if report is not None:
        print(report, end='\n\n', flush=True)
    loss = method.loss_function(args)
    if args.teacher is None:
        model = links.Classifier(network, loss)
    else:
        model = distillation.Distiller(
            network, teacher(args, make), args.temperature,
            args.distill_weight, loss, args.distill_mean)
    model.to_device(device)
    return model


def teacher(args, make):
    """The network that ``--teacher`` names, with its weights.

    What network it is stands in ``args.json`` beside the file; where there
    is none, it is the one that is trained.

    Args:
        args (argparse.Namespace): Options of the script.
        make (callable): From options to a network.

    Raises:
        ~quantized_net.UserError: Where the file does not fit.

    """
    options = argparse.Namespace(**vars(args))
    path = os.path.join(os.path.dirname(args.teacher), 'args.json')
    state = numpy.random.get_state()
    try:
        if os.path.exists(path):
            its = experiments.read_args(os.path.dirname(args.teacher))
            vars(options).update({name: its[name] for name in (
                'network', 'unit', 'hidden_layers') if name in its})
        network = make(options)
    except (KeyError, OSError, TypeError, ValueError) as e:
        raise errors.UserError(
            '--teacher %s: %s names no network of this script (%s)'
            % (args.teacher, path, e))
    finally:
        numpy.random.set_state(state)
    weights.load_float(args.teacher, network)
    return network


def check(args, make):
    """Tries what can be tried before anything is trained.

    Args:
        args (argparse.Namespace): Options of the script.
        make (callable): From options to a network.

    Raises:
        ~quantized_net.UserError: Where the network can not be quantized so,
            or the teacher not be loaded.

    """
    methods.get(args.method).quantize(
        make(args), args, getattr(args, 'skip', ()))
    if args.teacher is not None:
        teacher(args, make)


def _goes_on_without_init(stage):
    """Whether a snapshot has all, and the float network is gone."""
    has_snapshot = stage.resume or (
        stage.args.autoload and snapshot.newest_first(stage.out))
    return bool(has_snapshot) and not os.path.exists(stage.init)


def build(stage, updater, info):
    """Makes a trainer that evaluates, reports, plots and saves each epoch.

    Evaluators are added by :func:`add_evaluator`; what they report under
    ``validation`` is in the table and in the pictures.

    Args:
        stage (~quantized_net.training.stages.Stage): What is trained.
        updater (~chainer.training.Updater): What does the iterations.
        info (RunInfo): What is printed, compared and saved of the run.

    Returns:
        ~chainer.training.Trainer

    """
    args, method = stage.args, methods.get(stage.args.method)
    optimizer = updater.get_optimizer('main')
    model = optimizer.target
    method.set_up(optimizer, args)
    trainer = training.Trainer(updater, (args.epoch, 'epoch'), out=stage.out)
    entries = ['epoch', 'main/loss', 'validation/main/loss', 'main/accuracy',
               'validation/main/accuracy']
    if getattr(args, 'bn_eval', None) == 'both':
        entries.append('validation_batch/main/accuracy')
    for extension in method.extensions(model, info.title, args):
        trainer.extend(extension)
    if getattr(args, 'anneal', 0):
        trainer.extend(our_extensions.Annealing(
            model, args.anneal * args.epoch))
    trainer.extend(our_extensions.NaNGuard())
    trainer.extend(extensions.LogReport())
    trainer.extend(our_extensions.TableReport(
        [*entries, *method.columns], info.header))
    for kind in ('loss', 'accuracy'):
        trainer.extend(our_extensions.PlotCurves(
            {'main/' + kind: 'training',
             'validation/main/' + kind: 'validation'},
            kind + '.png', kind, info.title,
            comparison.curves(info.variant, kind, args.epoch)))
    trainer.extend(our_extensions.LearningRate(
        schedules.from_options(args, method.restarts(args)),
        'alpha' if hasattr(optimizer, 'alpha') else 'lr'))
    trainer.extend(our_extensions.RandomState())
    trainer.extend(our_extensions.Settings(info.settings))
    take_snapshot = snapshot.extension()
    trainer.extend(take_snapshot, trigger=(args.frequency, 'epoch'))
    trainer.extend(our_extensions.Interrupt(take_snapshot))
    if args.epoch_budget is not None:
        trainer.extend(our_extensions.TimeBudget(
            args.epoch_budget, take_snapshot))
    if args.pause_after is not None:
        trainer.extend(our_extensions.PauseAfter(
            args.pause_after, take_snapshot))
    if os.isatty(1):
        trainer.extend(extensions.ProgressBar(update_interval=10))
    return trainer


def add_evaluator(trainer, iterator, name, device,
                  evaluator=extensions.Evaluator, **kwargs):
    """Evaluates the trainer's model on a data set at each epoch."""
    model = trainer.updater.get_optimizer('main').target
    trainer.extend(evaluator(iterator, model, device=device, **kwargs),
                   name=name)


def run_to_end(stage, trainer, info):
    """Runs a trainer, from a snapshot where there is one, and reports.

    In the end ``model.npz`` has the network's weights and statistics
    (:func:`quantized_net.weights.save`).

    Args:
        stage (~quantized_net.training.stages.Stage): What is trained.
        trainer (~chainer.training.Trainer): As :func:`build` makes it.
        info (RunInfo): What is printed, compared and saved of the run.

    """
    run.make_out(trainer.out)
    snapshot.check_folder(trainer)
    if stage.resume:
        snapshot.load(stage.resume, trainer)
    elif stage.args.autoload and snapshot.load_newest(
            trainer.out, trainer) is None and (
                stage.init is not None and _goes_on_without_init(stage)):
        raise errors.UserError(
            'no snapshot in %s can be loaded, and %s is gone; train without '
            '--autoload' % (trainer.out, stage.init))
    files.write_json(os.path.join(trainer.out, 'args.json'), dict(
        vars(stage.args), script=info.script, dataset=info.dataset,
        init=stage.init, title=info.title, versions=versions.versions()))

    run.run(trainer)
    model = trainer.updater.get_optimizer('main').target
    weights.save(os.path.join(trainer.out, 'model.npz'), model.predictor)
    print(comparison.table(
        info.title, trainer.get_extension('LogReport').log, info.variant))
    if methods.get(stage.args.method).quantizes:
        print('\n%s' % summary(model))
