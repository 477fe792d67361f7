"""devstral_ls: code suggestions from a local, quantized Devstral, over the Language Server Protocol."""

__version__ = "0.1.0"
