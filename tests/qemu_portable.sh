#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# record --portable: the trace says what the machine is and carries what the guest is made of; the
# user's files are not touched, and not needed any more.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

files() { jq -r '.pinned.files[] | "\(.role) \(.name)"' "$work/out" | sort; }

# A bare guest for RISC-V: full machine name, default CPU, a packed device tree. Replays with its
# kernel gone.
guest rv64-timer "$version"
cp "$fixtures/rv64-timer.elf" "$work/kernel,1.elf"
guest=("${guest[@]/#$fixtures\/rv64-timer.elf/$work/kernel,1.elf}")
record riscv --portable
equal "riscv64: machine" "$(json .pinned.machine)" virt
contains "riscv64: CPU" "$(json .pinned.cpu)" '^rv64,marchid=[0-9]+,mimpid=[0-9]+$'
equal "riscv64: files" "$(files)" $'device tree machine.dtb\nkernel kernel_1.elf'
tree=$(json '.pinned.files[] | select(.role == "device tree").size')
((tree > 1000 && tree < 100000)) || fail "the device tree is not packed: $tree bytes"
verify riscv
mv "$work/kernel,1.elf" "$work/gone"
run 0 "$tcgrr" replay --json "$work/riscv.tcgrr"
equal "riscv64: diverged" "$(json .diverged)" false
equal "symbols of the user's file" "$("$tcgrr" query "$work/riscv.tcgrr" "SELECT count(*) > 3 FROM symbol" --format csv | tail -n 1)" 1

# What is extracted runs without tcgrr, from anywhere.
run 0 "$tcgrr" extract "$work/riscv.tcgrr" "$work/files"
cmp -s "$work/gone" "$work/files/inputs/kernel_1.elf" || fail "the extracted kernel is not the one that was recorded"
(cd / && timeout 60 xargs -d '\n' -a "$work/files/command.txt" env) >"$work/qemu" 2>&1 || fail "command.txt: $(cat "$work/qemu")"

# A PC: firmware and ROMs, each content once; the display adapter stays.
guest x86-timer "$version"
record x86 --portable
contains "x86: machine" "$(json .pinned.machine)" '^pc-i440fx-[0-9.]+$'
equal "x86: CPU" "$(json .pinned.cpu)" qemu64
contains "x86: files" "$(files)" '^firmware bios-256k.bin$'
contains "x86: files" "$(files)" '^rom vgabios-stdvga.bin$'
contains "x86: command" "$(json '.pinned.files[] | select(.role == "kernel").path')" "x86-timer.elf$"
run 0 "$tcgrr" replay --json "$work/x86.tcgrr"
equal "x86: diverged" "$(json .diverged)" false
verify x86

# A damaged copy is found, and not run.
cp "$work/riscv.tcgrr" "$work/bad.tcgrr"
sqlite3 "$work/bad.tcgrr" "UPDATE content SET data = zeroblob(length(data)) WHERE part = 0"
complains 3 "is damaged: its copy of" "$tcgrr" replay "$work/bad.tcgrr"
run 3 "$tcgrr" verify "$work/bad.tcgrr"
contains "verify" "$(cat "$work/out" "$work/err")" "its copy of"

# Flash that the guest may write to, and two files of the same content.
guest a64-timer "$version"
truncate -s 64M "$work/flash.img"
echo something >"$work/one"
cp "$work/one" "$work/two"
guest+=(-drive "if=pflash,unit=1,format=raw,file=$work/flash.img" -device "loader,file=$work/one,addr=0x50000000,force-raw=on"
        -device "loader,file=$work/two,addr=0x50001000,force-raw=on")
record flash --portable
contains "flash: files" "$(files)" '^flash flash.img$'
equal "flash: other files" "$(files | grep '^other')" $'other one\nother two'
equal "flash: contents" "$(sqlite3 "$work/flash.tcgrr" "SELECT count(DISTINCT xxh128) + 1 FROM content")" \
    "$(sqlite3 "$work/flash.tcgrr" "SELECT count(*) FROM input")"
equal "flash: machine" "$(json .pinned.machine | sed 's/[0-9.]*$//')" virt-
run 0 "$tcgrr" replay --json "$work/flash.tcgrr"
equal "flash: diverged" "$(json .diverged)" false

# What cannot be pinned is said.
guest a64-timer "$version"
guest=("${guest[@]/#cortex-a57/max}")
run 0 "$tcgrr" record --portable --json -o "$work/max.tcgrr" -- "${guest[@]}"
contains "-cpu max" "$(cat "$work/err")" '^tcgrr: -cpu max has different features in each release'
complains 3 "does not make this machine: .*no-such" "$tcgrr" record --portable -o "$work/no.tcgrr" -- \
    "${guest[@]}" -device no-such
[ ! -e "$work/no.tcgrr" ] || fail "a trace is left of what could not be pinned"

# Another QEMU that lacks the machine or the CPU.
old=$(qemu aarch64 7.2)
if [ "$version" != 7.2 ]; then
    complains 3 "QEMU 7.2.* has no machine virt-[0-9.]+: record with -M virt-7.2, which it has" \
        "$tcgrr" replay "$work/flash.tcgrr" --qemu "$old"
    guest a64-timer "$version"
    guest=("${guest[@]/#cortex-a57/neoverse-v1}")
    guest=("${guest[@]/#virt/virt-7.2}")
    record cpu --portable
    complains 3 "QEMU 7.2.* has no CPU neoverse-v1: record with -cpu neoverse-n1, which it has" \
        "$tcgrr" replay "$work/cpu.tcgrr" --qemu "$old"
fi

# What two QEMUs would give a guest differently, before anything runs; nothing between a QEMU and
# itself but the random seeds.
guest a64-timer "$version"
run 0 "$tcgrr" doctor --json --pair "${guest[0]}" "${guest[0]}" -- "${guest[@]:1}"
equal "doctor: a QEMU and itself" "$(json '[.differences[].what] | join(",")')" "random seeds"
if [ "$version" != 7.2 ]; then
    run 0 "$tcgrr" doctor --json --pair "$old" "${guest[0]}" -- "${guest[@]:1}"
    equal "doctor: what differs" "$(json '[.differences[].what] | join(",")')" "machine,device tree,random seeds"
    equal "doctor: the machine" "$(json '.differences[0].remedy')" "-M virt-7.2, which both have"
fi

# A PC's kernel is told the path of its file, which is the same each time, although the file lies in a new folder.
cat >"$work/path.S" <<'S'
    .section .multiboot, "a"
    .long 0x1badb002, 0, -0x1badb002
    .text
    .globl _start
_start:
    movl 16(%ebx), %esi
1:  lodsb
    addl %eax, %ecx
    testb %al, %al
    jnz 1b
    testb $1, %cl
    jz 2f
    nop
2:  outl %eax, $0xf4
3:  jmp 3b
S
if clang --target=i386-unknown-none-elf -nostdlib -fuse-ld=lld -static -Wl,-Ttext=0x100000 "$work/path.S" -o "$work/path.elf" \
    2>"$work/err"; then
    guest=("$(qemu x86_64 "$version")" -M pc -device "isa-debug-exit,iobase=0xf4,iosize=0x04" -kernel "$work/path.elf" -display none
        -monitor none -serial null)
    record path --portable
    for _ in 1 2 3; do
        run 0 "$tcgrr" replay --json "$work/path.tcgrr"
    done
    run 0 "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
fi
