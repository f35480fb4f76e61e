"""A folder of photographs, one folder a class, and a small residual network that learns to tell them apart.

`folder` finds, checks and splits the images, `pipeline` makes batches of them, `residual` is the network, `job` the
training and `confusion` what it reports. `settings`, `folder` and `pipeline` import no framework.
"""
