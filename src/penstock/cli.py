"""The `penstock` command."""

from penstock.commands.main import main

__all__ = ["main"]
