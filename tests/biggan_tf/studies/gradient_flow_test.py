"""The numbers of the study of gradients in a linear critic."""

from tests.biggan_tf.studies.small_results import small_result


def test_the_gradients_are_those_of_the_formulas():
    numbers = small_result("gradient_flow").numbers
    assert max(numbers["largest_difference_from_formula"].values()) < 1e-9


def test_a_sure_critic_has_the_gradient_of_r1_alone():
    numbers = small_result("gradient_flow").numbers
    assert max(numbers["left_at_the_steepest"].values()) < 1e-3
    assert abs(numbers["exponent_of_r1"] - numbers["expected_exponent_of_r1"]) < 0.05
    assert numbers["gradient_lengths"]["R1"][-1].min() > numbers["gradient_lengths"]["hinge"][-1].max()
    assert small_result("gradient_flow").holds
