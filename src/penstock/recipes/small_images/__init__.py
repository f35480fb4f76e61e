"""Small grey images that fit into memory: which there are to train on, and the training itself.

`settings` alone imports no framework.
"""
