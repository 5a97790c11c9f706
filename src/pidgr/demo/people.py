"""The people of the demo's organization."""

import csv
from itertools import islice, product
from pathlib import Path
from typing import Final

_FIRST_NAMES: Final = (
    "Amara", "Bruno", "Chen", "Dalia", "Emil", "Farah", "Goran", "Hana", "Ivo", "Jolanda",
    "Kofi", "Lena", "Mateo", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Samir", "Tuuli",
    "Umar", "Vera", "Wanda", "Xenia", "Yusuf", "Zofia",
)  # fmt: skip
_LAST_NAMES: Final = (
    "Abebe", "Bianchi", "Costa", "Dubois", "Eriksen", "Ferrari", "Garcia", "Huber", "Ito",
    "Jansen", "Kowalski", "Lindqvist", "Moreau", "Novak", "Okafor", "Petrov", "Quispe", "Rossi",
    "Silva", "Tanaka", "Uzun", "Vasquez", "Weber", "Yilmaz", "Zhang",
)  # fmt: skip
FIRST_EMAIL: Final = "amara.abebe.1@example.com"
_DEPARTMENTS: Final = ("Assembly", "Logistics", "Maintenance", "Office", "Sales", "Shift B")


def write_csv(file: Path, people: int) -> None:
    """Write a file that ``pidgr members import`` takes, one row for each person."""
    rounds = range(people // (len(_FIRST_NAMES) * len(_LAST_NAMES)) + 1)
    names = product(rounds, _LAST_NAMES, _FIRST_NAMES)
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("email", "first_name", "last_name", "department", "employee_id"))
        for number, (_, last, first) in enumerate(islice(names, people), start=1):
            email = f"{first}.{last}.{number}@example.com".lower()
            department = _DEPARTMENTS[number % len(_DEPARTMENTS)]
            writer.writerow((email, first, last, department, f"E{number:06}"))
