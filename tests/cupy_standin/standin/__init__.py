"""What the stand-in for CuPy is made of: arrays, functions, kernels.

`cupy` and `cupyx` beside this package only name what is here.  It computes
on the host: with NumPy, and, for kernels in CUDA C++, with what the host's C++
compiler makes of them.  It is strict where CuPy is: arrays of both kinds do
not mix, kernels' types come from arrays alone, a fresh array holds NaN.  What
is not here raises an error that names it.

It can not show races, streams, the memory of a device, speed, flushed
denormals and fused multiply-adds.
"""
