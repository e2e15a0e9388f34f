#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the commands of a document and compares what they print with what it says: check_examples.py FILE...

A command is a line in a fenced block that begins with "$ ", with those that continue it after a backslash or in open quotes; the lines after it
are what it prints on standard output. All commands of a file run in one shell, in the current folder. Numbers, spaces and
lines of dashes need not be the same. A line "…" stands for any number of lines, "…" at a line's end for the rest of it. A
block with a command that has "…" in it is not run, and one in which a line begins with "# not run" neither.
"""
import re
import shlex
import subprocess
import sys

MARK = "=== end of a command ==="
SECONDS = 300


def blocks(text):
    """The lines of each fenced block that has commands to run."""
    for match in re.finditer(r"^```\w*\n(.*?)^```$", text, re.M | re.S):
        lines = match[1].splitlines()
        commands = [line for line in lines if line.startswith("$ ")]
        left_out = any(line.startswith("# not run") for line in lines) or any("…" in line for line in commands)
        if commands and not left_out:
            yield lines


def is_open(command):
    """Whether the shell wants another line of it."""
    try:
        shlex.split(command)
    except ValueError:
        return True
    return False


def examples(text):
    """Pairs of a command and the lines that it should print."""
    for lines in blocks(text):
        command, expected = None, []
        for line in lines:
            if command and not expected and is_open(command):
                command += "\n" + line
            elif line.startswith("$ "):
                if command:
                    yield command, expected
                command, expected = line[2:], []
            else:
                expected.append(line)
        if command:
            yield command, expected


def plain(line):
    line = re.sub(r"\b0x[0-9a-f]+|\b[0-9a-f]{8,}\b", "N", line)
    line = re.sub(r"[0-9][0-9,.]*", "N", line)
    return re.sub(r"\s+", " ", re.sub(r"-{3,}", "---", line)).strip()


def fits(expected, printed):
    expected, printed = plain(expected), plain(printed)
    if expected.endswith("…"):
        return printed.startswith(expected[:-1].rstrip())
    return expected == printed


def matches(expected, printed):
    """Whether all printed lines are those expected."""
    if not expected:
        return not printed
    if expected[0].strip() == "…":
        return any(matches(expected[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and fits(expected[0], printed[0]) and matches(expected[1:], printed[1:])


def without_empty(lines):
    return [line for line in lines if line.strip()]


def check(path):
    with open(path, encoding="utf-8") as file:
        wanted = list(examples(file.read()))
    script = "".join(f"{command}\necho; echo '{MARK}'\n" for command, _ in wanted)
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, timeout=SECONDS, check=False)
    printed = done.stdout.split(MARK + "\n")
    bad = 0
    for i, (command, expected) in enumerate(wanted):
        got = without_empty(printed[i].splitlines() if i < len(printed) else ["(the shell ended before)"])
        if not matches(without_empty(expected), got):
            bad += 1
            print(f"{path}: $ {command}\n  should print:", *expected, "  printed:", *got, sep="\n    ")
    if bad:
        print("standard error of all:", done.stderr, sep="\n")
    print(f"{path}: {len(wanted)} commands, {bad} print something else")
    return bad == 0 and len(wanted) > 0


sys.setrecursionlimit(10000)
sys.exit(0 if all([check(path) for path in sys.argv[1:]]) else 1)
