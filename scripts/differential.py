#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds single instructions whose results differ between QEMUs.

    scripts/differential.py [OPTION...] TARGET QEMU QEMU...        docs/differential.md

TARGET is a file in scripts/differential/: how a guest loads all registers, runs one instruction, and stores them all.
The instructions are random bytes that LLVM's disassembler accepts: whatever it names anew is kept and mutated
further, so that no table of mnemonics is needed. Each runs with --inputs sets of registers: NaNs, denormals,
infinities, extreme and random integers, and every rounding mode. One line is printed for each kind of instruction
that differs, with letters for the QEMUs in their order (the same letter, the same result) and the first register that
differs. With --confirm tcgrr records each in one QEMU and bisects it with the next that differs, and has to name the
instruction.
"""
import argparse
import collections
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = 64  # bytes before the first row of results: done, the stub and the inputs that run
STUBS = 0x20000  # where the instructions under test begin, after the target's own code
STUB = 32    # bytes from one instruction under test to the next


def newest(tool):
    for version in ("", *(f"-{n}" for n in range(25, 13, -1))):
        path = shutil.which(tool + version)
        if version and path:
            return path
    return shutil.which(tool) or sys.exit(f"{tool} is missing: install llvm")


class Target:
    """What the comments `//: KEY VALUE` of a target's file say."""

    def __init__(self, name):
        with open(os.path.join(HERE, "differential", name + ".s"), encoding="ascii") as file:
            self.source = file.read()
        self.name, self.fields = name, []
        known = {"refuse": "^$"}
        for key, value in re.findall(r"^\S{1,2}: (\w+) (.*)$", self.source, re.M):
            if key == "state":
                self.fields.append(self.field(value.split()))
            else:
                known[key] = value
        self.qemu, self.llvm = known["qemu"].split(), known.get("llvm", "").split()
        # Where LLVM does not know the target well enough: the prefix of GNU's tools, and their
        # options.
        self.gnu, self.gas, self.objdump = known.get("gnu"), known.get("as", ""), known.get("objdump", "")
        self.order, self.word, self.length = known["byteorder"], int(known["word"]), int(known["length"])
        self.load, self.results = int(known["load"], 0), int(known["results"], 0)
        self.fixed = [bytes.fromhex(word) for word in known.get("fixed", "").split()]
        self.first = bytes.fromhex(known.get("nop", ""))
        self.image = known.get("image", "loader")
        self.pc = int(known.get("pc", known["load"]), 0)
        self.mapped = int(known.get("mapped", "0"), 0)
        self.refused = re.compile(known["refuse"])
        state = sum(count * size for _, count, size, _ in self.fields)
        self.trap_offset = (state + 7) // 8 * 8
        self.size = (self.trap_offset + 8 + 31) // 32 * 32

    def fix(self, code):
        """Sets the bits that the target's file fixes (`fixed MASK VALUE`)."""
        if self.fixed:
            mask, value = self.fixed
            code = bytes(byte & ~m | v for byte, m, v in zip(code, mask, value))
        return bytes(code)

    @staticmethod
    def field(words):
        return words[0], int(words[1]), int(words[2]), words[3:]

    def names(self):
        """(offset, size, name) of everything in a row."""
        offset = 0
        for name, count, size, _ in self.fields:
            for i in range(count):
                yield offset, size, f"{name}{i}" if count > 1 else name
                offset += size


FLOATS = {2: (5, 10), 4: (8, 23), 8: (11, 52)}


def number(rng, size):
    """An integer: extreme, small, a mask, or random."""
    bits = 8 * size
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice((0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1, 2))
    if kind == 1:
        return rng.randrange(256)
    if kind == 2:
        return (1 << rng.randrange(bits)) - 1
    return rng.getrandbits(bits)


def floating(rng, size):
    """The bits of a floating-point number: NaNs, infinities, denormals, zeros and numbers of ordinary sizes."""
    exponent, fraction = FLOATS[size]
    top, kind = (1 << exponent) - 1, rng.randrange(9)
    sign = rng.getrandbits(1) << (exponent + fraction)
    mantissa = rng.getrandbits(fraction)
    bias = top >> 1
    field = {0: 0, 1: 0, 2: top, 3: top, 4: top}.get(kind, bias + rng.randrange(-fraction - 3, fraction + 3)
             if kind < 8 else rng.randrange(top))
    field = max(0, min(top, field))
    if kind in (1, 2):
        mantissa = 0
    if kind == 3:
        mantissa |= 1 << (fraction - 1)
    if kind == 4:
        mantissa = mantissa & ~(1 << (fraction - 1)) | 1
    if kind == 7:
        mantissa &= ~((1 << rng.randrange(fraction)) - 1)
    return sign | field << fraction | mantissa


def lanes(rng, size, order, widths=(1, 2, 4, 8)):
    lane = rng.choice([width for width in widths if width <= size])
    make = number if lane == 1 or rng.randrange(3) == 0 else floating
    return b"".join(make(rng, lane).to_bytes(lane, order) for _ in range(size // lane))


def x87(rng, size):
    """What frstor loads: the control word with any precision and rounding, no pending exception, eight numbers."""
    control = 0x7f | rng.choice((0, 2, 3)) << 8 | rng.randrange(4) << 10
    registers = b""
    for _ in range(8):
        exponent = rng.choice((0, 0x7fff, 0x3fff, 0x3fff + rng.randrange(-70, 70), rng.getrandbits(15)))
        fraction = rng.choice((0, 1, 1 << 62, rng.getrandbits(63), rng.getrandbits(63) & -(1 << rng.randrange(63))))
        integer = 0 if exponent == 0 or rng.randrange(20) == 0 else 1
        registers += struct.pack("<QH", integer << 63 | fraction, rng.getrandbits(1) << 15 | exponent)
    return (struct.pack("<7I", control, 0, 0, 0, 0, 0, 0) + registers).ljust(size, b"\0")


def extended(rng):
    """m68k's extended precision: any sign and exponent, and an integer bit, except for zeros and denormals."""
    exponent = rng.choice((0, 0, 0x7fff, 0x3fff, 0x3fff + rng.randrange(-70, 70), 0x3fff, rng.getrandbits(15)))
    fraction = rng.choice((0, 0, 1, 1 << 62, rng.getrandbits(63), rng.getrandbits(63) & -(1 << rng.randrange(63))))
    return struct.pack(">HHQ", rng.getrandbits(1) << 15 | exponent, 0, (exponent > 0) << 63 | fraction)


def inputs(target, rng, count):
    """The registers that each instruction is run with, `count` times."""
    rows = b""
    for index in range(count):
        row = b""
        for _, copies, size, kind in target.fields:
            for _ in range(copies):
                if kind[0] == "int":
                    row += number(rng, size).to_bytes(size, target.order)
                elif kind[0] == "float":
                    row += lanes(rng, size, target.order, (4, 8))
                elif kind[0] == "vec":
                    row += lanes(rng, size, target.order)
                elif kind[0] == "x87":
                    row += x87(rng, size)
                elif kind[0] == "ext":
                    row += extended(rng)
                elif kind[0] == "pred":
                    row += rng.choice((b"\xff" * size, rng.randbytes(size), b"\x11" * size, b"\x01" * size))
                else:
                    row += int(kind[index % len(kind)], 0).to_bytes(size, target.order)
        rows += row + b"\0" * (target.size - len(row))
    return rows


def shape(text):
    """A kind of instruction: its text without the numbers of registers and immediates."""
    text = re.sub(r"%([er]?(ax|bx|cx|dx|si|di|bp)|[fv])\b", "%r", re.sub(r"\b([a-z$%]+)\d+\b", r"\1", text))
    return re.sub(r"(?<![\w.])#?-?(0x[0-9a-f]+|\d+)\b", "#", text)


def disassemble_gnu(target, codes):
    """{bytes: text} of those that objdump knows."""
    slot, found = 32, {}
    with tempfile.NamedTemporaryFile() as file:
        # After each come instructions that do nothing, so that the next one is met at its
        # beginning, whatever the rest of the bytes may be.
        filler = b"\x4e\x71" * (slot // 2)
        file.write(b"".join((code + filler)[:slot] for code in codes))
        file.flush()
        run = subprocess.run([target.gnu + "objdump", "-D", "-b", "binary", "--insn-width=24", *target.objdump.split(),
                              file.name], stdout=subprocess.PIPE, text=True, check=True)
    for at, code, text in re.findall(r"^ *([0-9a-f]+):\t([0-9a-f ]+?) *\t(.*)$", run.stdout, re.M):
        if int(at, 16) % slot == 0:
            found[bytes.fromhex(code)] = re.sub(r"\s+", " ", text).strip()
    return found


def disassemble(target, codes):
    """{bytes: text} of those that LLVM accepts."""
    if target.gnu:
        return disassemble_gnu(target, codes)
    # Some disassemblers accept nothing after a first instruction that they refuse.
    lines = "\n".join(" ".join(f"0x{byte:02x}" for byte in code) for code in (target.first, *codes)) + "\n"
    run = subprocess.run([newest("llvm-mc"), "--disassemble", "--show-encoding", *target.llvm], input=lines, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if run.returncode < 0:
        # Some disassemblers crash on some bytes: those are left out.
        half = len(codes) // 2
        return {**disassemble(target, codes[:half]), **disassemble(target, codes[half:])} if half else {}
    found = {}
    for text, encoding in re.findall(r"^\t(.*?)\s*(?:#|//|!|;|@|##) encoding: \[([0-9a-fx,]+)\]$", run.stdout, re.M):
        found[bytes(int(byte, 16) for byte in encoding.split(","))] = re.sub(r"\s+", " ", text).strip()
    return found


def explore(target, rng, rounds, each):
    """[(bytes, text)]: for each kind of instruction that was met, up to `each`."""
    kinds, pool = collections.defaultdict(dict), []
    for _ in range(rounds):
        codes = []
        for _ in range(20000):
            code = bytearray(rng.randbytes(target.length))
            if pool and rng.randrange(4):
                old = pool[rng.randrange(len(pool))]
                code[:len(old)] = old
                for _ in range(rng.randrange(1, 4)):
                    bit = rng.randrange(8 * len(old))
                    code[bit // 8] ^= 1 << bit % 8
            codes.append(target.fix(code))
        for code, text in disassemble(target, codes).items():
            text = text.lower()
            kind = kinds[shape(text)]
            if len(code) > target.length or (len(kind) >= each and not target.refused.search(text)):
                continue
            if target.refused.search(text):
                # Kept to be mutated, not to be run: its neighbours may be harmless.
                if not kind:
                    kind[code] = None
                    pool.append(code)
                continue
            for refused in [old for old, known in kind.items() if known is None]:
                del kind[refused]
            kind[code] = text
            pool.append(code)
    return sorted((code, text) for kind in kinds.values() for code, text in kind.items() if text)


def constants(target, count, size):
    """What a target's code may name: the addresses of `count` tests, `size` bytes of inputs, and results."""
    stubs, results = target.load + target.mapped + STUBS, target.results + target.mapped
    inputs_at = stubs + count * STUB
    return {"LOAD": target.load + target.mapped, "STACK": results - 64, "SIZE": target.size, "STUB": STUB,
            "STUBS": stubs, "STUBS_END": inputs_at, "INPUTS": inputs_at, "INPUTS_END": inputs_at + size,
            "RESULTS": results, "RESULTS_END": results + HEADER + size, "trap_code": target.trap_offset}


def assemble(target, tests, rows, folder):
    """Writes the guest for `tests` to guest.bin. A test is bytes, or a text of instructions."""
    where = constants(target, len(tests), len(rows))
    source = re.sub("|".join(rf"\b{name}\b" for name in where), lambda match: f"{where[match[0]]:#x}", target.source)
    offset = 0
    for name, copies, size, _ in target.fields:
        source = f".set {name}, {offset:#x}\n" + source
        offset += copies * size
    source += f"\n.org {STUBS:#x}\nstubs:\n"
    for i, test in enumerate(tests):
        text = test if isinstance(test, str) else ".byte " + ",".join(str(byte) for byte in test)
        source += f"{text}\nSTUB_END\n.org {STUBS + (i + 1) * STUB:#x}\n"
    source += ".byte " + ",".join(str(byte) for byte in rows) + "\n"
    path = os.path.join(folder, "guest")
    with open(path + ".s", "w", encoding="ascii") as file:
        file.write(source)
    if target.gnu:
        link = ["ld", f"-Ttext={where['LOAD']:#x}", "-e", "0", "--oformat", "binary", "-o", path + ".bin", path + ".o"]
        subprocess.run([target.gnu + "as", *target.gas.split(), "-o", path + ".o", path + ".s"], check=True)
        subprocess.run([target.gnu + link[0], *link[1:]], check=True)
        return path + ".bin"
    subprocess.run([newest("llvm-mc"), "--filetype=obj", *target.llvm, "-o", path + ".o", path + ".s"], check=True)
    subprocess.run([newest("llvm-objcopy"), "-O", "binary", "-j", ".text", path + ".o", path + ".bin"], check=True)
    if ".reset" in source:
        # A PC's firmware: it ends at 4 GB, and starts 16 bytes before that.
        subprocess.run([newest("llvm-objcopy"), "-O", "binary", "-j", ".reset", path + ".o", path + ".reset"],
                       check=True)
        with open(path + ".reset", "rb") as end, open(path + ".bin", "r+b") as file:
            tail = end.read()
            file.seek((1 << 32) - target.load - len(tail))
            file.write(tail)
    return path + ".bin"


def arguments(target, image):
    command = [*target.qemu, "-display", "none", "-monitor", "none", "-serial", "none", "-nic", "none", "-nodefaults"]
    if target.image != "loader":
        return command + ["-" + target.image, image]
    return command + ["-device", f"loader,file={image},addr={target.load:#x},force-raw=on",
                      "-device", f"loader,addr={target.pc:#x},cpu-num=0"]


class Machine:
    """A QEMU that runs a guest; its memory is read over QMP."""

    def __init__(self, target, qemu, image, folder):
        self.target, self.path = target, os.path.join(folder, "memory")
        self.process = subprocess.Popen([qemu, *arguments(target, image), "-qmp", "stdio"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, command, **values):
        try:
            self.process.stdin.write(json.dumps({"execute": command, "arguments": values}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise EOFError from None
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise EOFError
            if not line.startswith("{"):
                continue  # some QEMUs print complaints of what their guest does
            answer = json.loads(line)
            if "return" in answer or "error" in answer:
                return answer

    def memory(self, size):
        self.ask("pmemsave", val=self.target.results, size=size, filename=self.path)
        with open(self.path, "rb") as file:
            return file.read()

    def close(self):
        self.process.kill()
        self.process.communicate()


def run(target, qemu, tests, rows, folder):
    """The results of all tests, or the number of the test that stopped the guest; None if QEMU itself ended."""
    machine = Machine(target, qemu, assemble(target, tests, rows, folder), folder)
    last, still = -1, 0
    try:
        machine.ask("qmp_capabilities")
        while still < 60:
            head = machine.memory(HEADER)
            if any(head[:8]):
                return machine.memory(HEADER + len(rows) * len(tests))[HEADER:]
            stub = int.from_bytes(head[8:8 + target.word], target.order)
            still = still + 1 if stub == last else 0
            last = stub
            time.sleep(0.05)
    except EOFError:
        return None
    finally:
        machine.close()
    return (last - target.load - target.mapped - STUBS) // STUB


def crashes(target, qemu, tests, rows, folder):
    """The number of the first test with which QEMU ends: without it and those after it, it does not."""
    good, bad = 0, len(tests)
    while bad - good > 1:
        middle = (good + bad) // 2
        if run(target, qemu, tests[:middle], rows, folder) is None:
            bad = middle
        else:
            good = middle
    return bad - 1


def run_all(target, qemus, tests, rows, folder, note):
    """The results of each QEMU, of the first one twice, and the tests that all of them come to the end of."""
    results, width = [], len(rows)
    for qemu in (qemus[0], *qemus):
        while not isinstance(result := run(target, qemu, codes_of(tests), rows, folder), bytes):
            if result is None:
                result = crashes(target, qemu, codes_of(tests), rows, folder)
            if not 0 <= result < len(tests) or len(tests) == 1:
                sys.exit(f"{qemu} does not run the guest of {target.name}")
            note(f"left out: {tests[result][1]} stops {qemu}")
            del tests[result]
            results = [old[:result * width] + old[(result + 1) * width:] for old in results]
        results.append(result)
    return results


def codes_of(tests):
    return [code for code, _ in tests]


def differences(target, rows, results):
    """(letters, where, traps) of one test; None if all did the same."""
    count, names = len(rows) // target.size, list(target.names())
    kinds = {}
    letters = "".join("abcdefgh"[kinds.setdefault(result, len(kinds))] for result in results)
    if len(kinds) == 1:
        return None
    variants, where, traps = list(kinds), [], False
    for index in range(count):
        row = [variant[index * target.size:(index + 1) * target.size] for variant in variants]
        code = {part[target.trap_offset:target.trap_offset + 8] for part in row}
        if len(code) > 1:
            traps = True
            continue
        for offset, size, name in names:
            # Of what is longer than a register, the first four bytes that differ.
            step = 4 if size > 32 else size
            for at in range(offset, offset + size, step):
                values = [part[at:at + step] for part in row]
                if len(set(values)) > 1:
                    where.append((index, name if step == size else f"{name}+{at - offset}", values))
    return letters, where, traps


def text_of(value, order):
    return f"{int.from_bytes(value, order):0{2 * len(value)}x}"


def confirm(target, pair, test, rows, folder, tcgrr):
    """Whether `tcgrr bisect` of a recording names the instruction, and what it says of its guest, or otherwise."""
    image, trace = assemble(target, [test], rows, folder), os.path.join(folder, "trace")
    subprocess.run([tcgrr, "record", "--portable", "--force", "--until", "2000000", "-o", trace, "--", pair[0],
                    *arguments(target, image)], capture_output=True, cwd=folder, stdin=subprocess.DEVNULL, check=False)
    run = subprocess.run([tcgrr, "bisect", trace, "--json", "--qemu", pair[1], "--bundle",
                          os.path.join(folder, "bundle"), "--force"], capture_output=True, text=True, cwd=folder,
                         stdin=subprocess.DEVNULL, check=False)
    try:
        answer = json.loads(run.stdout)
    except ValueError:
        return False, run.stderr.strip().split("\n")[-1]
    cause = answer.get("cause") or {}
    begin = target.load + target.mapped + STUBS
    if cause.get("kind") in ("instruction", "block") and begin <= int(cause["pc"], 16) < begin + STUB:
        guest = cause.get("standalone") or {}
        return True, "its guest shows it" if guest.get("reproduces") else f"no guest: {guest.get('reason')}"
    error = answer.get("error", {}).get("text", "")
    return False, f"exit {run.returncode}, {cause.get('kind')} {cause.get('pc')} {error}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30, help="of 20,000 encodings each (30)")
    parser.add_argument("--each", type=int, default=1, help="instructions of each kind (1)")
    parser.add_argument("--inputs", type=int, default=12, help="sets of registers for each instruction (12)")
    parser.add_argument("--insn", action="append",
                        help="run these instructions (text for LLVM's assembler, ';' between) and no others")
    parser.add_argument("--confirm", type=int, default=0, metavar="COUNT",
                        help="let tcgrr name the first COUNT that differ")
    parser.add_argument("--traps", action="store_true", help="list instructions that trap in one QEMU only as well")
    parser.add_argument("--tcgrr", default=os.path.join(os.environ.get("TCGRR_BUILD", "build"), "bin", "tcgrr"))
    parser.add_argument("--keep", metavar="FOLDER", help="leave the last guest there")
    parser.add_argument("target")
    parser.add_argument("qemu", nargs="+")
    options = parser.parse_args()
    target, rng = Target(options.target), random.Random(options.seed)
    rows = inputs(target, rng, options.inputs)
    folder = options.keep or tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    note = lambda text: print(text, file=sys.stderr, flush=True)
    try:
        search(target, rng, rows, folder, note, options)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def search(target, rng, rows, folder, note, options):
    tests = ([(text, text) for text in options.insn] if options.insn
             else explore(target, rng, options.rounds, options.each))
    note(f"{target.name}: {len(tests)} instructions, {len(rows) // target.size} inputs each")
    results = run_all(target, options.qemu, tests, rows, folder, note)
    width, differ, only, unsteady, named, tried, trap = len(rows), 0, 0, 0, 0, 0, 0
    for i, (insn, text) in enumerate(tests):
        parts = [result[i * width:(i + 1) * width] for result in results]
        codes = [parts[-1][at:at + 8] for at in range(target.trap_offset, width, target.size)]
        trap += (always := all(any(code) for code in codes))
        if always and options.traps:
            print(f"always traps: {text}")
        if parts[0] != parts[1]:
            unsteady += 1
            continue
        found = differences(target, rows, parts[1:])
        if not found:
            continue
        letters, where, traps = found
        if traps and not where:
            only += 1
            if not options.traps:
                continue
            line = f"{letters}  {text}  traps in some only"
        else:
            differ += 1
            _, name, values = where[0]
            line = f"{letters}  {text}  {name}: " + " / ".join(text_of(value, target.order) for value in values)
            line += f"  ({len({row for row, _, _ in where})} of {len(rows) // target.size} inputs)"
        if tried < options.confirm:
            tried += 1
            first = next(n for n in range(1, len(letters)) if letters[n] != letters[n - 1])
            good, said = confirm(target, options.qemu[first - 1:first + 1], insn, rows, folder,
                                 os.path.abspath(options.tcgrr))
            named += good
            line += f"  tcgrr: {'named, ' if good else ''}{said}"
        print(line, flush=True)
    print(f"{target.name}: {len(tests)} instructions, {differ} differ, {only} only trap differently, "
          f"{unsteady} differ from run to run, {trap} always trap in the last"
          + (f"; tcgrr named {named} of {tried}" if options.confirm else ""))


if __name__ == "__main__":
    main()
