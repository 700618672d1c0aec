#!/usr/bin/env python3
"""Hold the program against the Frictionless validator: it accepts what we export, and refuses what we refuse.

    pip install 'frictionless>=5,<6'
    python3 tests/interchange_check.py path/to/alianza

Exit 0 and a summary line when both agree everywhere; otherwise exit 1 and one line for each disagreement.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from frictionless import FrictionlessException, Package, Resource, Schema

GOOD = {
    "patient_id": "P1", "birth_date": "2016-02-29", "sex": "1", "residence_country": "MX",
    "residence_region": "MX-JAL", "coverage_scheme": "public", "travel_time_h": "1.5",
    "legal_basis": "public_task", "objection": "no",
}


def table(*rows: dict, columns=None) -> str:
    """CSV text of rows that differ from the good one."""
    columns = columns or list(GOOD)
    lines = [",".join(columns)]
    lines += [",".join((GOOD | row).get(column, "x") for column in columns) for row in rows]
    return "\n".join(lines) + "\n"


def broken_files() -> dict:
    """Bytes by name, each with whether it is to be accepted."""
    good = table({})
    squeezed = gzip.compress(good.encode())
    return {
        "good": (good.encode(), True),
        "byte order mark": (b"\xef\xbb\xbf" + good.encode(), True),
        "CRLF": (good.replace("\n", "\r\n").encode(), True),
        "quoted values": (good.replace("P1", '"P1"').encode(), True),
        "gzip": (squeezed, True),
        "Latin-1": (table({"residence_region": "MX-JAL", "patient_id": "Pñ"}).encode("latin-1"), False),
        "UTF-16": (good.encode("utf-16"), False),
        "unclosed quotation mark": (good.replace("P1", '"P1').encode(), False),
        "missing header": (good.split("\n", 1)[1].encode(), False),
        "empty": (b"", False),
        "missing column": (table({}, columns=[c for c in GOOD if c != "sex"]).encode(), False),
        "unknown column": (table({}, columns=[*GOOD, "nickname"]).encode(), False),
        "repeated column": (table({}, columns=[*GOOD, "sex"]).encode(), False),
        "row too short": (good.replace(",no\n", "\n").encode(), False),
        "row too long": (good.replace(",no\n", ",no,no\n").encode(), False),
        "duplicate key": (table({}, {}).encode(), False),
        "29 February of no leap year": (table({"birth_date": "2015-02-29"}).encode(), False),
        "31 April": (table({"birth_date": "2015-04-31"}).encode(), False),
        "year 0202": (table({"birth_date": "0202-01-01"}).encode(), False),
        "day first": (table({"birth_date": "01/02/2015"}).encode(), False),
        "decimal comma": (table({"travel_time_h": '"1,5"'}).encode(), False),
        "not a number": (table({"travel_time_h": "NaN"}).encode(), False),
        "code of no list": (table({"sex": "7"}).encode(), False),
        "mandatory value missing": (table({"sex": ""}).encode(), False),
        "embedded NUL": (table({"patient_id": "P\x001"}).encode(), False),
        "formula": (table({"patient_id": "=HYPERLINK(1)"}).encode(), False),
        "truncated gzip": (squeezed[: len(squeezed) // 2], False),
    }


def ours(program: str, node: Path, path: Path) -> bool:
    """Whether the program would take every row of the file."""
    command = [program, "--dir", str(node), "ingest", "--dry-run", "--json", f"patient={path}"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode == 2:
        raise SystemExit(f"{path.name}: {done.stderr.decode()}")
    outcome = json.loads(done.stdout)
    held = sum(part["quarantined"] for file in outcome["batch"]["files"] for part in file["parts"])
    return outcome["outcome"] == "would_accept" and held == 0


def theirs(schema: Schema, path: Path) -> bool:
    """Whether the validator finds the file valid."""
    try:
        resource = Resource(
            name="patient", path=path.name, basepath=str(path.parent), encoding="utf-8", schema=schema
        )
        return resource.validate().valid
    except (FrictionlessException, EOFError, UnicodeError):
        return False


def schema_of(columns: list, dictionary: Path) -> Schema:
    """The schema of patients with the columns of the files alone."""
    descriptor = json.loads((dictionary / "patient.schema.json").read_text("utf-8"))
    descriptor["fields"] = [f for f in descriptor["fields"] if f["name"] in columns]
    return Schema.from_descriptor(descriptor)


def run(program: str, *arguments: str) -> None:
    subprocess.run([program, *arguments], check=True, capture_output=True)


def exports(program: str, folder: Path, faults: list) -> int:
    """Number of valid tables: the dictionary as exported, and a synthetic registry under it."""
    dictionary = folder / "dictionary"
    run(program, "dictionary", "export", str(dictionary))
    run(program, "generate", "--out", str(folder / "synthetic"), "--countries", "PY", "--scale", "1")
    descriptor = json.loads((dictionary / "datapackage.json").read_text("utf-8"))
    for resource in descriptor["resources"]:
        resource["path"] = f"{resource['name']}.csv"
        resource["schema"] = json.loads((dictionary / resource["schema"]).read_text("utf-8"))
    report = Package.from_descriptor(descriptor, basepath=str(folder / "synthetic" / "py")).validate()
    faults.extend(f"export: {error.message}" for error in report.errors)
    for task in report.tasks:
        faults.extend(f"export/{task.name}: {error.message}" for error in task.errors[:3])
    return sum(task.valid for task in report.tasks)


def one_long_line(path: Path, size: int) -> None:
    """A header and one line that never ends."""
    with path.open("wb") as file:
        file.write((",".join(GOOD) + "\n").encode())
        for _ in range(size >> 20):
            file.write(b"x" * (1 << 20))


def main() -> int:
    program = str(Path(sys.argv[1]).resolve())
    faults: list = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        node = folder / "node"
        run(program, "init", "--dir", str(node), "--node", "mx", "--url", "https://localhost:7443", "--operator", "test")
        tables = exports(program, folder, faults)
        schema = schema_of(list(GOOD), folder / "dictionary")
        files = broken_files()
        for case, (content, accepted) in files.items():
            path = folder / ("patient.csv.gz" if content[:2] == b"\x1f\x8b" else "patient.csv")
            path.write_bytes(content)
            verdicts = {"ours": ours(program, node, path), "theirs": theirs(schema, path)}
            faults.extend(f"{case}: {who} {verdict}, not {accepted}" for who, verdict in verdicts.items() if verdict != accepted)
        path = folder / "patient.csv"
        one_long_line(path, 1 << 30)
        if ours(program, node, path):
            faults.append("one line of 1 GB: ours accepts it")
        one_long_line(path, 64 << 20)  # the validator gathers the line in memory: a smaller one tells the same
        if theirs(schema, path):
            faults.append("one long line: theirs accepts it")
    if faults:
        print("\n".join(faults))
        print(f"interchange: {len(faults)} disagreements")
        return 1
    print(f"interchange: {tables} exported tables valid, {len(files) + 1} files judged alike")
    return 0


if __name__ == "__main__":
    sys.exit(main())
