"""The commands of `penstock`, one a module; `main` finds the one that is asked for."""
