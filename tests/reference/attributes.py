#!/usr/bin/env python3
"""Write into src/op/op_list.h which attributes each descriptor's versions of its operator have.

    build/docs/operators | attributes.py src/op/op_list.h

The page and the list name the descriptors in the same order. Needs onnx; what it does not know keeps its attributes.
"""

import re
import sys

import onnx.defs

ROW = re.compile(r"\| (?:([\w.]+)\.)?(\w+) \| (from )?(\d+)(?: to (\d+))? \|")
ENTRY = re.compile(r"MC_OP\((\w+)(?:,\s*\"([^)]*)\")?\)\n", re.S)
schemas = {}
for schema in onnx.defs.get_all_schemas_with_history():
    schemas.setdefault((schema.domain, schema.name), []).append(schema)


def attributes(domain, kind, first, last):
    """Names that the versions in force from `first` to `last` have; None if the operator is not onnx's."""
    known = schemas.get((domain, kind))
    if not known:
        return None
    start = max((s.since_version for s in known if s.since_version <= first), default=first)
    return sorted({name for s in known if start <= s.since_version <= last for name in s.attributes})


def entry(name, words):
    line, lines = f'MC_OP({name}, "', []
    for i, word in enumerate(words):
        text = word + (" " if i + 1 < len(words) else "")
        if len(line) + len(text) > 117:
            lines.append(line + '"')
            line = '      "'
        line += text
    return "\n".join(lines + [line + '")']) + "\n"


def main():
    path = sys.argv[1]
    rows = [m.groups() for m in map(ROW.match, sys.stdin) if m]
    text = open(path).read()
    found = ENTRY.findall(text)
    if len(rows) != len(found):
        sys.exit(f"{len(rows)} rows for {len(found)} entries")
    words = iter([attributes(d or "", k, int(a), 10**6 if newest else int(b or a)) for d, k, newest, a, b in rows])

    def replace(match):
        new = next(words)
        return entry(match[1], new if new is not None else (match[2] or "").replace('"', "").split())

    with open(path, "w") as file:
        file.write(ENTRY.sub(replace, text))


if __name__ == "__main__":
    main()
