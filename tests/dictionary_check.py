#!/usr/bin/env python3
"""Hold the dictionary, its samples, its code lists and the fixtures against each other.

    pip install 'frictionless>=5,<6'
    python3 tests/dictionary_check.py

Exit 0 and one summary line when all is well; otherwise exit 1 and one line for each fault.
"""

import csv
import json
import re
import sys
from datetime import date
from pathlib import Path

from frictionless import FrictionlessException, Package, Schema

ROOT = Path(__file__).resolve().parent.parent
DICTIONARY = ROOT / "schemas" / "dictionary"
CODES = ROOT / "schemas" / "codes"
FIXTURES = ROOT / "tests" / "fixtures" / "nwtco"
FIXTURE_COLLECTIONS = {"patient", "tumour", "event", "follow_up"}
NODES = 16
COLLECTIONS, TABLES = 18, 15
LANGUAGES = ("es", "pt", "en")
HEADER = ["code", *LANGUAGES]
UNITS_OF_PRIVACY = ("person", "facility", "none")
# A month of a ward census: the only date field that takes one precision only.
MONTH_FIELD, MONTH = "ward_month.month", "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$"


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


def several(codes: list) -> str:
    """Pattern of one or more of the codes, separated by semicolons."""
    one = "|".join(re.escape(code) for code in codes)
    return f"^({one})(;({one}))*$"


def check_codes(where: str, field: dict, lists: dict, faults: list) -> None:
    """A coded field names its list, and its enum or its pattern is that list."""
    constraints = field["constraints"]
    enum, pattern = constraints.get("enum"), constraints.get("pattern")
    codes = field.get("alianza:codes")
    if codes is None:
        if enum is not None or field.get("alianza:kind") == "codes":
            faults.append(f"{where}: has an enum but no alianza:codes")
    elif codes not in lists:
        faults.append(f"{where}: schemas/codes/{codes}.csv does not exist")
    elif field["type"] != "string":
        faults.append(f"{where}: a coded field is of type string")
    elif field.get("alianza:kind") == "codes":
        if any(";" in code for code in lists[codes]):
            faults.append(f"{where}: a code of schemas/codes/{codes}.csv holds the separator")
        if enum is not None or pattern != several(lists[codes]):
            faults.append(f"{where}: constraints.pattern differs from schemas/codes/{codes}.csv")
    elif enum != lists[codes]:
        faults.append(f"{where}: constraints.enum differs from schemas/codes/{codes}.csv")


def check_fields(name: str, schema: dict, lists: dict, faults: list) -> None:
    """Labels in three languages, coded fields equal to their lists, bounds and keys."""
    names = [field["name"] for field in schema["fields"]]
    if len(set(names)) != len(names):
        faults.append(f"{name}: two fields have one name")
    if schema.get("alianza:unit_of_privacy") not in UNITS_OF_PRIVACY:
        faults.append(f"{name}: alianza:unit_of_privacy is none of {UNITS_OF_PRIVACY}")
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
        constraints = field["constraints"]
        if constraints.get("required", False) != (field["alianza:level"] == "mandatory"):
            faults.append(f"{where}: required and alianza:level contradict each other")
        bounded = {"minimum", "maximum"} <= constraints.keys()
        if field["type"] in ("integer", "number") and not bounded:
            faults.append(f"{where}: a number needs a minimum and a maximum")
        if field["type"] == "string" and not {"enum", "pattern"} & constraints.keys():
            faults.append(f"{where}: a text needs an enum or a pattern")
        check_codes(where, field, lists, faults)


def check_kinds(tables: dict, faults: list) -> None:
    """What a field tells of is told by another field too: kindred fields are found by it."""
    tellers: dict = {}
    for name, schema in tables.items():
        for field in schema["fields"]:
            kinds = field.get("alianza:tells_of", [])
            if not isinstance(kinds, list) or not all(re.fullmatch("[a-z]+", kind) for kind in kinds):
                faults.append(f"{name}.{field['name']}: alianza:tells_of is a list of words")
                continue
            for kind in kinds:
                tellers.setdefault(kind, set()).add(field["name"])
    for kind, names in tellers.items():
        if len(names) < 2:
            faults.append(f"alianza:tells_of {kind}: only {', '.join(names)} tells of it")


def check_keys(collections: dict, faults: list) -> None:
    """Keys are mandatory and refer to a whole key further up; no field is queried."""
    earlier: dict = {}
    for name, schema in collections.items():
        fields = {field["name"]: field for field in schema["fields"]}
        for key in schema["primaryKey"]:
            if not fields.get(key, {}).get("constraints", {}).get("required"):
                faults.append(f"{name}.{key}: a field of the primary key is mandatory")
        for key in schema["foreignKeys"]:
            target = key["reference"]
            if earlier.get(target["resource"]) != target["fields"]:
                faults.append(f"{name}: {target} is not the key of a collection above it")
            if not set(key["fields"]) <= fields.keys():
                faults.append(f"{name}: refers by {key['fields']}, which it does not have")
        for field in schema["fields"]:
            if field["alianza:filterable"] or field["alianza:groupable"]:
                faults.append(f"{name}.{field['name']}: a field of a collection is never queried")
        earlier[name] = schema["primaryKey"]


def check_dates(collections: dict, faults: list) -> None:
    """One pattern for every date, one for every date-time, and both know the calendar."""
    patterns: dict = {"date": {}, "datetime": {}}
    for name, schema in collections.items():
        for field in schema["fields"]:
            where, kind = f"{name}.{field['name']}", field.get("alianza:kind")
            if where == MONTH_FIELD:
                if kind != "date" or field["constraints"]["pattern"] != MONTH:
                    faults.append(f"{where}: must be a date of pattern {MONTH}")
            elif kind in patterns:
                patterns[kind].setdefault(field["constraints"]["pattern"], where)
    for kind, found in patterns.items():
        if len(found) != 1:
            faults.append(f"{kind}: patterns differ, see {', '.join(found.values())}")
            continue
        (pattern,) = found
        accepts = re.compile(pattern).fullmatch
        for year in range(1899, 2101):
            known = 1900 <= year <= 2099
            partial = known and kind == "date"
            texts = {f"{year}": partial}
            for month in range(14):
                texts[f"{year}-{month:02}"] = partial and 1 <= month <= 12
                for day in range(33):
                    texts[f"{year}-{month:02}-{day:02}"] = known and is_day(year, month, day)
            faults.extend(
                f"{kind}: {text} is {'not ' if right else ''}accepted"
                for text, right in texts.items()
                if bool(accepts(text)) != right
            )


def is_day(year: int, month: int, day: int) -> bool:
    """Whether the calendar has the day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def validate(package: Package, where: str, faults: list) -> int:
    """Number of valid tables of the package, keys and references included."""
    report = package.validate()
    faults.extend(f"{where}: {error.message}" for error in report.errors)
    for task in report.tasks:
        for error in task.errors:
            faults.append(f"{where}/{task.name}: {error.message}")
    return sum(task.valid for task in report.tasks)


def fixture_resources(node: Path, collections: dict) -> list:
    """The collections of which the node has a file, with the columns that the file has.

    The fixtures carry four collections as version 1.0 had them. Optional columns that they lack are
    left out, as a header without them would be a fault; mandatory ones are kept. A reference goes
    with its columns or with the collection referred to: none of these files names a facility.
    """
    files = {name: node / f"{name}.csv" for name in collections}
    files = {name: path for name, path in files.items() if path.is_file()}
    resources = []
    for name, path in files.items():
        schema = collections[name]
        with path.open(encoding="utf-8", newline="") as lines:
            columns = set(next(csv.reader(lines)))
        fields = [
            field
            for field in schema["fields"]
            if field["name"] in columns or field["constraints"]["required"]
        ]
        kept = {field["name"] for field in fields}
        references = [
            key
            for key in schema["foreignKeys"]
            if set(key["fields"]) <= kept and key["reference"]["resource"] in files
        ]
        resources.append(
            {"name": name, "type": "table", "path": path.name, "format": "csv", "encoding": "utf-8",
             "schema": schema | {"fields": fields, "foreignKeys": references}}
        )
    return resources


def main() -> int:
    faults: list = []
    descriptor = json.loads((DICTIONARY / "datapackage.json").read_text("utf-8"))
    collections = {
        resource["name"]: json.loads((DICTIONARY / resource["schema"]).read_text("utf-8"))
        for resource in descriptor["resources"]
    }
    # A table keeps its folder in its name here: a collection is called `population` as well.
    tables = {
        file.removesuffix(".schema.json"): json.loads((DICTIONARY / file).read_text("utf-8"))
        for file in descriptor["alianza:tables"]
    }
    schemas = collections | tables
    listed = {resource["schema"] for resource in descriptor["resources"]}
    listed.update(descriptor["alianza:tables"])
    for path in sorted(DICTIONARY.rglob("*.schema.json")):
        if path.relative_to(DICTIONARY).as_posix() not in listed:
            faults.append(f"{path.relative_to(ROOT)}: datapackage.json does not list it")
    if (len(collections), len(tables)) != (COLLECTIONS, TABLES):
        faults.append(
            f"datapackage.json: {len(collections)} collections and {len(tables)} tables, "
            f"must be {COLLECTIONS} and {TABLES}"
        )
    if not all(name.startswith("tables/") for name in tables):
        faults.append("datapackage.json: alianza:tables lie in the folder tables")

    lists = code_lists(faults)
    used = {f.get("alianza:codes") for s in schemas.values() for f in s["fields"]}
    faults.extend(f"schemas/codes/{name}.csv: used by no field" for name in lists.keys() - used)
    for name, schema in schemas.items():
        check_fields(name, schema, lists, faults)
    check_kinds(tables, faults)
    check_keys(collections, faults)
    check_dates(collections, faults)
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
            resources = fixture_resources(node, collections)
            if {resource["name"] for resource in resources} != FIXTURE_COLLECTIONS:
                faults.append(f"{split}/{node.name}: must hold {sorted(FIXTURE_COLLECTIONS)}")
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
