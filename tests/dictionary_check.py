#!/usr/bin/env python3
"""Hold the dictionary, its samples, its code lists and the fixtures against each other.

    pip install 'frictionless>=5,<6'
    python3 tests/dictionary_check.py

Exit 0 and one summary line when all is well; otherwise exit 1 and one line for each fault.
"""

import csv
import json
import sys
from pathlib import Path

from frictionless import FrictionlessException, Package, Schema

ROOT = Path(__file__).resolve().parent.parent
DICTIONARY = ROOT / "schemas" / "dictionary"
CODES = ROOT / "schemas" / "codes"
FIXTURES = ROOT / "tests" / "fixtures" / "nwtco"
NODES = 16
LANGUAGES = ("es", "pt", "en")
HEADER = ["code", *LANGUAGES]


def code_lists(faults: list) -> dict:
    """Codes by list name, in file order; a malformed list is a fault."""
    lists = {}
    for path in sorted(CODES.glob("*.csv")):
        where = path.relative_to(ROOT)
        raw = path.read_bytes()
        if b"\r" in raw or raw.startswith(b"\xef\xbb\xbf") or not raw.endswith(b"\n"):
            faults.append(f"{where}: must be UTF-8 without BOM, LF line ends, final newline")
        header, *rows = csv.reader(raw.decode("utf-8").splitlines())
        if header != HEADER:
            faults.append(f"{where}: header is {header}, must be {HEADER}")
        for line, row in enumerate(rows, start=2):
            if len(row) != len(HEADER) or not all(cell.strip() for cell in row):
                faults.append(f"{where}:{line}: needs a code and a label in each language")
        lists[path.stem] = [row[0] for row in rows if row]
        if len(set(lists[path.stem])) != len(lists[path.stem]):
            faults.append(f"{where}: a code is listed twice")
    return lists


def check_fields(name: str, schema: dict, lists: dict, faults: list) -> None:
    """Labels in three languages, and enums equal to the code lists."""
    for language in LANGUAGES:
        if not schema.get("alianza:title", {}).get(language, "").strip():
            faults.append(f"{name}: no {language} title of the table")
    for field in schema["fields"]:
        where = f"{name}.{field['name']}"
        for key in ("alianza:title", "alianza:description"):
            for language in LANGUAGES:
                if not field.get(key, {}).get(language, "").strip():
                    faults.append(f"{where}: {key} has no {language} text")
        for plain in ("title", "description"):
            if field.get(plain) != field.get(f"alianza:{plain}", {}).get("en"):
                faults.append(f"{where}: {plain} is not the English alianza:{plain}")
        enum = field["constraints"].get("enum")
        codes = field.get("alianza:codes")
        if codes is None:
            if enum is not None:
                faults.append(f"{where}: has an enum but no alianza:codes")
        elif codes not in lists:
            faults.append(f"{where}: schemas/codes/{codes}.csv does not exist")
        elif enum != lists[codes]:
            faults.append(f"{where}: constraints.enum differs from schemas/codes/{codes}.csv")


def validate(package: Package, where: str, faults: list) -> int:
    """Number of valid tables of the package, keys and references included."""
    report = package.validate()
    faults.extend(f"{where}: {error.message}" for error in report.errors)
    for task in report.tasks:
        for error in task.errors:
            faults.append(f"{where}/{task.name}: {error.message}")
    return sum(task.valid for task in report.tasks)


def main() -> int:
    faults: list = []
    descriptor = json.loads((DICTIONARY / "datapackage.json").read_text("utf-8"))
    collections = {
        resource["name"]: json.loads((DICTIONARY / resource["schema"]).read_text("utf-8"))
        for resource in descriptor["resources"]
    }
    tables = {
        file.removesuffix(".schema.json"): json.loads((DICTIONARY / file).read_text("utf-8"))
        for file in descriptor["alianza:tables"]
    }
    schemas = collections | tables

    lists = code_lists(faults)
    used = {f.get("alianza:codes") for s in schemas.values() for f in s["fields"]}
    faults.extend(f"schemas/codes/{name}.csv: used by no field" for name in lists.keys() - used)
    for name, schema in schemas.items():
        check_fields(name, schema, lists, faults)
    for name, schema in tables.items():
        try:
            Schema.from_descriptor(schema)
        except FrictionlessException as error:
            faults.append(f"{name}: not a Table Schema: {error}")

    valid = validate(Package(str(DICTIONARY / "datapackage.json")), "samples", faults)
    for split in ("even", "unequal"):
        nodes = sorted(path for path in (FIXTURES / split).glob("*") if path.is_dir())
        if len(nodes) != NODES:
            faults.append(f"{split}: {len(nodes)} node folders, must be {NODES}")
        for node in nodes:
            resources = [
                {"name": name, "type": "table", "path": f"{name}.csv", "format": "csv",
                 "encoding": "utf-8", "schema": schema}
                for name, schema in collections.items()
            ]
            package = Package.from_descriptor(
                {"name": node.name, "resources": resources}, basepath=str(node)
            )
            valid += validate(package, f"{split}/{node.name}", faults)

    if faults:
        print("\n".join(faults))
        print(f"dictionary: {len(faults)} faults")
        return 1
    fields = sum(len(schema["fields"]) for schema in collections.values())
    derived = sum(len(schema["fields"]) for schema in tables.values())
    print(
        f"dictionary: {len(collections)} collections, {fields} fields, {derived} derived fields, "
        f"{len(lists)} code lists, {valid} files valid"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
