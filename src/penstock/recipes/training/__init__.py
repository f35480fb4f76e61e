"""Training a model from a penstock pipeline, with exact resume.

A `job` says what to train, its `settings` how, and `run` does it; `fit_loop` and `custom_loop` are the two ways to,
`checkpoint` and `session` what makes a run that was stopped go on as if it had not been. `settings` alone imports no
framework.
"""
