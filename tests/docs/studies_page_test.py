"""docs/studies.md has every study of the registry."""

from tests.docs import studies_page


def test_the_table_is_that_of_the_registry():
    page = studies_page.PAGE.read_text()
    assert page == studies_page.written(page), "run python -m tests.docs.studies_page"
