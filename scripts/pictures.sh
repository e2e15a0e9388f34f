#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Remakes the pictures of README.md, docs/browse.png and docs/finding.png: pictures.sh
# [BUILD-FOLDER]. Needs what setup.sh installs, tmux, a headless Chromium and python3.
set -euo pipefail
top=$(realpath "$(dirname "$0")/..")
build=$(realpath "${1:-$top/build}")
export PATH=$build/bin:$HOME/.cache/tcgrr/qemus/bin:$PATH LC_ALL=C.UTF-8
for tool in tcgrr qemu-system-aarch64-10.0 qemu-system-aarch64-7.2 tmux python3; do
    command -v "$tool" >/dev/null || { echo "pictures.sh: $tool is not there" >&2; exit 3; }
done
browser=$(command -v chromium-headless-shell chromium chromium-browser google-chrome | head -n 1) ||
    { echo "pictures.sh: there is no Chromium (on Debian: chromium-headless-shell)" >&2; exit 3; }
work=$(mktemp -d)
tmux() { command tmux -f /dev/null -S "$work/tmux" "$@"; }
trap 'tmux kill-server 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

# picture PAGE WIDTH HEIGHT FILE
picture() {
    "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="$2,$3" --screenshot="$4" \
        "file://$work/$1" 2>"$work/err" || { cat "$work/err" >&2; exit 3; }
}

# A guest that QEMU 7.2 and 10.0 do not run alike, as in docs/tutorial.md.
machine=(-M virt -cpu neoverse-n1 -display none -serial null -kernel "$build/fixtures/a64-fcvtzs.elf")
tcgrr record -o guest.tcgrr -- qemu-system-aarch64-10.0 "${machine[@]}" >/dev/null
tcgrr bisect guest.tcgrr --qemu qemu-system-aarch64-7.2 --history 3 --bundle report --html finding.html >/dev/null || [ $? = 1 ]
picture finding.html 1100 1150 "$top/docs/finding.png"

tmux new-session -d -x 136 -y 26 "tcgrr browse report/a.tcgrr report/b.tcgrr"
for ((i = 0; i < 100; i++)); do
    tmux capture-pane -p | grep -q "the runs diverge here" && break
    sleep 0.1
done
tmux capture-pane -e -p >screen
tmux send-keys q
python3 - screen >screen.html <<'PYTHON'
"""What tmux captured, as a page: bold, dim, underlined, reversed, red and cyan text."""
import html
import re
import sys

STYLES = {"1": "font-weight:bold", "2": "opacity:.6", "4": "text-decoration:underline", "7": ""}
COLORS = {"31": "#ff7b6b", "36": "#5ccfe6"}
text, on, color = "", [], ""
with open(sys.argv[1], encoding="utf-8") as screen:
    for part in re.split(r"(\x1b\[[0-9;]*m)", screen.read()):
        codes = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if not codes:
            ink = COLORS.get(color, "#d0d4da")
            style = ";".join([f"background:{ink};color:#14181e" if "7" in on else f"color:{ink}"] + [STYLES[code] for code in on])
            text += f'<span style="{style}">{html.escape(part)}</span>'
            continue
        for code in codes[1].split(";"):
            on = on + [code] if code in STYLES else [] if code in ("", "0") else on
            color = code if code in COLORS else "" if code in ("", "0", "39") else color
print('<!DOCTYPE html><meta charset="utf-8"><body style="margin:0;background:#14181e;color:#d0d4da">'
      f'<pre style="margin:12px;font:14px/1.25 DejaVu Sans Mono,monospace">{text}</pre>')
PYTHON
picture screen.html 1172 480 "$top/docs/browse.png"
ls -l "$top/docs/finding.png" "$top/docs/browse.png"
