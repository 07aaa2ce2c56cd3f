import pytest

from biggan_tf.data.class_names import ClassNameError, ClassNames, imagenet


def test_a_class_is_found_by_name_synset_and_index():
    names = ClassNames.of((), 1000)
    assert names.parse("golden retriever, n02123045,7") == [207, 281, 7]
    assert names.label("Golden_Retriever") == 207


def test_a_typo_names_the_near_ones():
    with pytest.raises(ClassNameError, match="golden retriever"):
        imagenet().label("goldn retriver")
    with pytest.raises(ClassNameError, match="Irish setter".lower()):
        imagenet().label("irish seter")


def test_a_name_of_two_classes_asks_for_the_index():
    twins = ClassNames(("a", "b", "c"), ("crane", "hen", "crane"))
    with pytest.raises(ClassNameError, match=r"names 2 classes.*\[0, 2\]"):
        twins.label("crane")
    assert twins.parse("hen,2") == [1, 2]


def test_an_index_beyond_the_classes_is_refused():
    with pytest.raises(ClassNameError, match="below 10"):
        ClassNames.of((), 10).label("10")


def test_a_model_without_classes_has_none_of_its_data_set():
    names = ClassNames.of(("cat", "dog"), 0)
    assert (names.synsets, names.names) == ((), ())
    for text in ("dog", "0"):
        with pytest.raises(ClassNameError, match=f"a model without classes.* Received: '{text}'; name no class"):
            names.label(text)


def test_a_hyphen_joins_words_and_makes_no_index_of_a_negative_number():
    names = ClassNames.of(("golden-retriever", "Siamese cat"), 2)
    assert names.parse("golden retriever,siamese-cat,Golden_Retriever") == [0, 1, 0]
    with pytest.raises(ClassNameError, match="there is no class '-1'"):
        ClassNames.of((), 3).label("-1")
    assert [imagenet().label(text) for text in ("jack-o'-lantern", "jack o' lantern", "Jack_o'_lantern")] == [607] * 3
    assert names.label("golden - retriever") == 0


def test_the_names_of_a_data_set_come_first():
    assert ClassNames.of(("n02123045", "zebra fish"), 2).parse("zebra fish,tabby") == [1, 0]
