"""A family and a game as small as they can be, to prove what a new member has to write. This is all of it."""

from biggan_tf.config.parts import PARTS

# In the package these would be lines of PARTS itself.
PARTS["model"]["toy"] = "tests.toy_family.config:ToyConfig"
PARTS["game"]["toy_relativistic"] = "tests.toy_family.config:ToyGameConfig"
