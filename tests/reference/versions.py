#!/usr/bin/env python3
"""Write tests/op/versions.h: every version of every operator of the standard.

    versions.py tests/op/versions.h

tests/op/test_ops.c holds the table of operators against it. Needs onnx.
"""

import sys

import onnx
import onnx.defs


def main():
    versions = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        versions.setdefault((schema.domain, schema.name), set()).add(schema.since_version)
    with open(sys.argv[1], "w") as file:
        file.write(f"/* versions.h - domain, type and versions of all operators of onnx {onnx.__version__}, written by\n"
                   " * tests/reference/versions.py. */\n")
        for (domain, name), numbers in sorted(versions.items()):
            file.write(f'{{"{domain}", "{name}", {{{", ".join(map(str, sorted(numbers)))}}}}},\n')


if __name__ == "__main__":
    main()
