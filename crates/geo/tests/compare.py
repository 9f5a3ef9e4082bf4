"""Compares answers that tests/it/compare.rs wrote with those of Python's maxminddb.

Usage: compare.py DATABASE ANSWERS
"""

import sys

import maxminddb


def country(record):
    """The country's code in a record of either schema, `-` if there is none."""
    record = record or {}
    code = record.get("country_code")
    for key in ("country", "registered_country"):
        found = record.get(key)
        code = code or (found.get("iso_code") if isinstance(found, dict) else found)
    return "-" if code in (None, "", "-", "ZZ") else code


def main(database, answers):
    compared = known = 0
    with maxminddb.open_database(database) as reader, open(answers) as lines:
        for line in lines:
            address, ours = line.split()
            theirs = country(reader.get(address))
            if ours != theirs:
                sys.exit(f"{address}: {ours} here, {theirs} by maxminddb")
            compared += 1
            known += theirs != "-"
    print(f"{compared} addresses agree, {known} of them with a country")
    if not known:
        sys.exit("nothing was compared")


main(*sys.argv[1:])
