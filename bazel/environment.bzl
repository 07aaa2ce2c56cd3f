"""Repositories for a Bazel without modules and without the network, such as Debian's 4.2.

Rules are Bazel's own ones, and packages are those of the Python that runs the targets: `bazel test` under
`PATH=$PWD/.venv/bin:$PATH`. A current Bazel reads MODULE.bazel and takes neither.
"""

_RULES = """
py_binary = native.py_binary
py_library = native.py_library
py_test = native.py_test
"""

def _native_python_rules(repository):
    repository.file("WORKSPACE")
    repository.file("python/BUILD")
    repository.file("python/defs.bzl", _RULES)

native_python_rules = repository_rule(implementation = _native_python_rules)

def _installed_packages(repository):
    repository.file("WORKSPACE")
    for line in repository.read(repository.attr.lock).splitlines():
        if "==" not in line or line.startswith((" ", "#")):
            continue
        name = line.split("==")[0].split("[")[0].strip().lower().replace("-", "_").replace(".", "_")
        repository.file(
            name + "/BUILD",
            'py_library(name = "%s", visibility = ["//visibility:public"])\n' % name,
        )

installed_packages = repository_rule(
    implementation = _installed_packages,
    attrs = {"lock": attr.label(allow_single_file = True)},
)
