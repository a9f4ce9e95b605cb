"""What is printed, compared and saved of a run."""

from quantized_net import experiments
from quantized_net import ranks as ranks_module
from quantized_net.training import arguments
from quantized_net.training import device as devices


class RunInfo(object):

    """What a run is: its title, header, settings, and published variant.

    Args:
        args (argparse.Namespace): Options of the network that is trained.
        script (str): Name of the script.
        dataset (str): Of the data set that was taken.
        device (~chainer.backend.Device): Where it is trained.
        parse (callable): Reads a command line of the script; by it the
            experiments below results/ are compared.
        ranks (~quantized_net.ranks.Alone): Who trains.

    Attributes:
        title (str): Of pictures and of the closing table.
        header (str): Lines above the table.
        settings (dict): What a snapshot has to agree with to be resumed.
        variant (~quantized_net.experiments.Variant or None): The one whose
            options are those of the run.

    """

    def __init__(self, args, script, dataset, device, parse,
                 ranks=ranks_module.ALONE):
        self.script = script
        self.dataset = dataset
        self.title = '%s, %s, %s, seed %d' % (
            'bundled digits' if dataset == 'digits' else dataset,
            args.network, args.method, args.seed)
        lines = ['GPU: %d' % devices.number(device)]
        lines += ['# %s: %s' % (name, getattr(args, name))
                  for name in ('unit',) if hasattr(args, name)]
        lines += ['# Minibatch-size: %d' % args.batchsize,
                  '# epoch: %d' % args.epoch,
                  '# network: %s' % args.network,
                  '# method: %s' % args.method, '# data set: %s' % dataset,
                  '# seed: %d' % args.seed]
        if ranks.title is not None:
            lines.append('# processes: ' + ranks.title)
        self.header = '\n'.join(lines) + '\n\n'
        self.settings = arguments.settings(args, script, dataset)
        self.variant = experiments.matching(
            experiments.find(), script, parse, arguments.experiment,
            arguments.experiment(args, script, dataset))
