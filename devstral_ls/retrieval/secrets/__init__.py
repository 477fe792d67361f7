"""Finds secrets in text: published formats, names with a value behind them, commands, addresses and private keys."""
