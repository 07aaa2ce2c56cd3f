import keras

from biggan_tf.contracts.network import layers_of


class _Block(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(2, name="first")
        self.unused = keras.layers.Dense(2, name="unused")
        self.norm = keras.layers.BatchNormalization(name="norm")

    def build(self, shape):
        self.first.build(shape)
        self.norm.build((None, 2))


class _Wide(keras.layers.Dense):
    pass


class _Network(keras.Model):
    def __init__(self):
        super().__init__(name="network")
        self.block = _Block(name="block")
        self.last = _Wide(1, name="last")

    def build(self, shape):
        self.block.build(shape)
        self.last.build((None, 2))


def test_layers_are_found_by_class_at_any_depth_and_unbuilt_ones_left_out():
    network = _Network()
    network.build((None, 3))
    assert layers_of(network, keras.layers.Dense) == {"block/first": network.block.first, "last": network.last}
    assert layers_of(network, _Wide) == {"last": network.last}
    assert list(layers_of(network, keras.layers.BatchNormalization)) == ["block/norm"]
    assert layers_of(network.block, keras.layers.Dense) == {"first": network.block.first}
