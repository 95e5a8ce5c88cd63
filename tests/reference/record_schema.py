"""Ask jsonschema (4.26 was tried) what tests/report/check_schema.c is asked: do records follow docs/record.schema.json?

    python record_schema.py SCHEMA RECORD.json…
"""

import json
import sys

import jsonschema

schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
bad = 0
for path in sys.argv[2:]:
    for error in validator.iter_errors(json.load(open(path))):
        print(f"{path}: /{'/'.join(map(str, error.path))}: {error.message[:200]}")
        bad += 1
sys.exit(bad > 0)
