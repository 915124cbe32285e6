#!/usr/bin/env python3
"""Checks deny.toml's rules where cargo-deny is not installed: licences, sources and who may use which crate.

Offline and exact: it reads Cargo.lock's packages as `cargo metadata` gives them. Advisories it cannot know, and duplicate
versions it does not list: those need cargo-deny. Exits 1 with a line for each package that breaks a rule.
"""
import json
import re
import subprocess
import sys
import tomllib

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def allows(expression, allowed):
    """Whether an SPDX expression (OR, AND, WITH, parentheses; a slash is an old OR) can be met by allowed licences."""
    words = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    place = 0

    def joined(word, part, by):
        nonlocal place
        met = [part()]
        while place < len(words) and words[place] == word:
            place += 1
            met.append(part())
        return by(met)

    def alternatives():
        return joined("OR", lambda: joined("AND", one, all), any)

    def one():
        nonlocal place
        if place >= len(words):
            raise ValueError(f"licence expression {expression!r} breaks off")
        word = words[place]
        place += 1
        if word == "(":
            met = alternatives()
            place += 1
            return met
        if place + 1 < len(words) and words[place] == "WITH":
            word = f"{word} WITH {words[place + 1]}"
            place += 2
        return word in allowed

    return alternatives()


def users(metadata):
    """Names of the packages that depend on each package, by name."""
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    found = {}
    for node in metadata["resolve"]["nodes"]:
        for dependency in node["dependencies"]:
            found.setdefault(names[dependency], set()).add(names[node["id"]])
    return found


def problems(metadata, rules):
    allowed = set(rules["licenses"]["allow"])
    own = set(metadata["workspace_members"])
    for package in metadata["packages"]:
        title = f"{package['name']} {package['version']}"
        if package["id"] not in own and package["source"] != REGISTRY:
            yield f"{title}: comes from {package['source'] or package['manifest_path']}, not from crates.io"
        licence = package["license"] or ""
        if not licence or not allows(licence, allowed):
            yield f"{title}: licence {licence or 'not named'} is not in deny.toml's list"
    found = users(metadata)
    names = {package["name"] for package in metadata["packages"]}
    for rule in rules["bans"]["deny"]:
        crate = rule["crate"]
        others = found.get(crate, set()) - set(rule.get("wrappers", []))
        if crate in names and (others or "wrappers" not in rule):
            yield f"{crate}: used by {', '.join(sorted(others))}, but {rule['reason']}"


def main():
    with open("deny.toml", "rb") as file:
        rules = tomllib.load(file)
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--all-features"]
    command += [f"--filter-platform={target}" for target in rules["graph"]["targets"]]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    found = list(problems(metadata, rules))
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"{len(metadata['packages'])} packages checked for licence, source and use; advisories need cargo-deny")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
