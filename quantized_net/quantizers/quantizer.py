"""What every quantizer answers.

To add a method, subclass :class:`Quantizer`, write ``forward`` (its maths
belong in ``quantized_net/functions``) and ``encode``, set ``bits`` and
``kind``, and list the options in ``printable_specs``.  Learned scalars are
parameters, made with an initializer (so that copies can be drawn anew) in
``init_scope``; masks and counters are persistent values.  Layers, summary,
plots and packing need no more than this.
"""

import numpy

import chainer
from chainer import backend

from quantized_net import functions
from quantized_net.packing import codebook as codebooks


class Quantizer(chainer.Link):

    """Base class of the quantizers: a link that maps W to quantized W.

    Attributes:
        bits (int): Bits of one code.
        kind (str): What its values are: ``'binary'`` (-1 and +1, no others),
            ``'ternary'`` (a negative one, zero, a positive one),
            ``'uniform'`` (multiples of a step), ``'powers'`` (powers of two,
            their negatives, zero) or ``'codebook'`` (anything else).  A
            subclass that has a ``forward`` of its own and does not state its
            kind is of the last.
        name (str or None): Of the class, not of its instances (theirs is
            Chainer's: the link's in its parent): what
            :func:`~quantized_net.quantize` calls it.  Subclasses state
            their own.
        inverse_slope (float): Where it is above 0, a layer's weight is not
            quantized but softened in training
            (:func:`quantized_net.functions.soften`);
            :class:`quantized_net.extensions.Annealing` sets it.
        is_identity (bool): Whether it leaves values as they are and
            quantizes their gradient: a layer that has it as
            ``gradient_quantizer`` puts it behind its output, and keeps its
            fast kernels.
        initialized (bool): Whether :meth:`initialize_from` has done its
            work, or has none to do.

    """

    bits = 32
    kind = 'codebook'
    name: str | None = None
    inverse_slope = 0.
    is_identity = False
    initialized = True

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if 'name' not in vars(cls):
            cls.name = None
        # A kind holds for the forward that it stands beside: a scaled Sign
        # gives signs no more.
        for base in cls.__mro__:
            if 'kind' in vars(base):
                break
            if 'forward' in vars(base):
                cls.kind = 'codebook'
                break

    @property
    def grid(self):
        """The grid of its values (:class:`quantized_net.functions.Grid`).

        Where the kind is ``'binary'`` or ``'uniform'``: the step of which
        all values are multiples, and the largest of the multiples' magnitudes.
        Else ``None``.  Layers whose input has one, and whose weight has one
        or is ternary, add whole numbers up, exactly.
        """
        return functions.Grid(1., 1) if self.kind == 'binary' else None

    def forward(self, W):
        """Quantizes.

        Args:
            W (~chainer.Variable): Latent values, any shape.

        Returns:
            ~chainer.Variable: Quantized values of the same shape, with the
            method's gradient to ``W`` and to the quantizer's parameters.

        """
        raise NotImplementedError

    def allocate(self, W):
        """Makes room for what it keeps of every weight.

        A layer calls it when it gets this quantizer and its weights have a
        shape already, so that what is loaded can be checked against it.  The
        default does nothing.

        Args:
            W (:ref:`ndarray`): Latent weights.

        """

    def initialize_from(self, array):
        """Takes first values from weights or data, once.

        A quantized layer's forward calls it in training mode, and nothing
        else does: of the weight quantizer with the latent weights, of the
        input quantizer with the input.  What only looks (``encode``, reports,
        ``quantized_W``, a forward in test mode) computes with what it would
        give and stores nothing.  So a model that is quantized, filled by
        :func:`~quantized_net.load_float` and then trained starts from the
        loaded weights.

        The default does nothing.  A quantizer that overrides it registers
        ``initialized`` as a persistent value, which goes from ``False`` to
        ``True`` here and is saved with the model; copies that are drawn anew
        (``copy('init')``), and ``load_float`` of a file without it, set it
        back.

        Args:
            array (:ref:`ndarray`): Latent weights, or a batch of inputs.

        """

    def draw(self, array):
        """Draws the random numbers that the next values are made with.

        A quantized layer's forward calls it in training mode, before it
        reads ``quantized_W``, and nothing else does: of the weight quantizer
        with the latent weights, of the input quantizer with the input.  So
        ``quantizer(W)``, ``encode(W)`` and ``quantized_W`` agree until the
        next forward, and what only looks draws nothing.  In test mode no
        value is random.

        The default does nothing.

        Args:
            array (:ref:`ndarray`): What will be quantized.

        """

    def levels(self, W):
        """The values that there are, and where one gives way to the next.

        Args:
            W (:ref:`ndarray`): Latent values.

        Returns:
            tuple: Sorted levels, of shape (K,) or (O, K), and the K - 1
            boundaries between them; halfway, unless a quantizer says else.

        """
        xp = backend.get_array_module(W)
        levels = xp.sort(values_of(self.encode(W)[1]), axis=-1)
        return levels, (levels[..., 1:] + levels[..., :-1]) / 2

    @property
    def is_softened(self):
        """Whether :meth:`soften` gives other values than the quantized."""
        return self.inverse_slope > 0 and chainer.config.train

    def soften(self, W):
        """Quantizes, or in training only moves W towards the levels.

        The gradients are those of the quantized values.

        Args:
            W (~chainer.Variable): Latent values, any shape.

        Returns:
            ~chainer.Variable: Same shape.

        """
        y = self(W)
        if not self.is_softened:
            return y
        levels, boundaries = self.levels(W.array)
        softened = functions.soften(
            W.array, levels, boundaries, self.inverse_slope)
        return y + (softened - y.array)

    def scales(self, W):
        """The scales of the positive and of the negative values.

        Args:
            W (:ref:`ndarray`): Latent values.

        Returns:
            tuple or None: Wp and Wn, with their signs, for values Wp and
            -Wn: two arrays of shape (), or (O,) with one for each index of
            the first axis of ``W``.  ``None`` if there are no such scales.

        """

    def encode(self, W):
        """Returns small integers and the values that they stand for.

        ``codebook[codes]`` equals ``quantizer(W).array`` exactly.

        Args:
            W (:ref:`ndarray`): Latent values.

        Returns:
            tuple: ``codes``, integers below ``2 ** bits`` in the shape of
            ``W``; and ``codebook``, a :class:`~quantized_net.packing.Codebook`
            whose values are a table of shape (K,), or (O, K) with a row for
            each index of the first axis of ``W`` (or for each run of so many
            weights), or follow from a rule (a uniform grid, powers of two),
            which takes no more bytes for more values.  A quantizer of one's
            own may return the table as an array.

        """
        raise NotImplementedError

    def _check_finite(self, W):
        """Refuses weights that no codes stand for."""
        if not bool(backend.get_array_module(W).isfinite(W).all()):
            raise ValueError(
                '%s can not encode weights that are NaN or infinite'
                % type(self).__name__)

    def copy(self, mode='share'):
        """As Chainer's; ``'init'`` takes first values anew as well."""
        copied = super(Quantizer, self).copy(mode)
        if mode == 'init' and 'initialized' in copied._persistent:
            copied.initialized = False
        return copied

    def _nearest_codes(self, W, codebook):
        """Codes into a codebook of sorted values, every quantized one."""
        self._check_finite(W)
        codebook = as_codebook(codebook)
        xp = backend.get_array_module(W)
        with chainer.no_backprop_mode():
            quantized = self(W).array
        codes = xp.searchsorted(codebook.values, quantized.ravel())
        codes = codes.reshape(W.shape)
        dtype = numpy.uint8 if len(codebook) <= 256 else numpy.uint16
        return codes.astype(dtype), codebook


def as_codebook(codebook):
    """What ``encode`` returned, or an array of values, as a codebook."""
    if isinstance(codebook, codebooks.Codebook):
        return codebook
    return codebooks.Codebook.table(
        codebook, xp=backend.get_array_module(codebook))


def values_of(codebook):
    """The values of a codebook, an array of shape (K,) or (R, K)."""
    return as_codebook(codebook).values


def decode(codes, codebook):
    """The values of codes, from a codebook or an array of its values."""
    return as_codebook(codebook)[codes]
