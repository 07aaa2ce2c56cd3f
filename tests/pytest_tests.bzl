"""One test target for each test file of a package."""

load("@rules_python//python:defs.bzl", "py_test")

def pytest_tests(deps, size = "large", **kwargs):
    """Makes a `py_test` that runs pytest for every *_test.py of the package.

    Args:
      deps: What the tests of the package import.
      size: As of `py_test`.
      **kwargs: Passed on to `py_test`.
    """
    for source in native.glob(["*_test.py"]):
        py_test(
            name = source[:-len(".py")],
            size = size,
            srcs = [source, "//tests:run_pytest.py"],
            main = "//tests:run_pytest.py",
            args = ["$(rootpath %s)" % source],
            data = ["//:pyproject.toml"],
            deps = deps,
            **kwargs
        )
