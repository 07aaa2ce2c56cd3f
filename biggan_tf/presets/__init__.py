"""Presets: trained generators as folders with all that is needed to use, judge and train them further.

`preset_folder` says which files such a folder has, `sources` finds it, `hub` moves it to and from a model hub, and
`pretrained` is what `biggan_tf.from_preset` returns.
"""
