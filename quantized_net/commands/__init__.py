"""The commands of ``python -m quantized_net``, a file for each.

Each module has ``NAME``, ``HELP`` (a line), ``EXAMPLES`` (lines of a shell),
``add_arguments(parser)`` and ``run(args)``.
"""
