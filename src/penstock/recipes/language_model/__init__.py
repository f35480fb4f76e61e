"""A small Transformer that learns to say what comes next in a text: from raw files to bits per byte and a sample.

`corpus` reads and splits the text, `prepared` makes tokens of it, `job` trains, `trained` is what comes of it.
`settings` and `corpus` import no framework.
"""
