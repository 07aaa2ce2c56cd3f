from biggan_tf.ops.operation_counter import count_operations, record


def test_a_counter_counts_on_after_one_inside_of_it_has_ended():
    with count_operations() as outer:
        with count_operations() as inner:
            pass
        record("dense", (2, None), 3)
    record("dense", (2, None), 3)
    assert (outer.total, outer.output_values) == (6, 2)
    assert (inner.total, inner.output_values) == (0, 0)
