from cupyx.scipy import linalg, special  # noqa: F401
